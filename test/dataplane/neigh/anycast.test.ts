/**
 * One gateway MAC on every host: two switches on one underlay, each with the gateway on a port of its own, as a permanent entry
 * (of a host port) or a static one. Guests reach the gateway of their host, and frames of another host's gateway still reach
 * them.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { FLAG_PERMANENT, FLAG_STATIC } from '../../../src/fdb/table.js';
import { A, B, BROADCAST, frame } from '../support/frames.js';
import { TestSwitch, type Turn } from '../support/harness.js';
import { advertisement, arpReply, arpRequest, gratuitous } from '../support/neigh-frames.js';

const GATEWAY = '02:00:00:00:00:fe';
const GATEWAY4 = '198.18.0.254';
const A4 = '198.18.0.1';
const VNI = 42;
const ADDRESSES = ['192.0.2.1', '192.0.2.2'];

describe.each([
  ['permanent', FLAG_PERMANENT],
  ['static', FLAG_STATIC],
])('a gateway on two hosts, its entries %s', (_name, flags) => {
  let hosts: TestSwitch[];

  beforeEach(() => {
    hosts = ADDRESSES.map(
      (_, own) =>
        new TestSwitch({
          br0: {
            ports: {
              guest: { type: 'tap' },
              gateway: { type: 'tap', fdb: [{ mac: GATEWAY, flags }] },
              vx: { type: 'vxlan', vni: VNI, remotes: [ADDRESSES[1 - own]], neighSuppress: true },
            },
          },
        }),
    );
    // The guests are known everywhere.
    send(0, 'guest', frame({ source: A, destination: BROADCAST }));
    send(1, 'guest', frame({ source: B, destination: BROADCAST }));
  });

  /** Sends a frame on a host, and what leaves by its tunnel into the other host. @returns `host:port` of each copy, and drops */
  function send(host: number, port: string, bytes: Uint8Array): string[] {
    const here = hosts[host].send(port, bytes);
    const there = here.out
      .filter((out) => out.port === 'vx')
      .map((out): Turn => hosts[1 - host].tunnel('vx', ADDRESSES[host], VNI, out.frame));
    const shown = (turn: Turn, number: number): string[] =>
      [...turn.to, ...turn.drops].filter((text) => !text.startsWith('vx>')).map((text) => `${number}:${text}`);
    return [...shown(here, host), ...there.flatMap((turn) => shown(turn, 1 - host))].sort();
  }

  it.each([0, 1])('guests of host %i reach their own', (host) => {
    const source = host === 0 ? A : B;
    expect(send(host, 'guest', frame({ source, destination: GATEWAY }))).toEqual([`${host}:gateway`]);
  });

  it('what one gateway sends to a guest behind the other host arrives, in both directions, all the time', () => {
    for (let round = 0; round < 3; round++) {
      expect(send(0, 'gateway', frame({ source: GATEWAY, destination: B }))).toEqual(['1:guest']);
      expect(send(1, 'gateway', frame({ source: GATEWAY, destination: A }))).toEqual(['0:guest']);
      expect(send(0, 'guest', frame({ source: A, destination: GATEWAY }))).toEqual(['0:gateway']);
      expect(send(1, 'guest', frame({ source: B, destination: GATEWAY }))).toEqual(['1:gateway']);
    }
  });

  it('asked by a guest, the one of its host answers, whatever the other has announced', () => {
    expect(send(1, 'gateway', gratuitous(GATEWAY, GATEWAY4))).toEqual(['0:gateway', '0:guest', '1:guest']);
    expect(send(1, 'gateway', advertisement(GATEWAY, '2001:db8::fe'))).toEqual(['0:gateway', '0:guest', '1:guest']);
    expect(send(0, 'guest', arpRequest(A, A4, GATEWAY4))).toEqual(['0:gateway', '0:vx suppressed']);
    expect(send(0, 'gateway', arpReply(GATEWAY, GATEWAY4, A, A4))).toEqual(['0:guest']);
  });

  it('a guest that takes its MAC for its own is not believed by the other host', () => {
    expect(send(0, 'guest', frame({ source: GATEWAY, destination: B }))).toEqual(['1:guest']);
    expect(send(1, 'guest', frame({ source: B, destination: GATEWAY }))).toEqual(['1:gateway']);
  });
});
