/** The last dropped frames: which are kept, with which bytes and facts; many of them; a reader beside the writer. */
import { describe, expect, it } from 'vitest';
import {
  DROP_BYTES,
  DROP_SLOTS,
  DROPPED_IN,
  DROPPED_OUT,
  type DroppedFrame,
  DropReader,
  DropRing,
} from '../../../src/dataplane/state/drop-ring.js';
import { DROP_REASONS, type DropReason, REASON } from '../../../src/dataplane/state/drop-reasons.js';
import { fromHex, toHex, viewOf } from '../../../src/wire/bytes.js';
import { formatAddress } from '../../../src/wire/ip-address.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { A, B, BROADCAST, bytes, C, frame, MULTICAST } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';

const [R1, STRANGER] = ['192.0.2.1', '203.0.113.9'];
const NOW = 1_700_000_000_123;

function makeSwitch(): { sw: TestSwitch; reader: DropReader } {
  const sw = new TestSwitch({
    br0: {
      filtering: true,
      ports: {
        tap1: { type: 'tap', vlans: ['10 pvid untagged'] },
        trunk: { type: 'tap', vlans: ['10', '20'] },
        down: { type: 'tap', vlans: ['10 pvid untagged'], off: ['up'] },
        locked: { type: 'tap', vlans: ['10 pvid untagged'], locked: true },
        lone: { type: 'tap', vlans: ['30 pvid untagged'] },
        vx: {
          type: 'vxlan',
          vlans: ['10', '20', '30'],
          tunnel: { 10: 1010, 20: 1020 },
          remotes: [R1],
          fdb: [{ mac: C, vlan: 10, dst: R1 }],
        },
      },
    },
  });
  return { sw, reader: new DropReader([sw.context.drops.memory]) };
}

interface Case {
  port: string;
  /** Default: DROPPED_IN. */
  direction?: number;
  /** The frame that is kept; default: the one that was sent. */
  kept?: Uint8Array;
  vid?: number;
  vni?: number;
  remote?: string;
  send(sw: TestSwitch): unknown;
}

const sent = (port: string, given: Uint8Array) => (sw: TestSwitch) => {
  sw.send(port, given);
  return given;
};
const tunnelled = (from: string, vni: number, given: Uint8Array) => (sw: TestSwitch) => {
  sw.tunnel('vx', from, vni, given);
  return given;
};

const CASES: Partial<Record<DropReason, Case>> = {
  frame_too_short: { port: 'tap1', send: sent('tap1', bytes(13)) },
  vxlan_too_short: {
    port: 'vx',
    kept: new Uint8Array(0),
    remote: R1,
    send: (sw) => void sw.receive('vx', R1, bytes(7)),
  },
  vxlan_flag_missing: {
    port: 'vx',
    remote: R1,
    kept: frame(),
    send(sw) {
      const datagram = encodeVxlan(1010, frame());
      datagram[0] = 0;
      sw.receive('vx', R1, datagram);
    },
  },
  vni_unknown: { port: 'vx', vni: 77, remote: R1, send: tunnelled(R1, 77, frame()) },
  vtep_unknown: { port: 'vx', vni: 1010, remote: STRANGER, send: tunnelled(STRANGER, 1010, frame()) },
  inner_vlan_tagged: { port: 'vx', vni: 1010, remote: R1, send: tunnelled(R1, 1010, frame({ tci: 5 })) },
  vlan_not_allowed: { port: 'tap1', vid: 20, send: sent('tap1', frame({ tci: 20 })) },
  no_pvid: { port: 'trunk', send: sent('trunk', frame()) },
  source_mac_invalid: { port: 'tap1', send: sent('tap1', frame({ source: MULTICAST })) },
  link_local: { port: 'tap1', vid: 10, send: sent('tap1', frame({ destination: '01:80:c2:00:00:0e' })) },
  port_down: { port: 'down', send: sent('down', frame()) },
  locked_port: { port: 'locked', vid: 10, send: sent('locked', frame()) },
  no_destination: { port: 'lone', vid: 30, send: sent('lone', frame({ destination: BROADCAST })) },
  offload_invalid: {
    port: 'tap1',
    send(sw) {
      sw.send('tap1', frame(), { vnet: 1, csum: 0xffff });
      return frame();
    },
  },
  ecn_invalid: {
    port: 'vx',
    vid: 10,
    vni: 1010,
    remote: R1,
    send(sw) {
      const inner = frame({ etherType: 0x0800, payload: fromHex(`4500 0014 0000 0000 40 11 0000 0a000001 0a000002`) });
      sw.tunnel('vx', R1, 1010, inner, { tos: 3 });
      return inner;
    },
  },
  mtu_exceeded: {
    port: 'tap1',
    direction: DROPPED_OUT,
    vid: 10,
    send(sw) {
      sw.send('tap1', frame({ source: A, destination: BROADCAST }));
      const long = frame({ source: B, destination: A, payload: bytes(1600) });
      sw.tunnel('vx', R1, 1010, long);
      return long;
    },
  },
};

