/** Frames longer than their path or egress port allows: dropped, counted, and answered once. */
import { describe, expect, it } from 'vitest';
import {
  VNET_GSO_ECN,
  VNET_GSO_TCPV4,
  VNET_GSO_TCPV6,
  VNET_GSO_UDP_L4,
  VNET_NEEDS_CSUM,
} from '../../../src/port/packet-io.js';
import { concatBytes, fromHex, toHex, viewOf } from '../../../src/wire/bytes.js';
import { A, B, BROADCAST, C, frame, MULTICAST, type PacketFields, packet, transportOffset } from '../support/frames.js';
import { TestSwitch, type VxlanSpec } from '../support/harness.js';
import { OTHER, PEER, plain, setMtu, sized, told, V6_PEER } from '../support/narrow-path.js';

const SWAPPED = '02000000000a02000000000b';

describe('a frame that is longer than the path to its remote carries', () => {
  it('IPv4 with DF: answered, byte for byte', () => {
    const sw = setMtu(plain(), 136);
    const data =
      '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d';
    const ip = `4500005a000040004011ae6bc6120001c61200029c40138900461dac${data}`;
    const turn = sw.send('t1', fromHex(`02000000000b02000000000a0800${ip}`));
    expect(turn.drops).toEqual(['vx mtu_exceeded']);
    expect(turn.out.map(({ to, frame: bytes }) => [to, toHex(bytes)])).toEqual([
      [
        't1',
        `02000000000a02000000000b0800 45000076000040004001ae5fc6120002c6120001 0304892500000056 ${ip}`.replaceAll(
          ' ',
          '',
        ),
      ],
    ]);
    expect(turn.out[0]).toMatchObject({ vnet: 0, gso: 0, csum: 0 });
  });

  it.each(['8100000581000006', '88a8000581000006'])(
    'with the tags %s: answered with both, the MTU that is left',
    (tags) => {
      const long = sized(1400);
      const tagged = concatBytes(long.subarray(0, 12), fromHex(tags), long.subarray(12));
      const { out, drops } = setMtu(plain(), 1400).send('t1', tagged);
      expect(drops).toEqual(['vx mtu_exceeded']);
      const answer = toHex(out[0].frame);
      expect(answer.slice(0, 88)).toBe(`${SWAPPED}${tags}080045000240000040004001ac95c6120002c61200010304`);
      // Of the ICMP message: 8 bytes less than without tags.
      expect(answer.slice(92, 100)).toBe('0000053e');
    },
  );

  it('IPv6: 1280 bytes of answer, the MTU that is left', () => {
    const long = sized(1351, { version: 6 });
    const { out, drops } = setMtu(plain(), 1400).send('t1', long);
    expect(drops).toEqual(['vx mtu_exceeded']);
    expect(out).toHaveLength(1);
    expect(out[0].frame).toHaveLength(14 + 1280);
    expect(toHex(out[0].frame.subarray(0, 62))).toBe(
      `${SWAPPED}86dd${'6000000004d83a40'}20010db800000000000000000000000220010db8000000000000000000000001${'0200a2a300000546'}`,
    );
    expect(out[0].frame.subarray(62)).toEqual(long.subarray(14, 14 + 1232));
  });

  it.each([
    [PEER, 4, 1350],
    [PEER, 6, 1350],
    [V6_PEER, 4, 1330],
    [V6_PEER, 6, 1330],
  ] as const)('to %s, inner IPv%i: %i bytes pass and one more does not', (address, version, most) => {
    const sw = setMtu(plain({ remotes: [address] }), 1400, address);
    expect(sw.send('t1', sized(most, { version })).to).toEqual([`vx>${address}`]);
    const { out, drops } = sw.send('t1', sized(most + 1, { version }));
    expect(drops).toEqual(['vx mtu_exceeded']);
    expect(out.map((one) => told(one))).toEqual([
      { to: 't1', link: `${SWAPPED}${version === 4 ? '0800' : '86dd'}`, ...TYPES[version], mtu: most },
    ]);
  });

  it('passes where the MTU is not known: before it is told, and when it is told to be 0', () => {
    const sw = plain();
    expect(sw.send('t1', sized(1500)).to).toEqual([`vx>${PEER}`]);
    setMtu(setMtu(sw, 1400), 0);
    expect(sw.send('t1', sized(1500)).to).toEqual([`vx>${PEER}`]);
  });

  it('is limited for that remote alone', () => {
    const sw = setMtu(
      plain({
        remotes: [OTHER, PEER],
        fdb: [
          { mac: B, dst: OTHER },
          { mac: C, dst: PEER },
        ],
      }),
      1400,
    );
    expect(sw.send('t1', sized(1450)).to).toEqual([`vx>${OTHER}`]);
    expect(sw.send('t1', sized(1450, { destination: C })).drops).toEqual(['vx mtu_exceeded']);
  });
});

