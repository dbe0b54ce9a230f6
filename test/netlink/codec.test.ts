/** Messages of rtnetlink in literal bytes, as iproute2 sends them and reads them, and what no program should send. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipBytes, ipText, macBytes, macText } from '../../src/netlink/addresses.js';
import {
  AttributeMap,
  nestAttribute,
  stringAttribute,
  u32Attribute,
  writeAttributes,
} from '../../src/netlink/attributes.js';
import { BRIDGE_OPTIONS, PORT_OPTIONS, readMultiOptions } from '../../src/netlink/bridge-options.js';
import { ERRNO, NetlinkFault } from '../../src/netlink/fault.js';
import { acknowledgement, dumpEnd, errnoOf, isDone, readMessages, writeMessage } from '../../src/netlink/message.js';
import { readGroup, writeGroups } from '../../src/netlink/mdb.js';
import { readNexthop, writeNexthop } from '../../src/netlink/nexthop.js';
import { readNeighbour, writeNeighbour } from '../../src/netlink/neigh.js';
import { readOptions, writeOptions } from '../../src/netlink/option-table.js';
import { readIfinfo, writeIfinfo } from '../../src/netlink/rtnetlink.js';
import { readVxlan, writeVxlan } from '../../src/netlink/vxlan-options.js';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const map = (hex: string): AttributeMap => new AttributeMap(bytes(hex));
const hexOf = (buffer: Buffer): string => buffer.toString('hex');

describe('messages', () => {
  // ip link set br0 up
  const SET_UP = '20000000 1000 0500 0102030 4 00000000 00000000 05000000 01000000 01000000';

  test('are read with their payload, and what follows them without a length is left out', () => {
    const [message, ...others] = readMessages(bytes(`${SET_UP} 00000000 0000000000000000`));
    expect(others).toEqual([]);
    expect(message).toMatchObject({ type: 16, flags: 5, seq: 0x04030201, pid: 0 });
    expect(readIfinfo(message?.payload as Buffer)).toEqual({ family: 0, index: 5, flags: 1, change: 1 });
  });

  test.each([
    ['shorter than a header', '0c000000 1000 0500 01020304 00000000'],
    ['past the end', '21000000 1000 0500 01020304 00000000 00000000000000000000000000000000'],
    ['of nothing', '00'],
  ])('a length %s ends the list', (_what, hex) => {
    expect(readMessages(bytes(hex))).toEqual([]);
  });

  test('an acknowledgement has the head of its request, an errno and a text', () => {
    const [request] = readMessages(bytes(SET_UP));
    if (request === undefined) throw new Error('no request');
    expect(hexOf(acknowledgement(request, 77))).toBe(
      hexOf(bytes('24000000 0200 0001 01020304 4d000000 00000000 20000000 1000 0500 01020304 00000000')),
    );
    const refused = acknowledgement(request, 77, ERRNO.EOPNOTSUPP, 'no');
    expect(hexOf(refused)).toBe(
      hexOf(
        bytes('2c000000 0200 0003 01020304 4d000000 a1ffffff 20000000 1000 0500 01020304 00000000 0700 0100 6e6f00 00'),
      ),
    );
    expect(errnoOf(readMessages(refused)[0] as never)).toBe(ERRNO.EOPNOTSUPP);
    const end = dumpEnd(request, 77);
    expect(hexOf(end)).toBe(hexOf(bytes('14000000 0300 0200 01020304 4d000000 00000000')));
    expect(isDone(readMessages(end)[0] as never)).toBe(true);
  });
});

describe('attributes', () => {
  test('are padded to four bytes', () => {
    const inner = nestAttribute(18, [stringAttribute(1, 'vxlan'), u32Attribute(2, 42)]);
    expect(hexOf(writeAttributes([inner]))).toBe(
      hexOf(bytes('1800 1200 0a00 0100 76786c616e00 0000 0800 0200 2a000000')),
    );
  });

  test.each([
    ['shorter than its head', '0300 0100'],
    ['past the end', '0900 0100 2a000000'],
  ])('a length %s is refused', (_what, hex) => {
    expect(() => map(hex)).toThrow(NetlinkFault);
  });

  test('a value that is too short is refused', () => {
    expect(() => map('0600 0100 2a00 0000').u32(1)).toThrow(NetlinkFault);
  });

  test('addresses', () => {
    expect(macText(bytes('0200000000ff'))).toBe('02:00:00:00:00:ff');
    expect(hexOf(macBytes('02:00:00:00:00:ff'))).toBe('0200000000ff');
    expect(ipText(bytes('c0000201'))).toBe('192.0.2.1');
    expect(ipText(bytes('20010db8000000000000000000000001'))).toBe('2001:db8::1');
    expect(hexOf(ipBytes('2001:db8::1'))).toBe('20010db8000000000000000000000001');
    expect(() => macText(bytes('02'))).toThrow(NetlinkFault);
    expect(() => ipText(bytes('0a000001ff'))).toThrow(NetlinkFault);
  });
});

describe('options', () => {
  test('of a bridge', () => {
    // ip link set br0 type bridge vlan_filtering 1 ageing_time 6000 vlan_protocol 802.1ad
    const given = map('0500 0700 01 000000 0800 0400 70170000 0600 0800 88a8 0000');
    expect(readOptions(BRIDGE_OPTIONS, given, 'a bridge')).toEqual({
      vlan_filtering: true,
      ageing_time: 60,
      vlan_protocol: '802.1ad',
    });
  });

  test('of a spanning tree, and its identifiers', () => {
    // ip link set br0 type bridge forward_delay 400 stp_state 1 priority 4096
    const given = map('0800 0100 90010000 0800 0500 01000000 0600 0600 0010 0000');
    expect(readOptions(BRIDGE_OPTIONS, given, 'a bridge')).toEqual({
      forward_delay: 400,
      stp_state: true,
      priority: 4096,
    });
    const row = {
      address: '02:00:00:00:00:01',
      bridge_id: '1000.02:00:00:00:00:01',
      root_id: '0000.02:00:00:00:00:09',
    };
    const written = new AttributeMap(writeAttributes(writeOptions(BRIDGE_OPTIONS, { ...row, stp_state: true })));
    const hexOf = (attr: number): string => Buffer.from(written.bytes(attr) ?? []).toString('hex');
    expect([hexOf(5), hexOf(10), hexOf(11)]).toEqual(['01000000', '0000020000000009', '1000020000000001']);
  });

  test.each([
    ['nf_call_iptables', '0500 2400 01 000000'],
    ['attribute 99', '0500 6300 01 000000'],
  ])('%s of a bridge is refused by its name', (word, hex) => {
    expect(() => readOptions(BRIDGE_OPTIONS, map(hex), 'a bridge')).toThrow(word);
  });

  test('bits of a bridge', () => {
    expect(readMultiOptions(bytes('0000000001000000'))).toEqual({});
    expect(readMultiOptions(bytes('0200000002000000'))).toEqual({ mcast_vlan_snooping: true });
    // ip link set br0 type bridge fdb_local_vlan_0 1
    expect(readMultiOptions(bytes('1000000010000000'))).toEqual({ fdb_local_vlan_0: true });
    const shown = new AttributeMap(writeAttributes(writeOptions(BRIDGE_OPTIONS, { fdb_local_vlan_0: true })));
    expect(hexOf(shown.bytes(46) as Buffer)).toBe('100000001f000000');
    // ip link set br0 type bridge mst_enabled 1
    expect(readMultiOptions(bytes('0400000004000000'))).toEqual({ mst_enabled: true });
    expect(() => readMultiOptions(bytes('0100000001000000'))).toThrow('no_linklocal_learn');
    expect(() => readMultiOptions(bytes('04'))).toThrow(NetlinkFault);
  });

  test('of a port, by the newest iproute2', () => {
    // ip link set v0 type bridge_slave mab on neigh_forward_grat on
    const given = map('0500 2800 01 000000 0500 2d00 01 000000');
    expect(readOptions(PORT_OPTIONS, given, 'a port')).toEqual({ mab: true, neigh_forward_grat: true });
  });

  test('of a port, read again from what is written', () => {
    const row = { learning: false, isolated: true, mcast_router: 2, backup_nhid: 7, operstate: 'UP' };
    const written = new AttributeMap(writeAttributes(writeOptions(PORT_OPTIONS, row)));
    const shown = PORT_OPTIONS.flatMap((one) => ('key' in one || 'word' in one ? [] : [one.attr]));
    expect(readOptions(PORT_OPTIONS, written, 'a port', shown)).toMatchObject({
      learning: false,
      isolated: true,
      mcast_router: 2,
      backup_nhid: 7,
      flood: true,
    });
  });

  test('of a vxlan device', () => {
    // type vxlan id 42 remote 192.0.2.2 local 192.0.2.1 dstport 4789 ttl inherit nolearning, on the device with index 3
    const given = map(
      '0800 0100 2a000000 0800 0200 c0000202 0800 0400 c0000201 0600 0f00 12b5 0000 0400 1c00 0500 0700 00 000000 0800 0300 03000000',
    );
    expect(readVxlan(given)).toEqual({
      options: { id: 42, remotes: ['192.0.2.2'], local: '192.0.2.1', dstport: 4789, ttl: 'inherit', learning: false },
      link: 3,
      external: false,
      vnifilter: false,
    });
    expect(readVxlan(map('0800 0200 ef010101')).options).toEqual({ group: '239.1.1.1' });
    // flowlabel 0x12345, flowlabel inherit, nolocalbypass, localbypass
    expect(readVxlan(map('0800 1a00 00012345')).options).toEqual({ flowlabel: 0x12345 });
    expect(readVxlan(map('0800 2000 00000000 0800 1a00 00012345')).options).toEqual({ flowlabel: 0x12345 });
    expect(readVxlan(map('0800 2000 01000000')).options).toEqual({ flowlabel: 'inherit' });
    expect(() => readVxlan(map('0800 2000 02000000'))).toThrow('2 is no policy of flow labels');
    expect(() => readVxlan(map('0500 2000 01 000000'))).toThrow(NetlinkFault);
    expect(readVxlan(map('0500 1f00 00 000000')).options).toEqual({});
    expect(() => readVxlan(map('0500 1f00 01 000000'))).toThrow('localbypass');
    expect(readVxlan(map('0400 1700')).options).toEqual({ gbp: true });
    expect(() => readVxlan(map('0400 1b00'))).toThrow('gpe');
    expect(() => readVxlan(map('0500 0a00 01 000000'))).toThrow(NetlinkFault);
  });

  test('of a vxlan device, read again from what is written', () => {
    const more = { tos: 'inherit', df: 'set', flowlabel: 0x12345, gbp: true };
    const options = { id: 7, group: '239.1.1.1', local: '192.0.2.1', srcport: [1000, 2000], ...more };
    const { options: read } = readVxlan(new AttributeMap(writeAttributes(writeVxlan(options, 0))));
    expect(read).toMatchObject({ ...options, dstport: 4789, learning: true });
    const inherits = { id: 7, flowlabel: 'inherit' };
    const again = readVxlan(new AttributeMap(writeAttributes(writeVxlan(inherits, 0))));
    expect(again.options).toMatchObject(inherits);
  });
});

test('an FDB entry', () => {
  // bridge fdb append 00:00:00:00:00:00 dev (5) dst 192.0.2.3 src_vni 102
  const payload = bytes(
    '07 00 0000 05000000 c000 02 00 0a00 0200 000000000000 0000 0800 0100 c0000203 0800 0b00 66000000',
  );
  const read = readNeighbour(payload);
  expect(read).toMatchObject({ family: 7, index: 5, state: 0xc0, flags: 2, dst: '192.0.2.3', srcVni: 102 });
  const { activityNotify, inactive, norefresh, ...rest } = read;
  expect([activityNotify, inactive, norefresh]).toEqual([false, false, false]);
  expect(readNeighbour(writeNeighbour(rest))).toEqual(read);
  expect(() => readNeighbour(payload.subarray(0, 11))).toThrow(NetlinkFault);
});

test('a multicast group', () => {
  const facts = {
    port: 5,
    permanent: true,
    vid: 10,
    group: '239.1.1.1',
    protocol: 4,
    starExclude: false,
    blocked: false,
  };
  expect(hexOf(Buffer.concat(writeGroups(3, [facts], [])))).toBe(
    hexOf(
      bytes(
        '07000000 03000000 3800 0100 3400 0100 3000 0100 05000000 01 00 0a00 ef010101 000000000000000000000000 0800 0000 0800 0100 00000000 0500 0500 04 000000',
      ),
    ),
  );
  const asked = bytes('07000000 03000000 2000 0100 05000000 01 00 0a00 ef010101 000000000000000000000000 0800 0000');
  expect(readGroup(asked)).toMatchObject({ bridge: 3, port: 5, permanent: true, vid: 10, group: '239.1.1.1' });
  expect(() => readGroup(asked.subarray(0, 30))).toThrow(NetlinkFault);
});

test('a group of a vxlan device', () => {
  // bridge mdb add dev vx0 port vx0 grp 239.1.1.1 permanent dst 192.0.2.9 dst_port 4791 vni 99 src_vni 110 via eth0
  const entry = '2000 0100 05000000 01 00 0000 ef010101 000000000000000000000000 0800 0000';
  const place = '0800 0500 c0000209 0600 0600 b712 0000 0800 0700 63000000 0800 0900 6e000000 0800 0800 02000000';
  expect(readGroup(bytes(`07000000 05000000 ${entry} 2c00 0280 ${place}`))).toMatchObject({
    bridge: 5,
    port: 5,
    dst: '192.0.2.9',
    dstPort: 4791,
    vni: 99,
    srcVni: 110,
    via: 2,
    hasState: false,
  });
  // bridge mdb flush dev vx0 src_vni 110 permanent
  const none = '2000 0100 00000000 01 00 0000 00000000 000000000000000000000000 0000 0000';
  const flush = readGroup(bytes(`07000000 05000000 ${none} 1400 0280 0800 0900 6e000000 0500 0a00 01 000000`));
  expect(flush).toMatchObject({ bridge: 5, port: 0, srcVni: 110, permanent: true, hasState: true });
  const facts = { port: 5, permanent: true, group: '239.1.1.1', protocol: 4, starExclude: false, blocked: false };
  const written = writeGroups(5, [{ ...facts, dst: '192.0.2.9', dstPort: 4791, vni: 99, srcVni: 110, via: 2 }], []);
  expect(hexOf(Buffer.concat(written))).toBe(
    hexOf(
      bytes(
        '07000000 05000000 6000 0100 5c00 0100 5800 0100 05000000 01 00 0000 ef010101 000000000000000000000000 0800 0000 0800 0100 00000000 0500 0500 04 000000 0800 0600 c0000209 0600 0700 b712 0000 0800 0800 63000000 0800 0900 02000000 0800 0a00 6e000000',
      ),
    ),
  );
});

test('more groups than an attribute has room for go on in the next message', () => {
  const one = { port: 5, permanent: true, group: '239.1.1.1', protocol: 4, starExclude: false, blocked: false };
  const router = { port: 5, permanent: false, vid: 7 };
  const payloads = writeGroups(3, Array(5000).fill(one), Array(5000).fill(router));
  const read = payloads.map((payload) => new AttributeMap(payload.subarray(8)));
  const count = (type: number): number => read.reduce((sum, all) => sum + (all.nested(type)?.all.length ?? 0), 0);
  expect([count(1), count(2)]).toEqual([5000, 5000]);
  expect(Math.max(...payloads.map(({ length }) => length))).toBeLessThan(34_000);
});

test('nexthops', () => {
  // ip nexthop add id 10 group 1,3/2 fdb
  const group = bytes('00000000 00000000 0800 0100 0a000000 1400 0200 01000000 00000000 02000000 02000000 0400 0b00');
  const asked = {
    id: 10,
    group: [
      { id: 1, weight: 1 },
      { id: 2, weight: 3 },
    ],
    gateway: undefined,
    isFdb: true,
    protocol: 0,
  };
  expect(readNexthop(group)).toEqual(asked);
  expect(readNexthop(writeNexthop(asked))).toEqual(asked);
  const vtep = { id: 1, gateway: '192.0.2.1', group: undefined, isFdb: true, protocol: 186 };
  expect(hexOf(writeNexthop(vtep))).toBe(
    hexOf(bytes('02 fd ba 00 00000000 0800 0100 01000000 0800 0600 c0000201 0400 0b00')),
  );
  expect(() => readNexthop(bytes('00000000 00000000 0500 0200 01 000000'))).toThrow(NetlinkFault);
});

test('any bytes are read, or refused as a fault of the request', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
      const buffer = Buffer.from(random);
      for (const read of [
        () => readMessages(buffer),
        () => readNeighbour(buffer),
        () => readGroup(buffer),
        () => readNexthop(buffer),
        () => readIfinfo(buffer),
        () => readVxlan(new AttributeMap(buffer)),
        () => readOptions(BRIDGE_OPTIONS, new AttributeMap(buffer), 'a bridge'),
      ]) {
        try {
          read();
        } catch (error) {
          expect(error).toBeInstanceOf(NetlinkFault);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('a message that is written is read again', () => {
  const number = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(
    fc.property(
      fc.nat(0xffff),
      fc.nat(0xffff),
      number,
      number,
      fc.uint8Array({ maxLength: 64 }),
      (type, flags, seq, pid, data) => {
        const message = { type, flags, seq, pid, payload: Buffer.from(data) };
        expect(readMessages(writeMessage(message))).toEqual([message]);
      },
    ),
  );
  expect(hexOf(writeIfinfo({ index: 5 }))).toBe(hexOf(bytes('00 00 0000 05000000 00000000 00000000')));
});
