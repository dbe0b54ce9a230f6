import { afterEach, describe, expect, test } from 'vitest';
import * as native from '../../src/native/binding.js';
import * as L from '../../src/port/packet-io.js';
import {
  openReceiver,
  openSenders,
  pathMtu,
  portsOf,
  sendByReceiver,
  UnderlayError,
  vrfOf,
} from '../../src/port/underlay.js';
import {
  captureIn,
  cleanUp,
  command,
  inside,
  ip,
  later,
  makeNamespace,
  makePacketIo,
  nextFrame,
  outcome,
  put,
  receiveSome,
  rx,
  rxBytes,
} from './native-testbed.js';

afterEach(cleanUp);

const EMSGSIZE = 90;
const LOOPBACK: [number, number, number, number] = [0, 0, 0xffff, 0x7f000001];
const VXLAN = Buffer.from('0800000000002a00', 'hex');

type Options = Partial<Parameters<typeof openSenders>[0]>;

/** A receiver at 4789, senders, and a frame behind an encapsulation header in the arena, within one namespace. */
function underlay(local: string, options: Options & { ns?: string } = {}) {
  const { ns = makeNamespace({ ipv6: local.includes(':') }), ...rest } = options;
  const io = makePacketIo();
  const receiver = inside(ns, () => openReceiver({ local, port: 4789 }));
  const senders = inside(ns, () => openSenders({ local, range: [40000, 40099], count: 2, seed: 7, ...rest }));
  for (const socket of [receiver, ...senders]) later(() => socket.close());
  io.attachSocket(5, receiver.fd);
  senders.forEach((sender, i) => {
    io.attachSender(i, sender.fd);
  });
  put(io, 0, VXLAN);
  return { ns, io, receiver, senders };
}

/** Where the tests put their frame: far behind what a batch of theirs takes. */
const FRAME = 8 * 1024 * 1024 + 2;

const SEND = { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_HEADER: 0, TX_HEADER_LENGTH: 8 };

function body(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (i * 7) & 0xff));
}