const TYPES = { 4: { type: 3, code: 4 }, 6: { type: 2, code: 0 } } as const;

describe('tags', () => {
  it('that are payload count, and come along with the answer', () => {
    const sw = setMtu(plain(), 1400);
    expect(sw.send('t1', sized(1346, { tci: 0x6007 })).to).toEqual([`vx>${PEER}`]);
    const long = sized(1347, { tci: 0x6007 });
    const { out, drops } = sw.send('t1', long);
    expect(drops).toEqual(['vx mtu_exceeded']);
    expect(told(out[0], true)).toEqual({ to: 't1', link: `${SWAPPED}810060070800`, ...TYPES[4], mtu: 1346 });
    expect(out[0].frame.subarray(46)).toEqual(long.subarray(18, 18 + 548));
  });

  const filtering = (spec: Partial<VxlanSpec>): TestSwitch =>
    setMtu(
      new TestSwitch({
        br0: {
          filtering: true,
          ports: {
            access: { type: 'tap', vlans: ['2 pvid untagged'], mtu: 1500 },
            trunk: { type: 'tap', vlans: ['2'], mtu: 1500 },
            vx: { type: 'vxlan', vlans: ['2'], remotes: [PEER], fdb: [{ mac: B, vlan: 2, dst: PEER }], ...spec },
          },
        },
      }),
      1400,
    );

  it.each([4, 6] as const)('that are popped into the tunnel do not count, IPv%i', (version) => {
    const sw = filtering({ tunnel: { 2: 200 } });
    const type = version === 4 ? '0800' : '86dd';
    for (const [port, fields] of [
      ['access', { version }],
      ['trunk', { version, tci: 0xa002 }],
    ] as const) {
      expect(sw.send(port, sized(1350, fields)).to).toEqual([`vx>${PEER}`]);
      const long = sized(1351, fields);
      const { out, drops } = sw.send(port, long);
      expect(drops).toEqual(['vx mtu_exceeded']);
      const trunk = port === 'trunk';
      const link = `${SWAPPED}${trunk ? '81000002' : ''}${type}`;
      expect(out.map((one) => told(one, trunk))).toEqual([{ to: port, link, ...TYPES[version], mtu: 1350 }]);
      const quote = (trunk ? 18 : 14) + (version === 4 ? 28 : 48);
      expect(toHex(out[0].frame.subarray(quote))).toBe(
        toHex(long.subarray(trunk ? 18 : 14).subarray(0, version === 4 ? 548 : 1232)),
      );
    }
  });

  it('that are pushed into the tunnel count', () => {
    const sw = filtering({ vni: 42 });
    expect(sw.send('access', sized(1346)).to).toEqual([`vx>${PEER}`]);
    const { out, drops } = sw.send('access', sized(1347));
    expect(drops).toEqual(['vx mtu_exceeded']);
    expect(out.map((one) => told(one))).toEqual([{ to: 'access', link: `${SWAPPED}0800`, ...TYPES[4], mtu: 1346 }]);
  });
});

