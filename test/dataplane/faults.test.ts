/** Faults below the switch: refused sends, a short command list, vanishing devices. */

import { describe, expect, it } from 'vitest';
import { ORIGINATED_ROOM } from '../../src/dataplane/egress/originate.js';
import { KIND_FRAME, KIND_UDP, VNET_NEEDS_CSUM } from '../../src/port/packet-io.js';
import { B, BROADCAST, C, finished, frame, packet } from './support/frames.js';
import { TestSwitch } from './support/harness.js';

const PEER = '192.0.2.2';
const tap = { type: 'tap' } as const;
const EBADFD = 77;

function make(maxCommands = 1024, remotes = [PEER]): TestSwitch {
  return new TestSwitch(
    { br0: { ports: { t1: tap, t2: tap, t3: tap, vx: { type: 'vxlan', vni: 42, remotes } } } },
    { maxCommands },
  );
}

const ERRNOS = {
  mtu_exceeded: { EMSGSIZE: 90 },
  tx_backpressure: { EAGAIN: 11, ENOMEM: 12, ENOBUFS: 105 },
  port_down: {
    EIO: 5,
    EBADF: 9,
    ENODEV: 19,
    EBADFD,
    ENETDOWN: 100,
    ENOENT: 2,
    EPIPE: 32,
    ECONNRESET: 104,
    ECONNREFUSED: 111,
  },
  tx_error: { EPERM: 1, EINVAL: 22, ENETUNREACH: 101, EHOSTUNREACH: 113 },
};
const outcomes = Object.entries(ERRNOS).flatMap(([reason, errnos]) =>
  Object.entries(errnos).map(([name, errno]) => ({ reason, name, errno })),
);

describe('a refused send is counted where it was to go, and hurts nobody else', () => {
  it.each(outcomes)('$name of a TAP: $reason', ({ reason, errno }) => {
    const sw = make();
    sw.io.faults.set((KIND_FRAME << 16) | sw.port('t2'), errno);
    expect(sw.send('t1', frame({ destination: BROADCAST }))).toMatchObject({
      to: ['t3', `vx>${PEER}`],
      drops: [`t2 ${reason}`],
    });
    sw.io.faults.clear();
    expect(sw.send('t1', frame({ destination: BROADCAST })).to).toEqual(['t2', 't3', `vx>${PEER}`]);
  });

  it.each(outcomes)('$name of a socket: $reason', ({ reason, errno }) => {
    const sw = make();
    sw.io.faults.set((KIND_UDP << 16) | 0, errno);
    expect(sw.send('t1', frame({ destination: BROADCAST }))).toMatchObject({
      to: ['t2', 't3'],
      drops: [`vx ${reason}`],
    });
    expect(sw.counters.remote(1)).toMatchObject({ tx_packets: 0, tx_bytes: 0 });
  });
});

