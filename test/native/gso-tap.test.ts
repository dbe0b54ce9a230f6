/** Superframes sent unsegmented in outer headers, by a TAP of the PacketIo (src/native/gso-tap/gso-tap.c). */
import { readdirSync } from 'node:fs';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { NativePacketIo } from '../../src/port/native-packet-io.js';
import * as L from '../../src/port/packet-io.js';
import { selfTest } from '../../src/port/self-test.js';
import { openSenders } from '../../src/port/underlay.js';
import {
  addAddresses,
  BEYOND,
  bulk,
  CSUM_SEGMENTATION,
  type Datagram,
  FAR,
  features,
  leave,
  makeSite,
  makeWire,
  NEAR,
  netnsExec,
  pass,
  passed,
  SEGMENTATION,
  type Site,
  type SiteOptions,
  setRemote,
  tooBig,
  transmit,
  tunnelled,
  watch,
} from './gso-tap-support.js';
import {
  cleanUp,
  inside,
  ip,
  later,
  makeNamespace,
  makePacketIo,
  needRoot,
  outcome,
  random,
} from './native-testbed.js';
import { CWR, FIN, noise, type Packet, PSH, slowSum, TCP, UDP } from './packets.js';
import { expectDatagrams, expected, FRAME, offload, randomSuperframe, type Superframe, send } from './superframes.js';

beforeAll(needRoot);
afterEach(cleanUp);

const [EMSGSIZE, ENETUNREACH] = [90, 101];
const VXLAN = 8;

const { tunnelGso: works, reasons } = selfTest();
const skipped = works ? '' : ` (SKIPPED, this host has no UDP tunnel GSO: ${reasons.tunnelGso})`;
if (!works) console.warn(`gso-tap.test.ts${skipped}`);
const describeTunnels = (name: string, body: () => void): void => {
  describe.skipIf(!works)(`${name}${skipped}`, body);
};

/** The way that the PacketIo has to choose when nothing but the frame is in question. */
function fits(frame: Superframe, outerIp: number): boolean {
  const { packet, segment, operation } = frame;
  const untagged = packet.l3 === 14 ? operation === 'keep' : operation === 'pop';
  const length = packet.bytes.length - (operation === 'pop' ? 4 : 0) + VXLAN + 8 + outerIp;
  return packet.protocol === TCP && untagged && packet.bytes.length - packet.payload > segment && length <= 65535;
}

/** Sends frames and sees them arrive as the slow reference splits them. */
function deliver(site: Site, frames: Superframe[], what: string): void {
  let offset = FRAME;
  frames.forEach((frame, i) => {
    send(site.io, i, offset, frame);
    offset += frame.packet.bytes.length + 3;
  });
  expect(transmit(site, site.io, frames.length), what).toBe(0);
  expectDatagrams(site.listener, frames.flatMap(expected), what);
}

const UNDERLAYS: [string, SiteOptions][] = [
  ['IPv4', {}],
  ['IPv4 without a UDP checksum, with DF', { checksum: false, df: true }],
  ['IPv4, with DF, from any address', { df: true, family: 4 }],
  ['IPv6', { local: NEAR[6] }],
  ['IPv6 without a UDP checksum', { local: NEAR[6], checksum: false }],
];