describe('a superframe is judged by its segments', () => {
  const csum = (fields: PacketFields): number => transportOffset(fields) | ((fields.protocol === 'udp' ? 6 : 16) << 16);
  const offload = (fields: PacketFields, type: number, segment: number) => ({
    vnet: VNET_NEEDS_CSUM | (type << 8),
    gso: segment,
    csum: csum(fields),
  });

  it.each<[string, PacketFields, number, number]>([
    ['TCP over IPv4', {}, VNET_GSO_TCPV4, 1310],
    ['TCP over IPv4 with ECN', {}, VNET_GSO_TCPV4 | VNET_GSO_ECN, 1310],
    ['TCP over IPv6', { version: 6 }, VNET_GSO_TCPV6, 1290],
    ['UDP over IPv4', { protocol: 'udp' }, VNET_GSO_UDP_L4, 1322],
    ['UDP over IPv6', { protocol: 'udp', version: 6 }, VNET_GSO_UDP_L4, 1302],
    ['TCP over IPv4 behind a tag', { tci: 7 }, VNET_GSO_TCPV4, 1306],
  ])('%s', (_name, kind, type, most) => {
    const sw = setMtu(plain(), 1400);
    const fields: PacketFields = { ...kind, data: 20_000, checksum: 'partial', df: true };
    const open = packet(fields);
    expect(sw.send('t1', open, offload(fields, type, most)).to).toEqual([`vx>${PEER}`]);
    const { out, drops } = sw.send('t1', open, offload(fields, type, most + 1));
    expect(drops).toEqual(['vx mtu_exceeded']);
    const tagged = fields.tci !== undefined;
    expect(out.map((one) => told(one, tagged))).toMatchObject([
      { to: 't1', ...TYPES[fields.version ?? 4], mtu: tagged ? 1346 : 1350 },
    ]);
    // The checksum is quoted as it was left: it is the sender's own.
    const l3 = tagged ? 18 : 14;
    const [quote, size] = fields.version === 6 ? [48, 1232] : [28, 548];
    expect(toHex(out[0].frame.subarray(l3 + quote))).toBe(toHex(open.subarray(l3, l3 + size)));
  });

  it('which are no longer than the frame itself', () => {
    const fields: PacketFields = { data: 1300, checksum: 'partial', df: true };
    const turn = setMtu(plain(), 1400).send('t1', packet(fields), offload(fields, VNET_GSO_TCPV4, 1400));
    expect(turn.to).toEqual([`vx>${PEER}`]);
  });

  it('and their TCP options', () => {
    const fields: PacketFields = { data: 5000, checksum: 'partial', df: true };
    const open = packet(fields);
    viewOf(open).setUint8(14 + 20 + 12, 8 << 4); // the first 12 bytes of data are options now
    const sw = setMtu(plain(), 1400);
    expect(sw.send('t1', open, offload(fields, VNET_GSO_TCPV4, 1298)).to).toEqual([`vx>${PEER}`]);
    expect(sw.send('t1', open, offload(fields, VNET_GSO_TCPV4, 1299)).drops).toEqual(['vx mtu_exceeded']);
  });

  it('a header that points near the end is for the PacketIo to refuse', () => {
    const bytes = packet({ data: 5000, df: true });
    const gso = { vnet: VNET_NEEDS_CSUM | (VNET_GSO_TCPV4 << 8), gso: 1000, csum: (bytes.length - 2) | (0 << 16) };
    expect(setMtu(plain(), 1400).send('t1', bytes, gso).to).toEqual([`vx>${PEER}`]);
  });
});

