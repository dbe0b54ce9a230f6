import { afterEach, describe, expect, test } from 'vitest';
import { openGroupReceiver, openReceiver, openSenders, UnderlayError } from '../../src/port/underlay.js';
import { captureIn, cleanUp, frame, inside, ip, makeNamespace, makePacketIo } from '../native/native-testbed.js';
import {
  ADDRESSES,
  closedLater,
  type Family,
  type Hosts,
  kernelPeer,
  link,
  onOwn,
  outerOf,
  reportOf,
  sendAll,
  sysctl,
  takeIn,
  twoHosts,
  VXLAN,
  WORDS,
  watch,
} from './group-links.js';

afterEach(cleanUp);

const GROUP = 7;
const SINGLE = 3;
const FAMILIES: Family[] = [4, 6];

type Place = Omit<Parameters<typeof openReceiver>[0], 'port'>;

/** The far host's vxlan device sends a frame: to its group, since it is a broadcast. */
function broadcast(hosts: Hosts, payload = 50): Buffer {
  const bytes = frame(payload);
  bytes.fill(0xff, 0, 6);
  captureIn(hosts.peer, 'vx0').write(bytes);
  return Buffer.concat([VXLAN, bytes]);
}

function groupReceiver(hosts: Hosts, options: Partial<Parameters<typeof openGroupReceiver>[0]> = {}) {
  const { group } = ADDRESSES[hosts.family];
  return onOwn(hosts, () => openGroupReceiver({ group, dev: 'a0', port: 4789, ...options }));
}

/** A pool on the far host, attached to a PacketIo of its own, that sends a datagram or several to the group. */
function sendFrom(hosts: Hosts, dev: string, bytes: number, count = 1, port = 4789): void {
  const { peer } = ADDRESSES[hosts.family];
  const io = makePacketIo();
  const [sender] = closedLater(
    inside(hosts.peer, () =>
      openSenders({ local: peer, range: [40000, 40099], count: 1, seed: 0, multicast: { dev } }),
    ),
  );
  io.attachSender(0, sender.fd);
  io.setRemote(0, ...WORDS[hosts.family].group, port);
  expect(sendAll(io, bytes, count)).toEqual(Array(count).fill(0));
}