describeTunnels('superframes that leave whole', () => {
  test.each(UNDERLAYS)(
    'become the segments of the slow reference on their way, over %s',
    (way, options) => {
      const seed = 20261121;
      const below = random(seed);
      const site = makeSite({ mtu: 65535, ...options });
      let whole = 0;
      for (let round = 0; round < 40; round++) {
        const what = `seed ${seed}, round ${round}, over ${way}`;
        const frames = Array.from({ length: 1 + below(6) }, () => randomSuperframe(below));
        const before = frames.map(({ packet }) => Buffer.from(packet.bytes));
        deliver(site, frames, what);
        whole += frames.filter((frame) => fits(frame, options.local === NEAR[6] ? 40 : 20)).length;
        expect(tunnelled(site.io), what).toBe(whole);
        // Other commands may share the frame.
        frames.forEach(({ packet }, i) => {
          expect(packet.bytes.equals(before[i]), what).toBe(true);
        });
      }
      expect(whole).toBeGreaterThan(20);
      site.io.receive(0);
      expect(site.io.status[L.STATUS_LATCHED]).toBe(0);
    },
    60_000,
  );

  test.each([4, 6] as const)('pass the wire as one datagram, above the MTU, over IPv%i', (family) => {
    const site = makeSite({ local: NEAR[family] });
    const wire = watch(site.middle, 'in0');
    for (const inner of [4, 6] as const) {
      const frame = bulk({ family: inner });
      expect(leave(site, frame)).toBe('whole');
      const [datagram, ...others] = passed(wire);
      expect(others).toEqual([]);
      expect(datagram.payload.length).toBe(VXLAN + frame.packet.bytes.length);
      expect(datagram.payload.length).toBeGreaterThan(1500);
      // The checksum of the inner TCP is still open.
      expect(datagram.payload.subarray(VXLAN).equals(frame.packet.bytes)).toBe(true);
      expect(datagram.udp.readUInt16BE(4)).toBe(8 + datagram.payload.length);
    }
    expect(tunnelled(site.io)).toBe(2);
  });

  test('come so to a socket at the other end of a veth, their checksum open', () => {
    const site = makeSite();
    features(site.middle, 'out0', ['tx', 'tso', SEGMENTATION, CSUM_SEGMENTATION], true);
    const frame = bulk();
    send(site.io, 0, FRAME, frame);
    expect(transmit(site, site.io, 1)).toBe(0);
    expectDatagrams(site.listener, [frame.packet.bytes], 'a whole superframe');
    expect(site.listener.receive(0)).toBe(0);
  });

  const below = random(31);
  const odd: [string, Superframe][] = [
    ['FIN and PSH, which are the last segment’s', bulk({ flags: FIN | PSH | 0x10 })],
    ['CWR, which is the first segment’s', bulk({ flags: CWR | 0x10 })],
    ['timestamps', bulk({ tcpOptions: Buffer.from('0101080a0102030405060708', 'hex') })],
    ['all the options that TCP has room for', bulk({ tcpOptions: Buffer.alloc(40, 1) })],
    ['an odd segment size and an odd end', bulk({ segment: 1001, payload: noise(below, 4096).subarray(0, 4095) })],
    ['a last segment of one byte', bulk({ payload: noise(below, 1304).subarray(0, 1301) })],
    ['a sequence number that wraps', bulk({ sequence: 0xfffffff0, family: 6 })],
    ['two segments that are full', bulk({ payload: noise(below, 2600) })],
    ['an inner type of service', bulk({ tos: 0xbb, family: 6 })],
  ];

  test.each(odd)('with %s', (_, frame) => {
    const site = makeSite();
    expect(leave(site, frame)).toBe('whole');
    const ecn = { ...frame, words: offload(frame.packet, frame.segment, true) };
    expect(leave(site, ecn)).toBe('whole');
  });

  test('of the greatest length that an outer packet holds, and not beyond', () => {
    const site = makeSite();
    const room = 65535 - 20 - 8 - VXLAN - 54;
    const payload = noise(random(1), 65536);
    expect(leave(site, bulk({ payload: payload.subarray(0, room) }))).toBe('whole');
    expect(leave(site, bulk({ payload: payload.subarray(0, room + 1) }))).toBe('split');
  });

  test('whose segments just fit the MTU, and not those that just do not', () => {
    const site = makeSite();
    // 20 of IP, 8 of UDP, 8 of VXLAN, 54 of headers.
    const frame = bulk({ segment: 1410 });
    expect(leave(site, frame)).toBe('whole');
    const long = bulk({ segment: 1411 });
    send(site.io, 0, FRAME, long);
    expect(transmit(site, site.io, 1)).toBe(1);
    expect(outcome(site.io, 0)).toBe(EMSGSIZE);
    expect(tunnelled(site.io)).toBe(1);
  });

  test('from two PacketIos at once', () => {
    const site = makeSite();
    const other = makeSite({ wire: site, listener: site.listener, local: NEAR[6] });
    for (let i = 0; i < 3; i++) {
      expect(leave(site)).toBe('whole');
      expect(leave(other)).toBe('whole');
    }
  });
});

/** What may differ between two packets of one sender: the identification, and what is summed up over it. */
function headers({ ethernet, ip: header, udp }: Datagram): string {
  const stable = Buffer.from(header);
  if (stable.length === 20) {
    stable.writeUInt16BE(0, 4);
    stable.writeUInt16BE(0, 10);
  }
  return [ethernet, stable, udp].map((part) => part.toString('hex')).join(' ');
}

