/** For any input the engine does not throw, and its counters balance. */
import { describe, expect, it } from 'vitest';
import { FLAG_STATIC } from '../../../src/fdb/table.js';
import { KIND_FRAME } from '../../../src/port/packet-io.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { seededRandom } from '../../fdb/table-inspection.js';
import { A, B, BROADCAST, C, D, frame, MULTICAST, packet } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';

const PEERS = ['192.0.2.1', '192.0.2.2', '2001:db8::3', '198.51.100.9'];
const MACS = [A, B, C, D, BROADCAST, MULTICAST, '01:80:c2:00:00:0e', '00:00:00:00:00:00'];
const ETHERTYPES = [0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806, 0x88b5, 0x0004];

type Random = (below: number) => number;

/** One port of every kind and with every option, so that garbage meets each branch. */
function everything(): TestSwitch {
  return new TestSwitch(
    {
      br0: {
        filtering: true,
        ageingSeconds: 2,
        maxLearned: 40,
        ports: {
          access: { type: 'tap', vlans: ['2 pvid untagged'], fdb: [{ mac: D, vlan: 2, flags: FLAG_STATIC }] },
          trunk: { type: 'tap', vlans: ['1 pvid untagged', '2', '3'] },
          'no-pvid': { type: 'tap', vlans: ['3'], isolated: true },
          locked: { type: 'tap', vlans: ['2 pvid'], locked: true },
          tunnel: {
            type: 'vxlan',
            vlans: ['2', '3'],
            tunnel: { 2: 200, 3: 300 },
            remotes: PEERS.slice(0, 2),
            keepInnerVlan: true,
            pins: [{ mac: MULTICAST, vlan: 2, dst: [PEERS[2]] }],
          },
        },
      },
      br1: {
        ports: {
          plain: { type: 'tap', mtu: 1280 },
          quiet: { type: 'tap', off: ['flood', 'bcast_flood', 'learning'] },
          single: { type: 'vxlan', vni: 42, remotes: PEERS.slice(0, 1), acceptAny: true, tos: -1, mac: C },
          strict: { type: 'vxlan', vni: 43, remotes: PEERS.slice(0, 3), dropReserved: true },
        },
      },
    },
    { fdbCapacity: 48, maxCommands: 64, senders: 4 },
  );
}

const TAPS = ['access', 'trunk', 'no-pvid', 'locked', 'plain', 'quiet'];
const VXLANS = ['tunnel', 'single', 'strict'];
const VNIS = [200, 300, 42, 43, 0, 0xffffff];

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random(list.length)];
}

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random(256));
}

/** A sound frame: of any protocol, tagged or not, finished or not. */
function soundFrame(random: Random): Uint8Array {
  const tag = random(2) === 0 ? {} : { tci: random(8) * 0x2000 + random(5) };
  const addresses = { source: pick(random, MACS), destination: pick(random, MACS), ...tag };
  const payload = randomBytes(random, random(100));
  if (random(3) === 0) return frame({ ...addresses, etherType: pick(random, ETHERTYPES), payload });
  return packet({
    ...addresses,
    version: pick(random, [4, 6] as const),
    protocol: pick(random, ['tcp', 'udp'] as const),
    checksum: pick(random, ['complete', 'partial', 'zero'] as const),
    data: pick(random, [0, 1, 33, 1400, 3000]),
    tos: random(256),
  });
}

/** The same with some bytes changed, most of them in the headers, and perhaps cut off or longer. */
function mutated(random: Random, sound: Uint8Array): Uint8Array {
  const length = random(4) === 0 ? random(sound.length + 1) : sound.length + (random(4) === 0 ? random(64) : 0);
  const bytes = new Uint8Array(length);
  bytes.set(sound.subarray(0, length));
  for (let left = random(6); left > 0 && length > 0; left--) bytes[random(Math.min(length, 80))] = random(256);
  return bytes;
}

function anyBytes(random: Random): Uint8Array {
  switch (random(4)) {
    case 0:
      return soundFrame(random);
    case 1:
      return randomBytes(random, random(120));
    default:
      return mutated(random, soundFrame(random));
  }
}

function anyOffload(random: Random): { vnet: number; gso: number; csum: number } {
  if (random(2) === 0) return { vnet: 0, gso: 0, csum: 0 };
  const near = random(2) === 0;
  const word = (small: number) => random(near ? small : 0x10000);
  const kind = near ? pick(random, [0, 1, 4, 5, 0x81, 3]) : random(256);
  return {
    vnet: (near ? random(2) : random(256)) | (kind << 8),
    gso: word(1500) | (word(80) << 16),
    csum: word(80) | (word(20) << 16),
  };
}

function put(sw: TestSwitch, random: Random): void {
  if (random(2) === 0) {
    sw.inject(pick(random, TAPS), anyBytes(random), anyOffload(random));
    return;
  }
  const inner = anyBytes(random);
  const header = encodeVxlan(pick(random, VNIS), inner);
  const payload = random(4) === 0 ? mutated(random, header) : header;
  sw.injectDatagram(pick(random, VXLANS), pick(random, PEERS), payload, { tos: random(256) });
}

describe('20,000 random and mutated frames and datagrams', () => {
  const BATCHES = 100;
  const BATCH = 200;
  const seed = Number(process.env.GARBAGE_SEED ?? 1);

  it(`no exception, and the accounts balance after each batch (GARBAGE_SEED=${seed})`, () => {
    const random = seededRandom(seed);
    const sw = everything();
    let out = 0;
    for (let batch = 0; batch < BATCHES; batch++) {
      for (let i = 0; i < BATCH; i++) put(sw, random);
      if (random(10) === 0) sw.io.faults.set((KIND_FRAME << 16) | random(6), pick(random, [5, 11, 22, 90]));
      else if (random(5) === 0) sw.io.faults.clear();
      sw.io.advance(random(700));
      out += sw.turn().out.length;
    }
    // The garbage got everywhere: frames came out, and every reason on the path was met.
    expect(out).toBeGreaterThan(BATCHES * BATCH * 0.1);
    const reasons = new Set([...sw.drops().keys()].map((name) => name.split(' ')[1]));
    for (const reason of [
      'frame_too_short',
      'vxlan_too_short',
      'vxlan_flag_missing',
      'vxlan_reserved_bits',
      'vni_unknown',
      'vtep_unknown',
      'vlan_not_allowed',
      'no_pvid',
      'source_mac_invalid',
      'source_is_own',
      'link_local',
      'same_port',
      'locked_port',
      'mtu_exceeded',
      'offload_invalid',
      'ecn_invalid',
    ]) {
      expect(reasons, `no frame was dropped as ${reason}`).toContain(reason);
    }
  });
});
