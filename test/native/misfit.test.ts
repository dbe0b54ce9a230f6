import { afterEach, describe, expect, test } from 'vitest';
import * as L from '../../src/port/packet-io.js';
import { cleanUp, command, makeNamespace, outcome, put, random, receiveSome, tapIn } from './native-testbed.js';
import { build, type Packet, UDP } from './packets.js';
import { FRAME, loopback, offload, randomSuperframe } from './superframes.js';

afterEach(cleanUp);

describe('an offload header that does not fit its frame', () => {
  const tcp = build({ payload: Buffer.alloc(3000), checksum: 'open' });
  const udp = build({ protocol: UDP, payload: Buffer.alloc(3000), checksum: 'open' });
  const right = offload(tcp, 1000, false);
  const type = (gso: number) => ({ TX_VNET: L.VNET_NEEDS_CSUM | (gso << 8) });
  const edit = (packet: Packet, change: (bytes: Buffer, packet: Packet) => void): Packet => {
    const bytes = Buffer.from(packet.bytes);
    change(bytes, packet);
    return { ...packet, bytes };
  };
  const cases: [string, Packet, Partial<ReturnType<typeof offload>> & { TX_TAG?: number }][] = [
    ['no segment size', tcp, { TX_GSO: 0 }],
    ['more than 4,096 segments', build({ payload: Buffer.alloc(4097), checksum: 'open' }), { TX_GSO: 1 }],
    ['IPv6 said of IPv4', tcp, type(L.VNET_GSO_TCPV6)],
    ['UDP said of TCP', tcp, type(L.VNET_GSO_UDP_L4)],
    ['TCP said of UDP', udp, { TX_CSUM: offload(udp, 1, false).TX_CSUM }],
    ['a kind that no one knows', tcp, type(3)],
    ['a checksum elsewhere', tcp, { TX_CSUM: right.TX_CSUM + 2 }],
    ['the checksum of UDP', tcp, { TX_CSUM: tcp.l4 | (6 << 16) }],
    ['a TCP header too short', edit(tcp, (bytes) => bytes.writeUInt8(0x40, tcp.l4 + 12)), {}],
    [
      'a TCP header past the end',
      edit(build({ payload: Buffer.alloc(8), checksum: 'open' }), (bytes) => bytes.writeUInt8(0xf0, tcp.l4 + 12)),
      {},
    ],
    ['an IP header too short', edit(tcp, (bytes) => bytes.writeUInt8(0x44, tcp.l3)), {}],
    ['an IP packet longer than the frame', edit(tcp, (bytes) => bytes.writeUInt16BE(9999, tcp.l3 + 2)), {}],
    ['an IP packet shorter than the frame', edit(tcp, (bytes) => bytes.writeUInt16BE(999, tcp.l3 + 2)), {}],
    ['a fragment', edit(tcp, (bytes) => bytes.writeUInt16BE(0x2000, tcp.l3 + 6)), {}],
    ['a tag popped that is not there', tcp, { TX_TAG: L.TAG_POP }],
    [
      'three tags',
      build({ tags: [1, 2, 3].map((tci) => [0x8100, tci]), payload: Buffer.alloc(3000), checksum: 'open' }),
      { TX_CSUM: (tcp.l4 + 12) | (16 << 16) },
    ],
    [
      'headers without an end',
      build({
        family: 6,
        ipOptions: { first: 60, bytes: Buffer.concat([Buffer.from([6, 135]), Buffer.alloc(1086)]) },
        payload: Buffer.alloc(3000),
        checksum: 'open',
      }),
      { ...type(L.VNET_GSO_TCPV6), TX_CSUM: (14 + 40 + 1088) | (16 << 16) },
    ],
  ];

  test.each(cases)('%s', (_, packet, words) => {
    const { io } = loopback();
    put(io, FRAME, packet.bytes);
    const base = { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_LENGTH: packet.bytes.length, TX_HEADER_LENGTH: 8 };
    command(io, 0, { ...base, ...right, ...words });
    command(io, 1, { ...base, TX_LENGTH: 60 });
    expect(io.transmit(2)).toBe(1);
    expect([outcome(io, 0), outcome(io, 1)]).toEqual([L.OFFLOAD_MISFIT, 0]);
    expect(receiveSome(io)).toBe(1);
  });

  test('and no garbage leads out of the arena (seed 1848)', () => {
    const below = random(1848);
    const ns = makeNamespace();
    const { io } = loopback();
    const bare = tapIn(ns, 'tap0', { vnetHeader: false });
    io.attachTap(0, bare.fd, 0);
    io.attachTap(1, tapIn(ns, 'tap1').fd);
    const end = io.arena.byteLength;
    for (let round = 0; round < 400; round++) {
      const { packet, segment } = randomSuperframe(below, 2000);
      const bytes = packet.bytes;
      for (let i = below(4); i > 0; i--) bytes[12 + below(Math.min(bytes.length - 12, 120))] = below(256);
      const length = below(3) ? bytes.length : below(bytes.length + 1);
      put(io, end - length, bytes.subarray(0, length));
      for (let i = 0; i < 12; i++) {
        const type = [0, 1, 4, 5, 0x81, 0x84, 0x85, below(256)][below(8)];
        command(io, i, {
          TX_KIND: 1 + (i % 2),
          TX_INDEX: i % 4 === 2 ? 1 : 0,
          TX_OFFSET: end - length,
          TX_LENGTH: length,
          TX_TAG: (below(4) << 16) | below(0x10000),
          TX_HEADER_LENGTH: 8,
          TX_VNET: below(2) | (type << 8),
          TX_GSO: (below(4) ? Math.max(segment, 16) : below(0x10000)) | (below(0x10000) << 16),
          TX_CSUM: below(2) ? packet.l4 | (16 << 16) : below(0x7fffffff),
        });
      }
      const failed = io.transmit(12);
      expect(Array.from({ length: 12 }, (_, i) => outcome(io, i)).filter((errno) => errno !== 0)).toHaveLength(failed);
      io.receive(0);
    }
  });
});