/** Sends the superframe by both ways, and returns what came of either. */
function bothWays(site: Site, tos: number, frame = bulk()): [Datagram[], Datagram[]] {
  const wire = watch(site.far, 'eth0');
  return [site.io, site.plain].map((io) => {
    const before = tunnelled(io);
    send(io, 0, FRAME, frame);
    io.tx[L.TX_TOS] = tos;
    expect(transmit(site, io, 1)).toBe(0);
    expectDatagrams(site.listener, expected(frame), 'a superframe');
    expect(tunnelled(io) - before).toBe(io === site.io ? 1 : 0);
    return passed(wire);
  }) as [Datagram[], Datagram[]];
}

describeTunnels('the outer headers', () => {
  const senders: [string, SiteOptions, number][] = [
    ['of a sender as it is', {}, 0],
    ['with a TTL of 7 and a type of service', { ttl: 7 }, 0xb9],
    ['with DF', { df: true, ttl: 255 }, 0x02],
    ['without a UDP checksum', { checksum: false }, 0x03],
    ['of a sender bound to any address', { family: 4 }, 0],
    ['of a sender bound to a device', { family: 4, dev: 'up0' }, 0x28],
    ['of a sender bound to a device and an address', { local: NEAR[4], dev: 'up0' }, 0],
    ['over IPv6', { local: NEAR[6] }, 0],
    ['over IPv6 with a hop limit of 7 and a traffic class', { local: NEAR[6], ttl: 7 }, 0xb9],
    ['over IPv6 without a UDP checksum', { local: NEAR[6], checksum: false }, 0xff],
    ['over IPv6 of a sender bound to any address', { family: 6 }, 0],
    ['over IPv6 of a sender bound to a device', { family: 6, dev: 'up0' }, 0],
  ];

  test.each(senders)('are those of the socket: %s', (_, options, tos) => {
    const site = makeSite(options);
    const [whole, split] = bothWays(site, tos);
    expect(whole.map(headers)).toEqual(split.map(headers));
    expect(whole).toHaveLength(7);
  });

  test('say what they were asked to say', () => {
    const site = makeSite({ ttl: 7, df: true });
    const [whole] = bothWays(site, 0xb9);
    for (const { ip: header, udp, payload } of whole) {
      expect(header.readUInt16BE(2)).toBe(28 + payload.length);
      expect([header[1], header[6], header[8]]).toEqual([0xb9, 0x40, 7]);
      expect(slowSum(header)).toBe(0xffff);
      expect([...header.subarray(12)]).toEqual([192, 0, 2, 1, 192, 0, 2, 2]);
      expect([udp.readUInt16BE(0), udp.readUInt16BE(2)]).toEqual([40000, 4789]);
      const pseudo = Buffer.concat([header.subarray(12), Buffer.from([0, 17]), udp.subarray(4, 6)]);
      expect(slowSum(Buffer.concat([pseudo, udp, payload]))).toBe(0xffff);
    }
  });

  test('number their IPv4 packets one by one, also from one superframe to the next', () => {
    const site = makeSite();
    const wire = watch(site.far, 'eth0');
    for (let i = 0; i < 3; i++) expect(leave(site)).toBe('whole');
    const ids = passed(wire).map(({ ip: header }) => header.readUInt16BE(4));
    expect(ids).toHaveLength(21);
    expect(ids.map((id) => (id - ids[0]) & 0xffff)).toEqual(ids.map((_, i) => i));
  });

  test.each([4, 6] as const)('have the source address that the route asks for, over IPv%i', (family) => {
    const site = makeSite({ family, remote: BEYOND[family] });
    const source = { 4: '192.0.2.77', 6: '2001:db8::77' }[family];
    addAddresses(site.near, 'up0', [`${source}/${family === 4 ? 32 : 128}`]);
    ip('-n', site.near, 'route', 'add', BEYOND[family], 'via', FAR[family], 'src', source);
    const [whole] = bothWays(site, 0);
    const address = whole[0].ip.subarray(family === 4 ? 12 : 8, family === 4 ? 16 : 24);
    expect(address[address.length - 1]).toBe(family === 4 ? 77 : 0x77);
  });

  test.each([4, 6] as const)('have the TTL that the route asks for, over IPv%i', (family) => {
    const site = makeSite({ local: NEAR[family], remote: BEYOND[family] });
    ip('-n', site.near, 'route', 'add', BEYOND[family], 'via', FAR[family], 'hoplimit', '9');
    const wire = watch(site.far, 'eth0');
    for (const io of [site.io, site.plain]) {
      leave(site, bulk(), io);
      expect(passed(wire).map(({ ip: header }) => header[family === 4 ? 8 : 7])).toEqual(new Array(7).fill(9));
    }
  });

  test('have the hop limit that the device was told of, over IPv6', () => {
    const site = makeSite({ local: NEAR[6] });
    // As a router's advertisement does.
    netnsExec(site.near, 'sh', '-c', 'echo 9 >/proc/sys/net/ipv6/conf/up0/hop_limit');
    const wire = watch(site.far, 'eth0');
    for (const io of [site.io, site.plain]) {
      leave(site, bulk(), io);
      expect(passed(wire).map(({ ip: header }) => header[7])).toEqual(new Array(7).fill(9));
    }
  });

  test.each([0, 0xa5f01])('have the flow label of the socket, over IPv6: %i', (flowLabel) => {
    const site = makeSite({ local: NEAR[6], flowLabel, labels: flowLabel !== 0 });
    for (const headers of bothWays(site, 0xb9)) {
      expect(headers.map(({ ip: header }) => header.readUInt32BE(0))).toEqual(
        new Array(7).fill(0x6b900000 + flowLabel),
      );
    }
  });

  test.each([0, 0xfffff])('have the flow label of the command, over IPv6: %i', (label) => {
    const site = makeSite({ local: NEAR[6], flowLabel: 0x12345, labels: true });
    for (const headers of bothWays(site, L.TX_LABELLED | (label << L.TX_LABEL_SHIFT) | 0xb9)) {
      expect(headers.map(({ ip: header }) => header.readUInt32BE(0))).toEqual(new Array(7).fill(0x6b900000 + label));
    }
  });
});

