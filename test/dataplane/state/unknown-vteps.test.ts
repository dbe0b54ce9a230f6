/** Senders that are not remotes: remembered addresses, and a cost independent of the number of forged ones. */
import { describe, expect, it } from 'vitest';
import { CounterReader, Counters } from '../../../src/dataplane/state/counters.js';
import { MAX_UNKNOWN_VTEPS } from '../../../src/dataplane/state/unknown-vteps.js';
import { fromHex } from '../../../src/wire/bytes.js';
import { TestSwitch } from '../support/harness.js';

const DATAGRAM = fromHex('08000000 00002a00 02000000000b 02000000000a 88b5 01020304');

function scene(engines = 1) {
  const all = Array.from({ length: engines }, () => new Counters());
  const reader = new CounterReader(all.map(({ memory }) => memory)).unknownVteps;
  /** So many datagrams to port 1, VNI 42, from an address of 10.0.0.0/8. */
  const meet = (host: number, tick: number, { times = 1, engine = 0, port = 1, vni = 42 } = {}): void => {
    for (let n = 0; n < times; n++) all[engine].unknownVteps.met(port, vni, [0, 0, 0xffff, 0x0a000000 + host], 0, tick);
  };
  return { all, reader, meet };
}

describe('the senders of vtep_unknown', () => {
  it('are named by a switch that drops their datagrams', () => {
    const sw = new TestSwitch({
      br0: { ports: { tap1: { type: 'tap' }, vx: { type: 'vxlan', vni: 42, remotes: ['192.0.2.2'] } } },
    });
    expect(sw.receive('vx', '198.51.100.9', DATAGRAM).drops).toEqual(['vx vtep_unknown']);
    expect(sw.receive('vx', '192.0.2.2', DATAGRAM).drops).toEqual([]);
    const found = new CounterReader([sw.context.counters.memory]).unknownVteps.list();
    expect(found).toMatchObject([{ vni: 42, count: 1, address: [0, 0, 0xffff, 0xc6336409 | 0] }]);
  });

  it('are counted by port, VNI and address, over all engines', () => {
    const { all, reader, meet } = scene(2);
    meet(1, 10, { times: 3 });
    meet(1, 40, { engine: 1 });
    meet(1, 30, { vni: 43 });
    meet(1, 20, { port: 2 });
    expect(reader.list().map(({ port, vni, count, first, last }) => [port, vni, count, first, last])).toEqual([
      [1, 42, 4, 10, 40],
      [1, 43, 1, 30, 30],
      [2, 42, 1, 20, 20],
    ]);
    all[0].unknownVteps.clearPort(1);
    expect(reader.list()).toHaveLength(2);
  });

  it('of any number are few that are remembered, and who keeps sending stays among them', () => {
    const { reader, meet } = scene();
    let forged = 1000;
    for (let tick = 0; tick < 3000; tick++) {
      meet(7, tick, { times: 2 });
      for (let n = 0; n < 40; n++) meet(forged++, tick);
      expect(reader.heard).toBe((tick + 1) * 42);
    }
    const found = reader.list();
    expect(found.length).toBeLessThanOrEqual(MAX_UNKNOWN_VTEPS);
    expect(found.find(({ address }) => address[3] === 0x0a000007)).toMatchObject({ count: 6000, first: 0, last: 2999 });
  });

  it('make room for others when they are not heard any more', () => {
    const { reader, meet } = scene();
    for (let host = 0; host < 1000; host++) meet(host, host, { times: 100 });
    for (let tick = 0; tick < 50; tick++) meet(5000 + tick, 10_000 + tick);
    expect(
      reader
        .list()
        .slice(0, 20)
        .every(({ last }) => last >= 10_000),
    ).toBe(true);
  });

  it('are taken in a few at a time', () => {
    const { reader, meet } = scene();
    for (let host = 0; host < 1000; host++) meet(host, 5);
    expect(reader.list()).toHaveLength(8);
  });
});