describe("a frame that is longer than a TAP's MTU", () => {
  it('from a TAP: answered there', () => {
    const sw = plain();
    sw.send('t2', frame({ source: C, destination: A }));
    const { out, drops } = sw.send('t1', sized(1100, { destination: C }));
    expect(drops).toEqual(['t2 mtu_exceeded']);
    const link = '02000000000a02000000000c0800';
    expect(out.map((one) => told(one))).toEqual([{ to: 't1', link, ...TYPES[4], mtu: 1000 }]);
  });

  it.each([4, 6] as const)('from a remote: answered into the tunnel, to that remote, inner IPv%i', (version) => {
    const sw = plain({ remotes: [PEER, OTHER], fdb: [] }, 1300);
    sw.send('t1', frame({ source: A, destination: BROADCAST }));
    const fields: PacketFields = { version, source: B, destination: A };
    const { out, drops } = sw.tunnel('vx', OTHER, 42, sized(1400, fields));
    expect(drops).toEqual(['t1 mtu_exceeded']);
    const link = `02000000000b02000000000a${version === 4 ? '0800' : '86dd'}`;
    expect(out.map((one) => told(one))).toEqual([{ to: `vx>${OTHER}`, link, ...TYPES[version], mtu: 1300 }]);
    expect(toHex(out[0].header)).toBe('0800000000002a00');
  });

  it('an answer that does not fit the path itself is dropped, and not answered', () => {
    const sw = plain({ fdb: [] }, 1300);
    sw.send('t1', frame({ source: A, destination: BROADCAST }));
    setMtu(sw, 600); // leaves 550 for the answer's 576
    const { out, drops } = sw.tunnel('vx', PEER, 42, sized(1400, { source: B, destination: A }));
    expect(out).toEqual([]);
    expect(drops).toEqual(['t1 mtu_exceeded', 'vx mtu_exceeded']);
  });
});

describe('counted, and not answered', () => {
  const narrow = (): TestSwitch => setMtu(plain(), 1400);

  it.each<[string, Uint8Array]>([
    ['IPv4 without DF', packet({ protocol: 'udp', data: 1400 })],
    ['what is not IP', frame({ payload: new Uint8Array(1400) })],
    [
      'three tags',
      frame({ tci: 5, etherType: 0x8100, payload: concatBytes(fromHex('0006810000070800'), sized(1400).subarray(14)) }),
    ],
    ['a source that is no host', sized(1400, { sourceAddress: '0.0.0.0' })],
    ['an IPv6 source that is none', sized(1400, { version: 6, sourceAddress: '::' })],
    ['an IP destination that is a group', sized(1400, { destinationAddress: '239.1.1.1' })],
  ])('%s', (_name, bytes) => {
    const turn = narrow().send('t1', bytes);
    expect(turn).toMatchObject({ out: [], drops: ['vx mtu_exceeded'] });
  });

  it.each([BROADCAST, MULTICAST])('a frame to %s', (destination) => {
    const { out, drops } = narrow().send('t1', sized(1400, { destination }));
    expect(out).toEqual([]);
    expect(drops).toEqual(['t2 mtu_exceeded', 'vx mtu_exceeded']);
  });
});

describe('one answer a frame, however many copies', () => {
  it('with the least MTU that a copy has met; copies that fit go their way', () => {
    const sw = plain({ remotes: [PEER, OTHER, V6_PEER], fdb: [] });
    setMtu(setMtu(sw, 1400), 1380, V6_PEER);
    const { out, drops, to } = sw.send('t1', sized(1400, { destination: C }));
    expect(drops).toEqual(['t2 mtu_exceeded', 'vx mtu_exceeded', 'vx mtu_exceeded']);
    expect(to).toEqual(['t1', `vx>${OTHER}`]);
    expect(out.filter((one) => one.to === 't1').map((one) => told(one).mtu)).toEqual([1000]);
  });

  it('a ring that is executed in between changes nothing of it', () => {
    const remotes = [PEER, OTHER, '192.0.2.4', '192.0.2.5'];
    const sw = new TestSwitch(
      { br0: { ports: { t1: { type: 'tap', mtu: 1500 }, vx: { type: 'vxlan', vni: 42, remotes } } } },
      { maxCommands: 1 },
    );
    setMtu(setMtu(sw, 1400), 1400, '192.0.2.5');
    for (let i = 0; i < 3; i++) sw.inject('t1', sized(1400, { sourcePort: 1000 + i }));
    const { out, drops } = sw.turn();
    expect(drops).toEqual(Array(6).fill('vx mtu_exceeded'));
    const ports = out.filter(({ to }) => to === 't1').map((one) => viewOf(one.frame).getUint16(14 + 28 + 20));
    expect(ports).toEqual([1000, 1001, 1002]);
  });
});