/** By both PacketIos the same: what the commands come to, and what arrives. */
function alike(site: Site, frame = bulk()): { errno: number; arrived: string[] } {
  const wire = watch(site.far, 'eth0');
  const [first, second] = [site.io, site.plain].map((io) => {
    send(io, 0, FRAME, frame);
    transmit(site, io, 1);
    return { errno: outcome(io, 0), arrived: passed(wire).map(({ payload }) => payload.toString('hex')) };
  });
  expect(first).toEqual(second);
  while (site.listener.receive(0) > 0);
  return first;
}

describeTunnels('superframes leave by the socket', () => {
  test.each([
    ['with a UDP checksum', true, CSUM_SEGMENTATION, SEGMENTATION],
    ['without', false, SEGMENTATION, CSUM_SEGMENTATION],
  ])('while the device does not segment such frames, %s', (_, checksum, needed, other) => {
    const site = makeSite({ checksum });
    features(site.near, 'up0', [needed], false);
    expect(leave(site)).toBe('split');
    features(site.near, 'up0', [needed], true);
    features(site.near, 'up0', [other], false);
    // It is told of each change: nothing has to expire.
    expect(leave(site)).toBe('whole');
    features(site.near, 'up0', [needed], false);
    expect(leave(site)).toBe('split');
  });

  test('that have more segments than the device takes', () => {
    const site = makeSite();
    const take = (segments: number): void => {
      ip('-n', site.near, 'link', 'set', 'up0', 'gso_max_segs', String(segments));
      // The kernel tells nobody.
      pass(site.io, 10_000);
    };
    // 9,000 bytes are seven of 1,300.
    take(6);
    expect(leave(site)).toBe('split');
    take(7);
    expect(leave(site)).toBe('whole');
  });

  test('and then not, when more was heard of other devices than could be kept', () => {
    const site = makeSite();
    features(site.near, 'up0', [CSUM_SEGMENTATION], false);
    expect(leave(site)).toBe('split');
    features(site.near, 'up0', [CSUM_SEGMENTATION], true);
    for (let i = 0; i < 300; i++) ip('-n', site.near, 'link', 'set', 'up0', 'txqueuelen', String(1000 + i));
    expect(leave(site)).toBe('whole');
  });

  test.each([
    ['127.0.0.1', '127.0.0.1'],
    [NEAR[4], NEAR[4]],
    [NEAR[6], NEAR[6]],
    ['::1', '::1'],
  ])('to a remote on this host: %s', (remote, local) => {
    const wire = makeWire();
    // The listener is on this side, too.
    const site = makeSite({ wire: { ...wire, far: wire.near }, local, remote });
    for (let i = 0; i < 3; i++) expect(leave(site)).toBe('split');
  });

  describe('where the path is too narrow', () => {
    const paths = ([4, 6] as const).flatMap((family) =>
      [true, false].flatMap((df) => [['mtu'], ['mtu', 'lock']].map((words) => ({ family, df, words }))),
    );

    test.each(paths)('by its route, IPv$family, DF $df, $words', ({ family, df, words }) => {
      const site = makeSite({ local: NEAR[family], df, remote: BEYOND[family] });
      ip('-n', site.near, 'route', 'add', BEYOND[family], 'via', FAR[family], ...words, '1300');
      // Over IPv4 without DF it is the routers' affair to make fragments.
      const errno = df || family === 6 ? EMSGSIZE : 0;
      expect(alike(site).errno).toBe(errno);
      const small = bulk({ segment: 1000 });
      pass(site.io, 1000);
      expect(leave(site, small)).toBe('whole');
      expect(alike(site).errno).toBe(errno);
    });

    test.each([
      [4, true],
      [4, false],
      [6, true],
    ] as const)('as a router has told, IPv%i, DF %s', (family, df) => {
      const site = makeSite({ local: NEAR[family], df });
      const wire = watch(site.middle, 'in0');
      expect(leave(site)).toBe('whole');
      tooBig(wire, passed(wire)[0], 1300);
      expect(alike(site).errno).toBe(df ? EMSGSIZE : 0);
      pass(site.io, 1000);
      expect(alike(site).errno).toBe(df ? EMSGSIZE : 0);
      pass(site.io, 1000);
      expect(leave(site, bulk({ segment: 1000 }))).toBe('whole');
    });
  });

  test.each([
    ['no route', [], ENETUNREACH],
    ['a route that says so', ['unreachable'], 113],
    ['a route into nothing', ['blackhole'], 22],
  ])('where nothing can: %s', (_, route, errno) => {
    const site = makeSite({ remote: BEYOND[4] });
    if (route.length > 0) ip('-n', site.near, 'route', 'add', ...route, BEYOND[4]);
    expect(alike(site)).toEqual({ errno, arrived: [] });
    ip('-n', site.near, 'route', 'replace', BEYOND[4], 'via', FAR[4]);
    expect(leave(site)).toBe('split');
    pass(site.io, 1000);
    expect(leave(site)).toBe('whole');
  });

  const tagged = (operation: Superframe['operation'], tags: [number, number][]): Superframe => ({
    ...bulk({ tags }),
    operation,
    tci: 0x2064,
  });
  const udp = (): Superframe => bulk({ protocol: UDP });
  test.each([
    ['that keep a tag', tagged('keep', [[0x8100, 5]]), 'split'],
    ['whose tag is replaced', tagged('replace', [[0x8100, 5]]), 'split'],
    ['that get a tag', tagged('push', []), 'split'],
    [
      'that have two tags, of which one goes',
      tagged('pop', [
        [0x88a8, 5],
        [0x8100, 6],
      ]),
      'split',
    ],
    ['but not those that have lost their tag', tagged('pop', [[0x8100, 5]]), 'whole'],
    ['that are one segment', bulk({ payload: noise(random(1), 1300) }), 'split'],
    ['that have no payload', bulk({ payload: Buffer.alloc(0) }), 'split'],
    ['of UDP', udp(), 'split'],
  ] as const)('%s', (_, frame, way) => {
    const site = makeSite();
    for (let i = 0; i < 2; i++) expect(leave(site, frame)).toBe(way);
  });

  test('whose TCP checksum is complete', () => {
    const site = makeSite();
    const frame = bulk({ checksum: 'complete' });
    expect(leave(site, { ...frame, words: { ...frame.words, TX_VNET: L.VNET_GSO_TCPV4 << 8, TX_CSUM: 0 } })).toBe(
      'split',
    );
  });

  test('and those that are no superframes at all fail as ever', () => {
    const site = makeSite();
    const misfit = (change: (packet: Packet) => void): number => {
      const frame = bulk();
      change(frame.packet);
      const { errno, arrived } = alike(site, frame);
      expect(arrived).toEqual([]);
      return errno;
    };
    expect(misfit(({ bytes }) => bytes.writeUInt16BE(0x88b5, 12))).toBe(L.OFFLOAD_MISFIT);
    expect(misfit(({ bytes, l3 }) => bytes.writeUInt8(UDP, l3 + 9))).toBe(L.OFFLOAD_MISFIT);
    expect(misfit(({ bytes, l4 }) => bytes.writeUInt8(0x40, l4 + 12))).toBe(L.OFFLOAD_MISFIT);
    const csum = bulk();
    expect(alike(site, { ...csum, words: { ...csum.words, TX_CSUM: csum.words.TX_CSUM + 2 } }).errno).toBe(
      L.OFFLOAD_MISFIT,
    );
    expect(tunnelled(site.io)).toBe(0);
    expect(leave(site)).toBe('whole');
  });

  test.each(['del', 'down'])('once the TAP has gone (ip link %s), which is told once', (how) => {
    const site = makeSite();
    expect(leave(site)).toBe('whole');
    ip('-n', site.near, 'link', ...(how === 'del' ? ['del', 'otgso0'] : ['set', 'otgso0', 'down']));
    for (let i = 0; i < 3; i++) expect(leave(site)).toBe('split');
    site.io.receive(0);
    expect(site.io.status[L.STATUS_LATCHED]).toBe(L.LATCHED_TUNNEL_GSO);
    site.io.receive(0);
    expect(site.io.status[L.STATUS_LATCHED]).toBe(0);
    expect(leave(site)).toBe('split');
  });

  test('and a PacketIo that was not asked makes no TAP', () => {
    const ns = makeNamespace();
    inside(ns, () => makePacketIo());
    expect(ip('-n', ns, 'link')).not.toContain('otgso');
  });
});

