import { afterEach, describe, expect, test } from 'vitest';
import * as L from '../../src/port/packet-io.js';
import { cleanUp, command, outcome, put, random } from './native-testbed.js';
import { type Below, build, complete, noise, type Packet, TCP, UDP, withTag } from './packets.js';
import { fragmentSlowly } from './reference-fragment.js';
import { splitSlowly } from './reference-split.js';
import { expectDatagrams, FRAME, loopback, offload, TAGS } from './superframes.js';

afterEach(cleanUp);

/** NOP, record route (not copied), router alert (copied), a stream identifier (copied), a timestamp (not copied), end. */
const OPTIONS = Buffer.from('01070708c0000201940400008804002a4408050000000000'.padEnd(48, '0'), 'hex');

interface Case {
  packet: Packet;
  operation: keyof typeof TAGS;
  tci: number;
  /** Of a superframe: bytes of a segment. */
  segment: number;
  most: number;
}

function randomCase(below: Below): Case {
  const tagged = below(3) === 0;
  const operation = tagged
    ? (['keep', 'pop', 'push', 'replace'] as const)[below(4)]
    : (['keep', 'push'] as const)[below(2)];
  const segment = below(2) === 0 ? 0 : 600 + below(3000);
  const packet = build({
    family: 4,
    protocol: below(2) ? TCP : UDP,
    tags: tagged ? [[0x8100, below(0x10000)]] : [],
    ...(below(2) ? { ipOptions: { first: 0, bytes: OPTIONS } } : {}),
    id: below(0x10000),
    df: false,
    tcpOptions: Buffer.alloc(4 * below(11), 1),
    payload: noise(below, segment === 0 ? 1400 + below(6000) : 3000 + below(50_000)),
    checksum: 'open',
  });
  return { packet, operation, tci: below(0x10000), segment, most: 620 + below(1500) };
}

function write(sw: ReturnType<typeof loopback>['io'], at: number, offset: number, one: Case): void {
  const { packet, operation, tci, segment, most } = one;
  const words = offload(packet, segment, false);
  put(sw, offset, packet.bytes);
  command(sw, at, {
    TX_KIND: L.KIND_UDP,
    TX_OFFSET: offset,
    TX_LENGTH: packet.bytes.length,
    TX_TAG: TAGS[operation] | (operation === 'keep' ? 0 : tci),
    TX_HEADER_LENGTH: 8,
    ...words,
    ...(segment === 0 ? { TX_VNET: L.VNET_NEEDS_CSUM, TX_GSO: 0 } : {}),
    TX_TOS: most << L.TX_FRAGMENT_SHIFT,
  });
}

function wanted({ packet, operation, tci, segment, most }: Case): Buffer[] {
  const whole = { ...packet, bytes: Buffer.from(packet.bytes) };
  if (segment === 0) complete(whole);
  const packets = segment === 0 ? [whole.bytes] : splitSlowly(packet, segment);
  return packets.flatMap((bytes) => fragmentSlowly(withTag(bytes, operation, tci), most));
}

describe('packets that are too long for a tunnel', () => {
  test('are divided as the slow reference does it: options, tags, superframes, open checksums', () => {
    const seed = 19810901;
    const below = random(seed);
    const { io } = loopback({ gro: true });
    for (let round = 0; round < 60; round++) {
      const cases = Array.from({ length: 1 + below(3) }, () => randomCase(below));
      let offset = FRAME;
      cases.forEach((one, i) => {
        write(io, i, offset, one);
        offset += one.packet.bytes.length + below(5);
      });
      expect(io.transmit(cases.length), `seed ${seed}, round ${round}`).toBe(0);
      expectDatagrams(io, cases.flatMap(wanted), `seed ${seed}, round ${round}`);
    }
  }, 60_000);

  test('which are fragments go on where they were cut, and the last one stays the last', () => {
    const { io } = loopback();
    const packet = build({ family: 4, protocol: UDP, df: false, payload: noise(random(3), 1400) });
    const [first, second, third] = fragmentSlowly(packet.bytes, 14 + 20 + 600);
    expect(third).toBeDefined();
    const one = (bytes: Buffer): void => {
      put(io, FRAME, bytes);
      const length = bytes.length;
      command(io, 0, {
        TX_KIND: L.KIND_UDP,
        TX_OFFSET: FRAME,
        TX_LENGTH: length,
        TX_HEADER_LENGTH: 8,
        TX_TOS: 560 << 8,
      });
      expect(io.transmit(1)).toBe(0);
      expectDatagrams(io, fragmentSlowly(bytes, 560), 'a fragment');
    };
    for (const bytes of [first, second, third]) one(bytes);
  });

  test('are refused with DF, without IPv4, and where a fragment would hold next to nothing', () => {
    const { io } = loopback();
    const errno = (packet: Packet, most: number): number => {
      put(io, FRAME, packet.bytes);
      const length = packet.bytes.length;
      command(io, 0, {
        TX_KIND: L.KIND_UDP,
        TX_OFFSET: FRAME,
        TX_LENGTH: length,
        TX_HEADER_LENGTH: 8,
        TX_TOS: most << 8,
      });
      io.transmit(1);
      return outcome(io, 0);
    };
    const payload = noise(random(4), 1400);
    expect(errno(build({ family: 4, protocol: UDP, df: true, payload }), 1000)).toBe(90);
    expect(errno(build({ family: 6, protocol: UDP, payload }), 1000)).toBe(L.OFFLOAD_MISFIT);
    expect(errno(build({ family: 4, protocol: UDP, df: false, payload }), 500)).toBe(90);
    expect(errno(build({ family: 4, protocol: UDP, df: false, payload }), 10)).toBe(90);
  });
});