describe.each(FAMILIES)('a group receiver over IPv%i', (family) => {
  test.each<[string, Place, number]>([
    ['one bound to an address', { local: ADDRESSES[family].own }, 1],
    ['one bound to any address', { family }, 1],
    ['several bound to any address', { family, reusePort: true }, 3],
  ])('takes in what a kernel peer sends to its group, once, beside %s', (_, place, workers) => {
    const hosts = twoHosts(family);
    kernelPeer(hosts, { more: 'tos 0xb8' });
    const io = makePacketIo();
    for (let i = 0; i < workers; i++) {
      const single = onOwn(hosts, () => openReceiver({ ...place, port: 4789 }));
      io.attachSocket(SINGLE + i, single.fd);
    }
    const group = groupReceiver(hosts);
    expect(group.port).toBe(4789);
    io.attachSocket(GROUP, group.fd);

    const sent = broadcast(hosts);
    expect(takeIn(io, 1)).toEqual([{ socket: GROUP, bytes: sent, tos: 0xb8, from: WORDS[family].peer, segment: 0 }]);

    // What is for a single host goes past it.
    const known = frame(40);
    ip(
      'netns',
      'exec',
      hosts.peer,
      'bridge',
      'fdb',
      'add',
      '02:00:00:00:00:02',
      'dev',
      'vx0',
      'dst',
      ADDRESSES[family].own,
    );
    captureIn(hosts.peer, 'vx0').write(known);
    const single = takeIn(io, 1);
    expect(single.map(({ bytes }) => bytes)).toEqual([Buffer.concat([VXLAN, known])]);
    expect(single[0].socket).not.toBe(GROUP);
  });

  test('joins the group, and leaves it when closed', () => {
    const hosts = twoHosts(family);
    const wire = captureIn(hosts.peer, 'b0');
    const membership = () =>
      ip('-n', hosts.own, '-j', 'maddr', 'show', 'dev', 'a0').includes(`"${ADDRESSES[family].group}"`);
    const igmp = () => ip('netns', 'exec', hosts.own, 'cat', family === 4 ? '/proc/net/igmp' : '/proc/net/igmp6');
    const listed = family === 4 ? '010101EF' : 'ff050000000000000000000000000042';
    expect([membership(), igmp().includes(listed)]).toEqual([false, false]);
    const receiver = groupReceiver(hosts);
    expect([membership(), igmp().includes(listed)]).toEqual([true, true]);
    expect(watch(wire, 1, (bytes) => reportOf(bytes, family))).toContain('joins');
    receiver.close();
    expect([membership(), igmp().includes(listed)]).toEqual([false, false]);
    // The host may say once more that it joins.
    const leaving = (bytes: Buffer) => (reportOf(bytes, family) === 'leaves' ? 'leaves' : undefined);
    expect(watch(wire, 1, leaving)).toContain('leaves');
    // Closing it again does not close what may have its number by now.
    const next = groupReceiver(hosts);
    receiver.close();
    expect(membership()).toBe(true);
    next.close();
  });

  test('shares the membership with one on another port, and neither takes the other one’s datagrams', () => {
    const hosts = twoHosts(family);
    const io = makePacketIo();
    const [first, second] = [4789, 8472].map((port) => groupReceiver(hosts, { port }));
    io.attachSocket(1, first.fd);
    io.attachSocket(2, second.fd);
    const member = () =>
      ip('-n', hosts.own, '-j', 'maddr', 'show', 'dev', 'a0').includes(`"${ADDRESSES[family].group}"`);

    kernelPeer(hosts, { port: 8472 });
    const sent = broadcast(hosts);
    expect(takeIn(io, 1).map(({ socket, bytes }) => [socket, bytes])).toEqual([[2, sent]]);
    sendFrom(hosts, 'b0', 70);
    expect(takeIn(io, 1).map(({ socket, bytes }) => [socket, bytes.length])).toEqual([[1, 70]]);

    io.detachSocket(1);
    first.close();
    expect(member()).toBe(true);
    expect([broadcast(hosts)]).toEqual(takeIn(io, 1).map(({ bytes }) => bytes));
    second.close();
    expect(member()).toBe(false);
  });

  test('has its device only, where the host is in one group on two', () => {
    const hosts = twoHosts(family);
    link(hosts, 'a1', 'b1');
    const io = makePacketIo();
    ['a0', 'a1'].forEach((dev, i) => {
      io.attachSocket(i, groupReceiver(hosts, { dev }).fd);
    });
    // An address of the far host is as good as source on the one link as on the other.
    if (family === 4) sysctl(hosts.own, 'ipv4/conf/all/rp_filter', '0');
    if (family === 4) sysctl(hosts.own, 'ipv4/conf/a1/rp_filter', '0');
    sendFrom(hosts, 'b0', 70);
    expect(takeIn(io, 1).map(({ socket, bytes }) => [socket, bytes.length])).toEqual([[0, 70]]);
    sendFrom(hosts, 'b1', 71);
    expect(takeIn(io, 1).map(({ socket, bytes }) => [socket, bytes.length])).toEqual([[1, 71]]);
  });

  test('takes in no other group of its port and device, nor does the receiver beside it', () => {
    const hosts = twoHosts(family);
    const io = makePacketIo();
    io.attachSocket(SINGLE, onOwn(hosts, () => openReceiver({ family, port: 4789 })).fd);
    io.attachSocket(GROUP, groupReceiver(hosts, { group: ADDRESSES[family].other }).fd);
    // The host takes in the group; no socket of the port has asked for it.
    const elsewhere = groupReceiver(hosts, { port: 9999 });
    sendFrom(hosts, 'b0', 70);
    expect(takeIn(io, 0)).toEqual([]);
    io.attachSocket(GROUP + 1, elsewhere.fd);
    sendFrom(hosts, 'b0', 70, 1, 9999);
    expect(takeIn(io, 1).map(({ socket }) => socket)).toEqual([GROUP + 1]);
  });

  test('takes in trains in one piece, if asked to', () => {
    const hosts = twoHosts(family);
    const io = makePacketIo();
    const receiver = groupReceiver(hosts, { gro: true });
    expect(receiver.gro).toBe(true);
    io.attachSocket(GROUP, receiver.fd);
    sendFrom(hosts, 'b0', 1000, 20);
    const taken = takeIn(io, 20);
    expect(taken.map(({ bytes }) => bytes.length)).toEqual(Array(20).fill(1000));
    expect(taken.map(({ segment }) => segment)).toEqual(Array(20).fill(1000));
    expect(taken.map(({ bytes }) => bytes[22])).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  test('says so again, and goes on, when its link was down', () => {
    const hosts = twoHosts(family);
    kernelPeer(hosts);
    const io = makePacketIo();
    io.attachSocket(GROUP, groupReceiver(hosts).fd);
    ip('-n', hosts.own, 'link', 'set', 'a0', 'down');
    const wire = captureIn(hosts.peer, 'b0');
    ip('-n', hosts.own, 'link', 'set', 'a0', 'up');
    expect(watch(wire, 1, (bytes) => reportOf(bytes, family))).toContain('joins');
    // The far host, too, was without a carrier, and may take a while to trust it.
    let taken = 0;
    for (let tries = 0; taken === 0 && tries < 3; tries++) {
      broadcast(hosts);
      taken = takeIn(io, 1).length;
    }
    expect(taken).toBe(1);
  });

  test('does not make room for others on the port of the receiver beside it', () => {
    const hosts = twoHosts(family);
    onOwn(hosts, () => openReceiver({ family, port: 4789 }));
    groupReceiver(hosts);
    expect(() => inside(hosts.own, () => openReceiver({ family, port: 4789 }))).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    );
    const user = ['python3', '-c', BIND, String(family)];
    expect(ip('netns', 'exec', hosts.own, ...user).trim()).toBe('98');
  });

  test('is refused in plain words', () => {
    const hosts = twoHosts(family);
    const { own, group } = ADDRESSES[family];
    const open = (options: object) => () => groupReceiver(hosts, options);
    expect(open({ dev: 'eth9' })).toThrow(UnderlayError);
    expect(open({ dev: 'eth9' })).toThrow(`at ${group}, UDP port 4789: there is no device eth9`);
    expect(open({ group: own })).toThrow(`${own} is not a multicast address`);
    expect(open({ dev: 'lo' })).toThrow('lo does not carry multicast; choose another device');
    ip(
      '-n',
      hosts.own,
      'link',
      'add',
      'vxk',
      'type',
      'vxlan',
      'id',
      '9',
      'dstport',
      '4789',
      ...(family === 6 ? ['local', own] : []),
    );
    ip('-n', hosts.own, 'link', 'set', 'vxk', 'up');
    expect(open({})).toThrow('a vxlan device of the kernel, has that port');
  });
});

/** Prints the errno with which another user's bind to any address and port 4789 fails, or 0; willing to share in every way. */
const BIND = `
import os, socket, sys
os.setuid(65534)
s = socket.socket(socket.AF_INET6 if sys.argv[1] == '6' else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
if sys.argv[1] == '6': s.setsockopt(41, socket.IPV6_V6ONLY, 1)
try:
  s.bind(('::' if sys.argv[1] == '6' else '0.0.0.0', 4789))
  print(0)
except OSError as error:
  print(error.errno)
`;

describe('over IPv6', () => {
  test('a group receiver accepts datagrams without a checksum', () => {
    const hosts = twoHosts(6);
    kernelPeer(hosts, { more: 'udp6zerocsumtx' });
    const io = makePacketIo();
    io.attachSocket(GROUP, groupReceiver(hosts).fd);
    const wire = captureIn(hosts.own, 'a0');
    const sent = broadcast(hosts);
    expect(takeIn(io, 1).map(({ bytes }) => bytes)).toEqual([sent]);
    expect(watch(wire, 1, (bytes) => outerOf(bytes, 6)?.checksum)).toEqual([0]);
  });

  test('a group of the link’s own is joined on its device', () => {
    const hosts = twoHosts(6);
    kernelPeer(hosts, { group: 'ff02::42' });
    const io = makePacketIo();
    io.attachSocket(GROUP, groupReceiver(hosts, { group: 'ff02::42' }).fd);
    const sent = broadcast(hosts);
    expect(takeIn(io, 1).map(({ bytes }) => bytes)).toEqual([sent]);
  });

  test.each([
    ['disabled', (netns: string) => sysctl(netns, 'ipv6/conf/a0/disable_ipv6', '1')],
    ['left no room by the MTU', (netns: string) => void ip('-n', netns, 'link', 'set', 'a0', 'mtu', '1200')],
  ])('a device where it is %s is refused', (_, spoil) => {
    const hosts = twoHosts(6);
    spoil(hosts.own);
    expect(() => groupReceiver(hosts)).toThrow(
      'IPv6 is off on a0; switch it on with "sysctl net.ipv6.conf.a0.disable_ipv6=0" and an MTU of 1280 or more',
    );
  });
});

test('a group receiver needs a namespace with the device in it', () => {
  const hosts = twoHosts(4);
  const elsewhere = makeNamespace();
  expect(() =>
    inside(elsewhere, () => openGroupReceiver({ group: ADDRESSES[4].group, dev: 'a0', port: 4789 })),
  ).toThrow('there is no device a0');
  expect(groupReceiver(hosts).port).toBe(4789);
});