describeTunnels('a route that changes', () => {
  test('takes superframes along, and none is lost meanwhile', () => {
    const site = makeSite({ second: true, family: 4, remote: BEYOND[4] });
    const wires = ['in0', 'in1'].map((name) => watch(site.middle, name));
    const seen = (): boolean[] => wires.map((wire) => passed(wire).length > 0);
    ip('-n', site.near, 'route', 'add', BEYOND[4], 'via', FAR[4]);
    expect(leave(site)).toBe('whole');
    expect(seen()).toEqual([true, false]);
    ip('-n', site.near, 'route', 'replace', BEYOND[4], 'via', '203.0.113.2');
    expect(leave(site)).toBe('split');
    expect(seen()).toEqual([false, true]);
    pass(site.io, 1000);
    const wire = watch(site.far, 'eth0');
    expect(leave(site)).toBe('whole');
    expect(seen()).toEqual([false, true]);
    expect([...passed(wire)[0].ip.subarray(12, 16)]).toEqual([203, 0, 113, 1]);
  });

  test('to a device without the offloads is followed by the socket', () => {
    const site = makeSite({ second: true, family: 4, remote: BEYOND[4] });
    features(site.near, 'up1', [SEGMENTATION, CSUM_SEGMENTATION], false);
    ip('-n', site.near, 'route', 'add', BEYOND[4], 'via', FAR[4]);
    expect(leave(site)).toBe('whole');
    ip('-n', site.near, 'route', 'replace', BEYOND[4], 'via', '203.0.113.2');
    for (let i = 0; i < 3; i++, pass(site.io, 1000)) expect(leave(site)).toBe('split');
    ip('-n', site.near, 'route', 'replace', BEYOND[4], 'via', FAR[4]);
    pass(site.io, 1000);
    expect(leave(site)).toBe('whole');
  });

  test('is not that of a sender bound to another device', () => {
    const site = makeSite({ second: true, family: 4, dev: 'up1', remote: BEYOND[4] });
    const wires = ['in0', 'in1'].map((name) => watch(site.middle, name));
    ip('-n', site.near, 'route', 'add', BEYOND[4], 'via', FAR[4], 'metric', '10');
    ip('-n', site.near, 'route', 'add', BEYOND[4], 'via', '203.0.113.2', 'metric', '20');
    for (let i = 0; i < 3; i++, pass(site.io, 1000)) {
      expect(leave(site)).toBe('split');
      expect(wires.map((wire) => passed(wire).length > 0)).toEqual([false, true]);
    }
  });

  test('is asked for anew for a sender that is bound otherwise', () => {
    const site = makeSite({ second: true, family: 4, dev: 'up0', remote: BEYOND[4] });
    ip('-n', site.near, 'route', 'add', BEYOND[4], 'via', FAR[4]);
    const [any] = inside(site.near, () => openSenders({ family: 4, range: [41000, 41000], count: 1, seed: 0 }));
    later(() => any.close());
    site.io.detachSender(0);
    site.io.attachSender(0, any.fd);
    expect(leave(site)).toBe('whole');
    const [other] = inside(site.near, () =>
      openSenders({ local: '203.0.113.1', range: [41001, 41001], count: 1, seed: 0 }),
    );
    later(() => other.close());
    site.io.detachSender(0);
    site.io.attachSender(0, other.fd);
    const wire = watch(site.far, 'eth0');
    expect(leave(site)).toBe('whole');
    expect([...passed(wire)[0].ip.subarray(12, 16)]).toEqual([203, 0, 113, 1]);
  });

  test('as does a remote whose address does', () => {
    const site = makeSite();
    expect(leave(site)).toBe('whole');
    setRemote(site.io, 0, BEYOND[4]);
    ip('-n', site.near, 'route', 'add', BEYOND[4], 'via', FAR[4]);
    const wire = watch(site.far, 'eth0');
    expect(leave(site)).toBe('whole');
    expect([...passed(wire)[0].ip.subarray(16, 20)]).toEqual([198, 51, 100, 1]);
  });

  test('or a neighbour that is still to be found, loses nothing', () => {
    const site = makeSite();
    for (let i = 0; i < 3; i++) {
      ip('-n', site.near, 'neigh', 'flush', 'dev', 'up0');
      expect(leave(site)).toBe('whole');
    }
  });
});