describe('a transmit ring that is full in the middle of a batch', () => {
  it.each([1, 2, 3, 4, 7])('of %i commands loses nothing and keeps the order', (maxCommands) => {
    const sw = make(maxCommands, [PEER, '192.0.2.3', '192.0.2.4']);
    for (let i = 0; i < 20; i++) sw.inject('t1', frame({ destination: BROADCAST, payload: Uint8Array.of(i) }));
    const turn = sw.turn();
    expect(turn.drops).toEqual([]);
    for (const to of ['t2', 't3', `vx>${PEER}`, 'vx>192.0.2.3', 'vx>192.0.2.4']) {
      const order = turn.out.filter((out) => out.to === to).map((out) => out.frame[14]);
      expect(order).toEqual([...Array(20).keys()]);
    }
  });

  it('of 4 commands: 1,000 remotes get 1,000 copies, each with its checksum finished once', () => {
    const remotes = Array.from({ length: 1000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
    const sw = make(4, remotes);
    const open = packet({ protocol: 'udp', checksum: 'partial', destination: BROADCAST });
    const turn = sw.send('t1', open, { vnet: VNET_NEEDS_CSUM, csum: 34 | (6 << 16) });
    expect(turn.to).toEqual(['t2', 't3', ...remotes.map((address) => `vx>${address}`).sort()]);
    const complete = finished({ protocol: 'udp', destination: BROADCAST });
    for (const { port, frame } of turn.out) expect(frame).toEqual(port === 'vx' ? complete : open);
  });

  it('counts each failure once', () => {
    const sw = make(2);
    sw.io.faults.set((KIND_FRAME << 16) | sw.port('t3'), 11);
    for (let i = 0; i < 10; i++) sw.inject('t1', frame({ destination: BROADCAST }));
    expect(sw.turn().drops).toEqual(Array(10).fill('t3 tx_backpressure'));
  });
});

describe('more frames than a batch holds', () => {
  it('are all forwarded, a batch after the other', () => {
    const sw = new TestSwitch({ br0: { ports: { t1: tap, t2: tap } } }, { maxFrames: 8 });
    for (let i = 0; i < 100; i++) sw.inject('t1', frame({ payload: Uint8Array.of(i) }));
    expect(sw.turn().out.map((out) => out.frame[14])).toEqual([...Array(100).keys()]);
  });

  it('the stages have a row for each frame of a PacketIo with larger batches', () => {
    const sw = new TestSwitch({ br0: { ports: { t1: tap, t2: tap } } }, { maxFrames: 700 });
    for (let i = 0; i < 700; i++) sw.inject('t1', frame({ payload: Uint8Array.of(i >> 8, i & 255) }));
    expect(sw.turn().out.map(({ frame }) => (frame[14] << 8) | frame[15])).toEqual([...Array(700).keys()]);
  });
});

describe('a TAP whose device has gone', () => {
  it('is down from then on, told of once, and the others do not notice', () => {
    const sw = make();
    sw.send('t2', frame({ source: B, destination: BROADCAST }));
    sw.io.lose(KIND_FRAME, sw.port('t2'), EBADFD);
    // What comes in the same batch still finds the port up; its write fails.
    sw.io.faults.set((KIND_FRAME << 16) | sw.port('t2'), EBADFD);
    expect(sw.send('t1', frame())).toMatchObject({ to: [], drops: ['t2 port_down'] });
    expect(sw.lost).toEqual([`t2 ${EBADFD}`]);

    expect(sw.send('t1', frame())).toMatchObject({ to: [], drops: ['t1 port_down'] });
    expect(sw.send('t1', frame({ destination: BROADCAST }))).toMatchObject({ to: ['t3', `vx>${PEER}`], drops: [] });
    expect(sw.tunnel('vx', PEER, 42, frame({ source: C, destination: BROADCAST })).to).toEqual(['t1', 't3']);
    expect(sw.lost).toHaveLength(1);
  });

  it('a socket that has gone takes no port of the same number down', () => {
    const sw = make();
    sw.io.lose(KIND_UDP, sw.port('t1'), EBADFD);
    sw.turn();
    expect(sw.lost).toEqual([]);
    expect(sw.send('t1', frame({ destination: BROADCAST })).to).toEqual(['t2', 't3', `vx>${PEER}`]);
  });
});

describe('the engine between frames', () => {
  it('passes the bell on, once for each ring', () => {
    const sw = make();
    sw.turn();
    expect(sw.rung).toBe(0);
    sw.io.ring();
    expect(sw.send('t1', frame({ destination: BROADCAST })).to).toHaveLength(3);
    expect(sw.rung).toBe(1);
    sw.turn();
    expect(sw.rung).toBe(1);
  });

  it('tells readers the time', () => {
    const sw = make();
    sw.wait(3);
    expect(sw.counters.tick).toBe(30);
    sw.io.advance(99);
    sw.turn();
    expect(sw.counters.tick).toBe(30);
    sw.io.advance(1);
    sw.turn();
    expect(sw.counters.tick).toBe(31);
  });
});

describe('operations that cannot be carried out say so', () => {
  it('an entry for which the FDB has no room', () => {
    const entry = { op: 'fdb', high: 2, fid: 1, destination: 0, owner: 0, flags: 1 } as const;
    const sw = new TestSwitch({ br0: { ports: { t1: tap } } }, { fdbCapacity: 1 });
    sw.apply([{ ...entry, low: 1 }]);
    expect(() => sw.apply([{ ...entry, low: 2 }])).toThrow(/FDB is full/);
  });

  it('a VNI for whose header the arena has no room', () => {
    const sw = make();
    const header = (sw.io.headerBytes - ORIGINATED_ROOM) / 8;
    const vni = { op: 'vni', port: sw.port('vx'), vid: 5, vni: 5, counter: 5 } as const;
    sw.apply([{ ...vni, header: header - 1 }]);
    expect(() => sw.apply([{ ...vni, header }])).toThrow(/no room for another VNI/);
  });
});