const only = (list: DroppedFrame[]): DroppedFrame => {
  expect(list).toHaveLength(1);
  return list[0];
};

describe('a dropped frame is kept with what is known of it', () => {
  it.each(Object.entries(CASES))(
    '%s',
    (name, { port, direction = DROPPED_IN, kept, vid = 0, vni = 0, remote, send }) => {
      const { sw, reader } = makeSwitch();
      const whole = kept ?? send(sw);
      if (kept !== undefined) send(sw);
      if (!(whole instanceof Uint8Array)) throw new Error('the case names no frame');
      const reason = DROP_REASONS.indexOf(name as DropReason);
      const found = only(reader.list(reason));
      expect(found).toMatchObject({ reason, engine: 0, number: 1, direction, port: sw.port(port), vid, vni });
      expect(found.remote === null ? undefined : formatAddress(...found.remote)).toBe(remote);
      expect(found.length).toBe(whole.length);
      expect(toHex(found.bytes)).toBe(toHex(whole.subarray(0, DROP_BYTES)));
      expect(reader.list()).toEqual([found]);
    },
  );

  it('a copy that the kernel refuses, with its remote and VNI', () => {
    const { sw, reader } = makeSwitch();
    const errno = 1; // EPERM
    sw.io.faults.set((2 << 16) | 0, errno);
    const given = frame({ destination: C });
    expect(sw.send('tap1', given).drops).toEqual(['vx tx_error']);
    const found = only(reader.list(REASON.tx_error));
    expect(found).toMatchObject({
      direction: DROPPED_OUT,
      port: sw.port('vx'),
      vid: 10,
      vni: 1010,
      length: given.length,
    });
    expect(formatAddress(...(found.remote as [number, number, number, number]))).toBe(R1);
    expect(toHex(found.bytes)).toBe(toHex(given));
  });

  it('a port that is deleted takes its frames along, and no others', () => {
    const { sw, reader } = makeSwitch();
    sw.send('trunk', frame());
    sw.send('down', frame());
    sw.apply(sw.topology.removePort('trunk'));
    expect(only(reader.list()).port).toBe(sw.port('down'));
  });

  it('nothing is written while nothing is dropped', () => {
    const { sw } = makeSwitch();
    sw.tunnel('vx', R1, 1010, frame({ source: B, destination: BROADCAST }));
    sw.send('tap1', frame({ destination: B }));
    sw.send('tap1', frame({ destination: BROADCAST }));
    expect(new Int32Array(sw.context.drops.memory).every((word) => word === 0)).toBe(true);
  });
});