describeTunnels('small frames and superframes of one call', () => {
  test.each([4, 6] as const)('arrive in order, over IPv%i', (family) => {
    const seed = 77;
    const below = random(seed);
    const site = makeSite({ local: NEAR[family] });
    let whole = 0;
    for (let round = 0; round < 20; round++) {
      const wanted: Buffer[] = [];
      let offset = FRAME;
      for (let i = 0; i < 30; i++) {
        const plain = below(2) === 0;
        const size = plain ? below(1300) : 2601 + below(6000);
        const frame = bulk({ payload: noise(below, size), id: below(0x10000), sequence: i });
        if (plain) frame.words = { TX_VNET: 0, TX_GSO: 0, TX_CSUM: 0 };
        else whole++;
        send(site.io, i, offset, frame);
        offset += frame.packet.bytes.length;
        wanted.push(...(plain ? [frame.packet.bytes] : expected(frame)));
      }
      expect(transmit(site, site.io, 30), `seed ${seed}, round ${round}`).toBe(0);
      expectDatagrams(site.listener, wanted, `seed ${seed}, round ${round}`);
    }
    expect(tunnelled(site.io)).toBe(whole);
  });
});

/** A chain that counts what goes to the VXLAN port. */
function addChain(netns: string, family: string, hook: string, type = 'filter'): void {
  netnsExec(netns, 'nft', 'add', 'table', family, 't');
  netnsExec(netns, 'nft', 'add', 'chain', family, 't', 'c', `{ type ${type} hook ${hook} priority 0; }`);
  netnsExec(netns, 'nft', 'add', 'rule', family, 't', 'c', 'udp', 'dport', '4789', 'counter');
}

