/** For any ARP and ND input the engine does not throw, its counters balance, and bystanders' frames arrive. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../fdb/table-inspection.js';
import { A, B, C, D, EXPERIMENTAL, frame, packet } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';
import {
  advertisement,
  arpReply,
  arpRequest,
  binding,
  OTHER_PEER,
  PEER,
  solicitation,
} from '../support/neigh-frames.js';

type Random = (below: number) => number;

const MACS = [A, B, C, D];
const V4 = ['198.18.0.1', '198.18.0.2', '198.18.0.3', '0.0.0.0', '224.0.0.1'];
const V6 = ['2001:db8::1', '2001:db8::2', '2001:db8::3', 'fe80::1'];
const E = '02:00:00:00:00:e1';
const F = '02:00:00:00:00:e2';

const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)];

function message(random: Random): Uint8Array {
  const source = pick(random, MACS);
  const other = pick(random, MACS);
  const link = random(3) === 0 ? { tci: random(4) * 10 } : {};
  const options = Uint8Array.from({ length: pick(random, [0, 0, 8, 16, 7]) }, () => random(4));
  switch (random(6)) {
    case 0:
      return arpReply(source, pick(random, V4), other, pick(random, V4), link);
    case 1:
      return solicitation(source, pick(random, [...V6, '::']), pick(random, V6), { ...link, options });
    case 2:
      return advertisement(source, pick(random, V6), { ...link, flags: random(8) * 0x20, options });
    case 3:
      return packet({ source, destination: other, destinationAddress: pick(random, V4), ...link });
    case 4:
      return packet({ source, destination: other, version: 6, destinationAddress: pick(random, V6), ...link });
    default:
      return arpRequest(source, pick(random, V4), pick(random, V4), {
        ...link,
        ...(random(3) === 0 ? { destination: other } : {}),
      });
  }
}

/** The same with some bytes changed behind the addresses, and perhaps cut off or longer. */
function mutated(random: Random, sound: Uint8Array): Uint8Array {
  const length = random(5) === 0 ? random(sound.length + 1) : sound.length + (random(5) === 0 ? random(40) : 0);
  const bytes = new Uint8Array(length);
  bytes.set(sound.subarray(0, length));
  for (let left = random(5); left > 0 && length > 12; left--)
    bytes[12 + random(Math.min(length - 12, 90))] = random(256);
  return bytes;
}

function everything(): TestSwitch {
  const vlans = ['10 pvid untagged', '20'];
  const tunnel = { 10: 100, 20: 200 };
  const sw = new TestSwitch(
    {
      br0: {
        filtering: true,
        snooping: true,
        ports: {
          t1: { type: 'tap', vlans },
          t2: { type: 'tap', vlans, neighSuppress: true },
          v1: {
            type: 'vxlan',
            vlans,
            tunnel,
            remotes: [PEER, OTHER_PEER],
            neighSuppress: true,
            rsc: true,
            l3miss: true,
          },
          v2: { type: 'vxlan', vlans, tunnel, peers: [PEER], proxy: true, l2miss: true, l3miss: true },
        },
      },
      br1: {
        ports: {
          t3: { type: 'tap' },
          v3: { type: 'vxlan', vni: 42, remotes: [PEER], proxy: true, rsc: true, l3miss: true, acceptAny: true },
        },
      },
      // The bystanders.
      br2: { ports: { e: { type: 'tap' }, f: { type: 'tap' } } },
    },
    { fdbCapacity: 64, maxCommands: 64 },
  );
  const router = { router: true, vid: 10 };
  sw.apply([binding(sw, 'v1', '198.18.0.2', B, router), binding(sw, 'v1', '2001:db8::2', B, router)]);
  return sw;
}

describe('20,000 random and mutated messages', () => {
  const BATCHES = 100;
  const BATCH = 200;
  const seed = Number(process.env.GARBAGE_SEED ?? 1);

  it(`no exception, the accounts balance after each batch, and bystanders lose nothing (GARBAGE_SEED=${seed})`, () => {
    const random = seededRandom(seed);
    const sw = everything();
    sw.send('f', frame({ source: F, destination: E }));
    let suppressed = 0;
    for (let batch = 0; batch < BATCHES; batch++) {
      for (let i = 0; i < BATCH; i++) {
        const bytes = random(2) === 0 ? message(random) : mutated(random, message(random));
        const offload = random(8) === 0 ? { vnet: 1, csum: 54 | (2 << 16) } : {};
        if (random(2) === 0) sw.inject(pick(random, ['t1', 't2', 't3']), bytes, offload);
        else {
          const [port, vni] = pick(random, [
            ['v1', 100],
            ['v1', 200],
            ['v2', 100],
            ['v3', 42],
          ] as const);
          const header = Uint8Array.of(8, 0, 0, 0, 0, 0, vni, 0);
          const datagram = new Uint8Array(8 + bytes.length);
          datagram.set(header);
          datagram.set(bytes, 8);
          sw.injectDatagram(port, pick(random, [PEER, OTHER_PEER]), datagram);
        }
      }
      sw.inject('e', frame({ source: E, destination: F, etherType: EXPERIMENTAL }));
      sw.io.advance(random(700));
      const { out, drops } = sw.turn();
      expect(out.filter(({ to }) => to === 'f')).toHaveLength(1);
      suppressed += drops.filter((drop) => drop.endsWith(' suppressed')).length;
    }
    // The messages got everywhere: learned, answered, disputed.
    expect(suppressed).toBeGreaterThan(BATCHES);
    expect(sw.context.neigh.counters[1]).toBeGreaterThan(10);
    expect(sw.context.neigh.counters[6]).toBeGreaterThan(0);
  });
});