describe('a datagram over IPv4', () => {
  test('is gathered from header and frame, and arrives with source and type of service', () => {
    const { io, senders } = underlay('127.0.0.1');
    io.setRemote(3, ...LOOPBACK, 4789);
    put(io, FRAME, body(100));
    command(io, 0, { ...SEND, TX_INDEX: 1, TX_LENGTH: 100, TX_REMOTE: 3, TX_TOS: 0xb9 });
    command(io, 1, { ...SEND, TX_INDEX: 0, TX_LENGTH: 60, TX_REMOTE: 3 });
    expect(io.transmit(2)).toBe(0);
    expect(receiveSome(io)).toBe(2);
    const ports = senders.map((sender) => sender.port);
    const seen = [0, 1].sort((a, b) => rx(io, b, L.RX_LENGTH) - rx(io, a, L.RX_LENGTH));
    expect(rxBytes(io, seen[0])).toEqual(Buffer.concat([VXLAN, body(100)]));
    expect(rxBytes(io, seen[1])).toEqual(Buffer.concat([VXLAN, body(60)]));
    expect(seen.map((i) => rx(io, i, L.RX_TOS))).toEqual([0xb9, 0]);
    expect(seen.map((i) => rx(io, i, L.RX_SOURCE_PORT))).toEqual([ports[1], ports[0]]);
    for (const i of seen) {
      expect(rx(io, i, L.RX_KIND)).toBe(L.KIND_UDP);
      expect(rx(io, i, L.RX_INDEX)).toBe(5);
      expect(rx(io, i, L.RX_SEGMENT)).toBe(0);
      expect([0, 1, 2, 3].map((word) => rx(io, i, L.RX_ADDRESS + word))).toEqual(LOOPBACK);
      // The inner Ethernet header, behind the eight bytes of VXLAN, lies as a TAP's frame would.
      expect((rx(io, i, L.RX_OFFSET) + 8) % 4).toBe(2);
    }
  });

  test.each([
    ['pushed', L.TAG_PUSH | 0x0123, Buffer.concat([body(12), Buffer.from('81000123', 'hex'), body(100).subarray(12)])],
    ['popped', L.TAG_POP, Buffer.concat([body(12), body(100).subarray(16)])],
    ['replaced', L.TAG_REPLACE | 0x0123, Buffer.concat([body(14), Buffer.from('0123', 'hex'), body(100).subarray(16)])],
  ])('leaves with the tag %s', (_, tag, expected) => {
    const { io } = underlay('127.0.0.1');
    io.setRemote(0, ...LOOPBACK, 4789);
    put(io, FRAME, body(100));
    command(io, 0, { ...SEND, TX_LENGTH: 100, TX_TAG: tag });
    expect(io.transmit(1)).toBe(0);
    expect(receiveSome(io)).toBe(1);
    expect(rxBytes(io, 0).subarray(8)).toEqual(expected);
    expect(Buffer.from(io.arena, FRAME, 100)).toEqual(body(100));
  });

  test('comes in order and complete when there are many, whatever their size', () => {
    const { io } = underlay('127.0.0.1');
    io.setRemote(0, ...LOOPBACK, 4789);
    put(io, FRAME, body(9100));
    const sizes = Array.from({ length: 300 }, (_, i) => 14 + ((i * 37) % 9000));
    const got: number[][] = [[], []];
    for (let at = 0; at < sizes.length; at += 100) {
      for (let i = 0; i < 100; i++) command(io, i, { ...SEND, TX_INDEX: i & 1, TX_LENGTH: sizes[at + i] });
      expect(io.transmit(100)).toBe(0);
      for (let left = 100; left > 0; ) {
        const count = receiveSome(io);
        expect(count).toBeGreaterThan(0);
        for (let i = 0; i < count; i++) {
          const bytes = rxBytes(io, i);
          expect(bytes.subarray(8).equals(body(9100).subarray(0, bytes.length - 8))).toBe(true);
          got[rx(io, i, L.RX_SOURCE_PORT) === 40007 ? 0 : 1].push(bytes.length - 8);
        }
        left -= count;
      }
    }
    // Order is kept per source port, which is to say per flow.
    expect(got[0]).toEqual(sizes.filter((_, i) => (i & 1) === 0));
    expect(got[1]).toEqual(sizes.filter((_, i) => (i & 1) === 1));
  });

  test('of the greatest length arrives whole', () => {
    const { io } = underlay('127.0.0.1');
    io.setRemote(0, ...LOOPBACK, 4789);
    put(io, FRAME, body(65000));
    command(io, 0, { ...SEND, TX_LENGTH: 65000 });
    expect(io.transmit(1)).toBe(0);
    expect(receiveSome(io)).toBe(1);
    expect(rxBytes(io, 0).subarray(8).equals(body(65000))).toBe(true);
  });
});