function counted(netns: string, family: string): number {
  const [, packets] = /counter packets (\d+)/.exec(netnsExec(netns, 'nft', 'list', 'table', family, 't')) ?? [];
  return Number(packets);
}

describeTunnels('while somebody looks at what this host sends', () => {
  test.each([
    ['inet', 'output', 'filter'],
    ['ip', 'output', 'filter'],
    ['ip', 'postrouting', 'filter'],
    ['ip', 'output', 'nat'],
    ['ip', 'output', 'route'],
    ['inet', 'postrouting', 'nat'],
  ])('with nftables, %s %s (%s), superframes leave by the socket', (family, hook, type) => {
    const site = makeSite({ io: { udpSegment: type !== 'filter' } });
    addChain(site.near, family, hook, type);
    const segments = expected(bulk()).length;
    for (let i = 1; i < 3; i++) {
      expect(leave(site)).toBe('split');
      // Chains of type nat see the first packet of a flow only.
      if (type === 'filter') expect(counted(site.near, family)).toBe(i * segments);
    }
    expect(tunnelled(site.io)).toBe(0);
  });

  test('it is noticed within a second or so, and forgotten within a few', () => {
    const site = makeSite({ io: { udpSegment: false } });
    const until = (way: string, seconds: number): void => {
      const end = performance.now() + seconds * 1000;
      do site.io.receive(50);
      while (leave(site) !== way && performance.now() < end);
      site.io.receive(0);
      expect(leave(site)).toBe(way);
    };
    until('whole', 0.2);
    addChain(site.near, 'inet', 'output');
    until('split', 2);
    const before = counted(site.near, 'inet');
    expect(leave(site)).toBe('split');
    expect(counted(site.near, 'inet') - before).toBe(expected(bulk()).length);
    netnsExec(site.near, 'nft', 'delete', 'table', 'inet', 't');
    until('whole', 7);
  });

  test('also when there are more chains than one answer holds', () => {
    const site = makeSite();
    const chains = Array.from({ length: 600 }, (_, i) => `add chain inet a c${i}`).join('; ');
    netnsExec(site.near, 'nft', `add table inet a; ${chains}`);
    expect(leave(site)).toBe('whole');
    netnsExec(site.near, 'nft', 'add chain inet a z { type filter hook output priority 0; }');
    pass(site.io, 1000);
    expect(leave(site)).toBe('split');
  });

  test.each(['input', 'prerouting', 'forward'])('a chain at %s is none of those', (hook) => {
    const site = makeSite();
    addChain(site.near, 'inet', hook);
    expect(leave(site)).toBe('whole');
    expect(counted(site.near, 'inet')).toBe(0);
  });

  test('nor is one in another namespace', () => {
    const site = makeSite();
    addChain(site.far, 'inet', 'output');
    expect(leave(site)).toBe('whole');
  });

  test('who is not asked after as long as no superframe could leave whole', () => {
    const site = makeSite();
    features(site.near, 'up0', [CSUM_SEGMENTATION], false);
    addChain(site.near, 'inet', 'output');
    expect(leave(site)).toBe('split');
    netnsExec(site.near, 'nft', 'delete', 'table', 'inet', 't');
    features(site.near, 'up0', [CSUM_SEGMENTATION], true);
    // Somebody who was found would be believed to be there for seconds.
    expect(leave(site)).toBe('whole');
  });

  test('unless the PacketIo was told not to mind', () => {
    const site = makeSite({ io: { tunnelGuard: false } });
    addChain(site.near, 'inet', 'output');
    expect(leave(site)).toBe('whole');
    expect(counted(site.near, 'inet')).toBe(0);
  });

  test.each([
    ['out', 'split'],
    ['in', 'whole'],
    ['fwd', 'whole'],
  ])('with an IPsec policy, direction %s, superframes leave %s', (direction, way) => {
    const site = makeSite();
    ip(
      '-n',
      site.near,
      'xfrm',
      'policy',
      'add',
      'src',
      '10.9.0.0/24',
      'dst',
      '10.9.1.0/24',
      'dir',
      direction,
      'action',
      'block',
    );
    expect(leave(site)).toBe(way);
    ip('-n', site.near, 'xfrm', 'policy', 'flush');
    pass(site.io, 5000);
    expect(leave(site)).toBe('whole');
  });
});