describe('of many drops', () => {
  const view = viewOf(bytes(200));
  const drop = (ring: DropRing, reason: number, tick: number, length = 60, clock = 0): boolean => {
    const admitted = ring.admits(reason, tick);
    if (admitted) ring.keep(clock, reason, DROPPED_IN, 1, 0, 0, view, 0, length);
    return admitted;
  };

  it('the last of each reason are kept; a flood of one reason pushes no other out', () => {
    const ring = new DropRing(undefined, () => NOW);
    const reader = new DropReader([ring.memory]);
    drop(ring, REASON.no_pvid, 0);
    for (let tick = 0; tick < 10; tick++) for (let n = 0; n < 7; n++) drop(ring, REASON.link_local, tick);
    expect(reader.list(REASON.no_pvid).map(({ number, time }) => [number, time])).toEqual([[1, NOW]]);
    const numbers = reader.list(REASON.link_local).map(({ number }) => number);
    expect(numbers).toEqual(Array.from({ length: DROP_SLOTS }, (_, at) => 70 - DROP_SLOTS + 1 + at));
  });

  it('a tick keeps a ringful; the next kept one has its number among all', () => {
    const ring = new DropRing(undefined, () => NOW);
    const admitted = Array.from({ length: 1000 }, () => drop(ring, REASON.no_pvid, 5)).filter(Boolean).length;
    expect(admitted).toBe(DROP_SLOTS);
    drop(ring, REASON.no_pvid, 6);
    expect(ring.count(REASON.no_pvid)).toBe(1001);
    expect(new DropReader([ring.memory]).list().at(-1)?.number).toBe(1001);
  });

  it('of a long frame the beginning is kept, and its length', () => {
    const ring = new DropRing();
    drop(ring, REASON.no_pvid, 0, 200);
    const found = only(new DropReader([ring.memory]).list());
    expect([found.length, toHex(found.bytes)]).toEqual([200, toHex(bytes(DROP_BYTES))]);
  });

  it('those of several engines are listed by time', () => {
    let now = NOW;
    const rings = [new DropRing(undefined, () => now), new DropRing(undefined, () => now)];
    for (const at of [1, 0, 1]) {
      drop(rings[at], REASON.no_pvid, 0, 60, now - NOW);
      now++;
    }
    expect(new DropReader(rings.map(({ memory }) => memory)).list().map(({ engine }) => engine)).toEqual([1, 0, 1]);
  });
});

describe('the time of a drop', () => {
  it('follows the clock of the engine, and the wall clock every 100 ms, also over a second and where the clock wraps', () => {
    let now = NOW + 800;
    const ring = new DropRing(undefined, () => now);
    const timeAt = (clock: number): number => {
      ring.admits(REASON.no_pvid, clock);
      ring.keep(clock, REASON.no_pvid, DROPPED_IN, 1, 0, 0, viewOf(bytes(60)), 0, 60);
      return Math.max(...new DropReader([ring.memory]).list().map(({ time }) => time));
    };
    expect(timeAt(0x7fffffff - 9)).toBe(NOW + 800);
    now = NOW + 5000; // not read yet
    expect(timeAt(0x7fffffff)).toBe(NOW + 809);
    expect(timeAt(80)).toBe(NOW + 890);
    expect(timeAt(89)).toBe(NOW + 899);
    expect(timeAt(90)).toBe(NOW + 5000);
  });
});

describe('a row that is being written', () => {
  it('is not listed; the others are', () => {
    const ring = new DropRing();
    for (const reason of [REASON.no_pvid, REASON.port_down]) {
      if (ring.admits(reason, 0)) ring.keep(0, reason, DROPPED_IN, 1, 0, 0, viewOf(bytes(60)), 0, 60);
    }
    const words = new Int32Array(ring.memory);
    const version = (words.length / DROP_REASONS.length) * REASON.no_pvid;
    words[version] |= 1; // as if its writer had stopped there
    expect(new DropReader([ring.memory]).list().map(({ reason }) => reason)).toEqual([REASON.port_down]);
  });
});