describe('over a link with an MTU', () => {
  function linkOf1500(options: Options = {}) {
    const ns = makeNamespace();
    ip('-n', ns, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth1');
    for (const name of ['veth0', 'veth1']) ip('-n', ns, 'link', 'set', name, 'up');
    ip('-n', ns, 'addr', 'add', '192.0.2.1/24', 'dev', 'veth0');
    ip('-n', ns, 'neigh', 'add', '192.0.2.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'veth0');
    const made = underlay('192.0.2.1', { ns, ...options });
    made.io.setRemote(0, 0, 0, 0xffff, 0xc0000202 | 0, 4789);
    return { ...made, wire: captureIn(ns, 'veth1') };
  }

  test.each([
    [false, 0x00],
    [true, 0x40],
  ])('what is too long fails alone, and DF is as asked (%s)', (df, flags) => {
    const { io, wire } = linkOf1500({ df, ttl: 9 });
    put(io, FRAME, body(2000));
    // 20 of IP, 8 of UDP, 8 of VXLAN: 1464 is the longest frame.
    [1464, 1465, 60].forEach((TX_LENGTH, i) => {
      command(io, i, { ...SEND, TX_LENGTH });
    });
    expect(io.transmit(3)).toBe(1);
    expect([0, 1, 2].map((i) => outcome(io, i))).toEqual([0, EMSGSIZE, 0]);
    const [long, short] = [nextFrame(wire), nextFrame(wire)];
    expect([long.length, short.length]).toEqual([1514, 14 + 36 + 60]);
    expect(long[14 + 6] & 0xe0).toBe(flags);
    expect(long.readUInt16BE(14 + 6) & 0x3fff).toBe(0);
    expect(long[14 + 8]).toBe(9);
  });

  test('the outer checksum is zero when switched off', () => {
    const { io, wire } = linkOf1500({ checksum: false });
    put(io, FRAME, body(100));
    command(io, 0, { ...SEND, TX_LENGTH: 100 });
    expect(io.transmit(1)).toBe(0);
    expect(nextFrame(wire).readUInt16BE(14 + 20 + 6)).toBe(0);
  });

  test('the path MTU is known', () => {
    const { ns } = linkOf1500();
    expect(inside(ns, () => pathMtu({ remote: '192.0.2.2' }))).toBe(1500);
    expect(inside(ns, () => pathMtu({ remote: '192.0.2.2', local: '192.0.2.1', dev: 'veth0' }))).toBe(1500);
    ip('-n', ns, 'route', 'add', '198.51.100.0/24', 'via', '192.0.2.2', 'mtu', '1400');
    expect(inside(ns, () => pathMtu({ remote: '198.51.100.1' }))).toBe(1400);
    expect(() => inside(ns, () => pathMtu({ remote: '203.0.113.1' }))).toThrow(
      'cannot find the MTU of the path to 203.0.113.1: there is no route to it',
    );
  });

  test('a remote without a route is an outcome', () => {
    const { io } = linkOf1500();
    io.setRemote(1, 0, 0, 0xffff, 0xcb007101, 4789);
    put(io, FRAME, body(100));
    command(io, 0, { ...SEND, TX_LENGTH: 100, TX_REMOTE: 1 });
    command(io, 1, { ...SEND, TX_LENGTH: 100 });
    expect(io.transmit(2)).toBe(1);
    expect([outcome(io, 0), outcome(io, 1)]).toEqual([101, 0]);
  });
});

describe('a datagram over IPv6', () => {
  test.each([true, false])('arrives with source and traffic class (outer checksum: %s)', (checksum) => {
    const { io, senders } = underlay('::1', { checksum });
    io.setRemote(0, 0, 0, 0, 1, 4789);
    put(io, FRAME, body(100));
    command(io, 0, { ...SEND, TX_LENGTH: 100, TX_TOS: 0x2e });
    expect(io.transmit(1)).toBe(0);
    expect(receiveSome(io)).toBe(1);
    expect(rxBytes(io, 0)).toEqual(Buffer.concat([VXLAN, body(100)]));
    expect(rx(io, 0, L.RX_TOS)).toBe(0x2e);
    expect([0, 1, 2, 3].map((word) => rx(io, 0, L.RX_ADDRESS + word))).toEqual([0, 0, 0, 1]);
    expect(rx(io, 0, L.RX_SOURCE_PORT)).toBe(senders[0].port);
  });

  test('that is longer than the MTU is not fragmented', () => {
    const { ns, io } = underlay('::1');
    ip('-n', ns, 'link', 'set', 'lo', 'mtu', '1500');
    io.setRemote(0, 0, 0, 0, 1, 4789);
    put(io, FRAME, body(2000));
    [1444, 1445].forEach((TX_LENGTH, i) => {
      command(io, i, { ...SEND, TX_LENGTH });
    });
    expect(io.transmit(2)).toBe(1);
    expect([outcome(io, 0), outcome(io, 1)]).toEqual([0, EMSGSIZE]);
    expect(inside(ns, () => pathMtu({ remote: '::1' }))).toBe(1500);
  });
});

describe('sending sockets', () => {
  test('begin where the seed says and pass over ports in use', () => {
    const { ns, senders } = underlay('127.0.0.1', { range: [40000, 40009], count: 3, seed: 8 });
    expect(senders.map((sender) => sender.port)).toEqual([40008, 40009, 40000]);
    const more = inside(ns, () => openSenders({ local: '127.0.0.1', range: [40000, 40009], seed: 8 }));
    for (const sender of more) later(() => sender.close());
    expect(more.map((sender) => sender.port)).toEqual([40001, 40002, 40003, 40004, 40005, 40006, 40007]);
    expect(() => inside(ns, () => openSenders({ local: '127.0.0.1', range: [40000, 40009], seed: 8 }))).toThrow(
      'every source port of 40000-40009 is in use',
    );
    expect([...portsOf([5, 7], -1)].sort()).toEqual([5, 6, 7]);
  });

  test('take nothing in', () => {
    const { io, senders } = underlay('127.0.0.1');
    io.setRemote(0, ...LOOPBACK, senders[0].port);
    // Attached as if it were to receive.
    io.attachSocket(9, senders[0].fd);
    put(io, FRAME, body(100));
    command(io, 0, { ...SEND, TX_INDEX: 1, TX_LENGTH: 100 });
    expect(io.transmit(1)).toBe(0);
    expect(io.receive(100)).toBe(0);
  });
});

describe('a receiving socket that sends too', () => {
  /** By NIC veth0 with both families; what leaves is captured at the cable's other end. */
  function cable() {
    const ns = makeNamespace({ ipv6: true });
    ip('-n', ns, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth1');
    for (const name of ['veth0', 'veth1']) ip('-n', ns, 'link', 'set', name, 'up');
    for (const address of ['192.0.2.1/24', '2001:db8::1/64'])
      ip('-n', ns, 'addr', 'add', address, 'dev', 'veth0', ...(address.includes(':') ? ['nodad'] : []));
    for (const address of ['192.0.2.2', '2001:db8::2'])
      ip('-n', ns, 'neigh', 'add', address, 'lladdr', '02:00:00:00:00:02', 'dev', 'veth0');
    return { ns, wire: captureIn(ns, 'veth1') };
  }

  /** A PacketIo that receives and sends by the one socket, and frames of it to the remote on the cable. */
  function byReceiver(local: string, reusePort = false) {
    const { ns, wire } = cable();
    const io = makePacketIo();
    const receiver = inside(ns, () => openReceiver({ local, port: 4789, gro: true, reusePort }));
    later(() => receiver.close());
    const prepare = (options: Parameters<typeof sendByReceiver>[1]): void =>
      inside(ns, () => sendByReceiver(receiver, { local, ...options }));
    prepare({});
    io.attachSocket(5, receiver.fd);
    io.attachSender(0, receiver.fd);
    if (local.includes(':')) io.setRemote(0, 0x20010db8, 0, 0, 2, 4789);
    else io.setRemote(0, 0, 0, 0xffff, 0xc0000202 | 0, 4789);
    put(io, 0, VXLAN);
    put(io, FRAME, body(2000));
    const send = (length: number): number => {
      command(io, 0, { ...SEND, TX_LENGTH: length });
      io.transmit(1);
      return outcome(io, 0);
    };
    const sent = (by = wire): Buffer => {
      expect(send(100)).toBe(0);
      for (;;) {
        const frame = nextFrame(by);
        const udp = local.includes(':') ? 14 + 40 : 14 + 20;
        // Neighbour discovery is on each cable too.
        if (frame.length > udp + 8 && frame.readUInt16BE(udp + 2) === 4789) return frame;
      }
    };
    return { ns, io, receiver, prepare, send, sent };
  }

  test.each([
    ['192.0.2.1', false],
    ['192.0.2.1', true],
    ['2001:db8::1', false],
  ])('from %s sends from the port that it receives on, and still receives (shared port: %s)', (local, reusePort) => {
    const { ns, io, sent } = byReceiver(local, reusePort);
    expect(sent().readUInt16BE(local.includes(':') ? 14 + 40 : 14 + 20)).toBe(4789);
    const [sender] = inside(ns, () => openSenders({ local, range: [40000, 40000], seed: 0 }));
    later(() => sender.close());
    io.attachSender(1, sender.fd);
    if (local.includes(':')) io.setRemote(1, 0x20010db8, 0, 0, 1, 4789);
    else io.setRemote(1, 0, 0, 0xffff, 0xc0000201 | 0, 4789);
    command(io, 0, { ...SEND, TX_INDEX: 1, TX_REMOTE: 1, TX_LENGTH: 100 });
    expect(io.transmit(1)).toBe(0);
    expect(receiveSome(io)).toBe(1);
    expect(rx(io, 0, L.RX_SOURCE_PORT)).toBe(40000);
  });

  test('sends over IPv4 with TTL, DF and checksum as told, and as told anew', () => {
    const { prepare, send, sent } = byReceiver('192.0.2.1');
    const facts = (frame: Buffer): unknown => ({
      ttl: frame[14 + 8],
      df: frame[14 + 6] >> 6,
      checksum: frame.readUInt16BE(14 + 20 + 6) !== 0,
    });
    expect(facts(sent())).toEqual({ ttl: 64, df: 0, checksum: true });
    prepare({ ttl: 9, df: true, checksum: false });
    expect(facts(sent())).toEqual({ ttl: 9, df: 1, checksum: false });
    expect(send(1465)).toBe(EMSGSIZE);
    prepare({});
    expect(facts(sent())).toEqual({ ttl: 64, df: 0, checksum: true });
    expect(send(1465)).toBe(EMSGSIZE);
  });

  test('sends over IPv6 with hop limit and checksum as told, and as told anew', () => {
    const { prepare, send, sent } = byReceiver('2001:db8::1');
    const facts = (frame: Buffer): unknown => ({
      ttl: frame[14 + 7],
      checksum: frame.readUInt16BE(14 + 40 + 6) !== 0,
    });
    expect(facts(sent())).toEqual({ ttl: 64, checksum: true });
    prepare({ ttl: 9, checksum: false });
    expect(facts(sent())).toEqual({ ttl: 9, checksum: false });
    prepare({});
    expect(facts(sent())).toEqual({ ttl: 64, checksum: true });
    expect(send(1445)).toBe(EMSGSIZE);
  });

  test('sends by the device that it is told, and receives by all', () => {
    const { ns, prepare, sent } = byReceiver('192.0.2.1');
    ip('-n', ns, 'link', 'add', 'other', 'type', 'veth', 'peer', 'name', 'far');
    for (const name of ['other', 'far']) ip('-n', ns, 'link', 'set', name, 'up');
    ip('-n', ns, 'neigh', 'add', '192.0.2.2', 'lladdr', '02:00:00:00:00:03', 'dev', 'other');
    const others = captureIn(ns, 'far');
    prepare({ dev: 'veth0' });
    expect(sent().readUInt16BE(14 + 20)).toBe(4789);
    prepare({ dev: 'other' });
    expect(sent(others).readUInt16BE(14 + 20)).toBe(4789);
    prepare({});
    expect(sent().readUInt16BE(14 + 20)).toBe(4789);
    expect(() => prepare({ dev: 'eth9' })).toThrow('there is no device eth9');
  });
});

describe('what cannot be opened is refused in plain words', () => {
  test('a port in use', () => {
    const { ns } = underlay('127.0.0.1');
    const open = (): unknown => inside(ns, () => openReceiver({ local: '127.0.0.1', port: 4789 }));
    expect(open).toThrow(UnderlayError);
    expect(open).toThrow(
      /127\.0\.0\.1, UDP port 4789: another process, or a vxlan device of the kernel, has that port/,
    );
    expect(() => inside(ns, () => openReceiver({ port: 4789 }))).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    );
  });

  test('an address or a device that is not there', () => {
    const ns = makeNamespace();
    expect(() => inside(ns, () => openReceiver({ local: '192.0.2.1', port: 4789 }))).toThrow(
      'no device of this host has that address',
    );
    expect(() => inside(ns, () => openSenders({ dev: 'eth9', range: [40000, 40001], seed: 0 }))).toThrow(
      'there is no device eth9',
    );
    expect(() => openSenders({ range: [50000, 40000], seed: 0 })).toThrow('range of source ports');
    expect(() => pathMtu({ remote: 'nowhere' })).toThrow('nowhere is no IPv4 address');
  });
});

test('a device that is in no VRF, or is not there, has none: in a bridge, and alone', () => {
  const ns = makeNamespace();
  ip('-n', ns, 'link', 'add', 'br0', 'type', 'bridge');
  ip('-n', ns, 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  ip('-n', ns, 'link', 'set', 'v0', 'master', 'br0');
  for (const dev of ['lo', 'v0', 'v1', 'br0', 'absent']) expect(inside(ns, () => vrfOf(dev))).toBeNull();
  expect(inside(ns, () => nativeError(() => native.vrfOf({ dev: 'absent' })))).toBe('ENODEV');
});

function nativeError(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return native.isNativeError(error) ? error.code : String(error);
  }
}