describeTunnels('the TAP of a PacketIo', () => {
  /** A PacketIo with the sockets and the remote of a site. */
  const another = (site: Site): NativePacketIo => {
    const io = inside(site.near, () => makePacketIo({ txCommands: 4, tunnelGso: true }));
    inside(site.near, () => io.attachSender(0, site.sender));
    setRemote(io, 0, FAR[4]);
    return io;
  };
  const descriptors = (): number => readdirSync('/proc/self/fd').length;

  test('is there from the first superframe on that can use it, until the PacketIo is closed', () => {
    const site = makeSite();
    expect(leave(site, bulk({ payload: noise(random(5), 100) }))).toBe('split');
    expect(ip('-n', site.near, 'link')).not.toContain('otgso');
    expect(leave(site)).toBe('whole');
    expect(ip('-n', site.near, 'link')).toMatch(/otgso0: <[^>]*\bUP\b/);
    site.io.close();
    expect(ip('-n', site.near, 'link')).not.toContain('otgso');
  });

  test('goes with the PacketIo without a descriptor left behind', () => {
    const site = makeSite();
    const round = (spoil: () => void): void => {
      const io = another(site);
      expect(leave(site, bulk(), io)).toBe('whole');
      spoil();
      io.close();
    };
    round(() => {});
    const before = descriptors();
    for (let i = 0; i < 50; i++) round(() => {});
    round(() => ip('-n', site.near, 'link', 'del', 'otgso0'));
    expect(descriptors()).toBe(before);
    expect(ip('-n', site.near, 'link')).not.toContain('otgso');
  });
});
