import { afterEach, describe, expect, test } from 'vitest';
import { openGroupReceiver, openSenders, pathMtu } from '../../src/port/underlay.js';
import { captureIn, cleanUp, frame, inside, ip, makePacketIo } from '../native/native-testbed.js';
import {
  ADDRESSES,
  closedLater,
  type Family,
  type Hosts,
  kernelPeer,
  link,
  type OuterDatagram,
  onOwn,
  outerOf,
  sendAll,
  sysctl,
  takeIn,
  twoHosts,
  VXLAN,
  WORDS,
  watch,
} from './group-links.js';

afterEach(cleanUp);

const EMSGSIZE = 90;
const TO_GROUP = { TX_REMOTE: 0 };
const TO_PEER = { TX_REMOTE: 1 };
const FAMILIES: Family[] = [4, 6];

/** The group's MAC address, by RFC 1112 section 6.4 and RFC 2464 section 7. */
const GROUP_MAC = { 4: '01005e010101', 6: '333300000042' };

type Options = Partial<Parameters<typeof openSenders>[0]>;

/** A pool of one on our host: remote 0 is the group, remote 1 the far host. */
function senderOn(hosts: Hosts, options: Options = {}) {
  const { own } = ADDRESSES[hosts.family];
  const common = { local: own, range: [40000, 40099] as const, count: 1, seed: 7, multicast: { dev: 'a0' } };
  const [sender] = onOwn(hosts, () => openSenders({ ...common, ...options }));
  const io = makePacketIo();
  io.attachSender(0, sender.fd);
  io.setRemote(0, ...WORDS[hosts.family].group, 4789);
  io.setRemote(1, ...WORDS[hosts.family].peer, 4789);
  return io;
}

/** The datagrams of the link, as it carries them. */
function wireOf(hosts: Hosts, dev = 'b0') {
  const wire = captureIn(hosts.peer, dev);
  return (wanted: number): OuterDatagram[] => watch(wire, wanted, (bytes) => outerOf(bytes, hosts.family));
}

describe.each(FAMILIES)('what is sent to a group over IPv%i', (family) => {
  test('arrives at a kernel peer, from the address that is ours, and goes no further than the link', () => {
    const hosts = twoHosts(family);
    kernelPeer(hosts);
    const device = captureIn(hosts.peer, 'vx0');
    const wire = wireOf(hosts);
    expect(sendAll(senderOn(hosts), 108, 1, TO_GROUP)).toEqual([0]);
    const [outer, ...more] = wire(1);
    expect(more).toEqual([]);
    expect(outer).toMatchObject({
      ethernet: GROUP_MAC[family],
      source: family === 4 ? '192.0.2.1' : '20010db8000000000000000000000001',
      ttl: 1,
      dontFragment: false,
      fragment: false,
    });
    expect(outer.checksum).not.toBe(0);
    const sent = frame(86, { first: 1 });
    expect(outer.payload).toEqual(Buffer.concat([VXLAN, sent]));
    const inner = watch(device, 1, (bytes) => (bytes.length === 100 ? bytes : undefined));
    expect(inner).toEqual([sent]);
  });

  test.each<[string, Options, number, number]>([
    ['no TTL is given', {}, 1, 64],
    ['one is given', { ttl: 9 }, 9, 9],
    ['groups have one of their own', { ttl: 9, multicast: { dev: 'a0', ttl: 3 } }, 3, 9],
  ])('has its TTL, and single hosts have theirs, when %s', (_, options, toGroup, toPeer) => {
    const hosts = twoHosts(family);
    const wire = wireOf(hosts);
    const io = senderOn(hosts, { df: true, ...options });
    expect(sendAll(io, 108, 1, TO_GROUP)).toEqual([0]);
    expect(sendAll(io, 109, 1, TO_PEER)).toEqual([0]);
    // The second one waits for the far host's MAC address, or leaves from another CPU: the order is not theirs.
    const passed = wire(2).sort((a, b) => a.payload.length - b.payload.length);
    const seen = passed.map(({ ttl, payload, dontFragment }) => [payload.length, ttl, dontFragment]);
    const df = family === 4;
    expect(seen).toEqual([
      [108, toGroup, df],
      [109, toPeer, df],
    ]);
  });

  test('does not come back to this host', () => {
    const hosts = twoHosts(family);
    const { group, own } = ADDRESSES[family];
    const receiver = onOwn(hosts, () => openGroupReceiver({ group, dev: 'a0', port: 4789 }));
    const inbox = makePacketIo();
    inbox.attachSocket(7, receiver.fd);
    const wire = wireOf(hosts);
    expect(sendAll(senderOn(hosts), 108, 1, TO_GROUP)).toEqual([0]);
    expect(wire(1)).toHaveLength(1);
    expect(takeIn(inbox, 0)).toEqual([]);
    // A pool that knows of no groups has the system's ways: there it would be seen.
    const plain = makePacketIo();
    const [sender] = onOwn(hosts, () => openSenders({ local: own, dev: 'a0', range: [41000, 41000], seed: 0 }));
    plain.attachSender(0, sender.fd);
    plain.setRemote(0, ...WORDS[family].group, 4789);
    expect(sendAll(plain, 109, 1)).toEqual([0]);
    expect(takeIn(inbox, 1).map(({ bytes }) => bytes.length)).toEqual([109]);
  });

  test('leaves by its device, whatever the routes say', () => {
    const hosts = twoHosts(family);
    link(hosts, 'a1', 'b1');
    const everything = family === 4 ? '224.0.0.0/4' : 'ff00::/8';
    ip('-n', hosts.own, family === 4 ? '-4' : '-6', 'route', 'add', everything, 'dev', 'a0');
    const [first, second] = [wireOf(hosts, 'b0'), wireOf(hosts, 'b1')];
    const io = senderOn(hosts, { multicast: { dev: 'a1' } });
    expect(sendAll(io, 108, 1, TO_GROUP)).toEqual([0]);
    expect(second(1).map(({ source, payload }) => [source.slice(-1), payload.length])).toEqual([['1', 108]]);
    expect(first(0)).toEqual([]);
    // Single hosts are not bound to that device.
    expect(sendAll(io, 109, 1, TO_PEER)).toEqual([0]);
    expect(first(1).map(({ payload }) => payload.length)).toEqual([109]);
  });

  test('arrives when many of one length leave as a train', () => {
    const hosts = twoHosts(family);
    kernelPeer(hosts);
    const device = captureIn(hosts.peer, 'vx0');
    const io = senderOn(hosts);
    const wire = wireOf(hosts);
    expect(sendAll(io, 1008, 40, TO_GROUP)).toEqual(Array(40).fill(0));
    const inner = watch(device, 40, (bytes) => (bytes.length === 1000 ? bytes[14] : undefined));
    expect(inner).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    // A link that exists in memory only carries a train in one piece.
    const trains = wire(1).map(({ payload }) => payload.length);
    expect(trains.length).toBeLessThan(40);
    expect(trains.reduce((sum, length) => sum + length, 0)).toBe(40 * 1008);
  });

  test.each([false, true])(
    'is refused alone when it is too long for the device, and never fragmented (df %s)',
    (df) => {
      const hosts = twoHosts(family);
      ip('-n', hosts.own, 'link', 'set', 'a0', 'mtu', '1400');
      const wire = wireOf(hosts);
      const most = 1400 - (family === 4 ? 28 : 48);
      const io = senderOn(hosts, { df });
      expect(sendAll(io, most + 1, 1, TO_GROUP)).toEqual([EMSGSIZE]);
      expect(sendAll(io, most, 1, TO_GROUP)).toEqual([0]);
      const seen = wire(1);
      expect(seen.map(({ payload, fragment }) => [payload.length, fragment])).toEqual([[most, false]]);
      const { group } = ADDRESSES[family];
      expect(inside(hosts.own, () => pathMtu({ remote: group, dev: 'a0' }))).toBe(1400);
    },
  );

  test('has no checksum when it is switched off, and leaves one by one', () => {
    const hosts = twoHosts(family);
    kernelPeer(hosts, { more: family === 6 ? 'udp6zerocsumrx' : '' });
    const device = captureIn(hosts.peer, 'vx0');
    const wire = wireOf(hosts);
    const io = senderOn(hosts, { checksum: false });
    for (const remote of [TO_GROUP, TO_PEER]) {
      expect(sendAll(io, 108, 3, remote)).toEqual([0, 0, 0]);
      const seen = wire(3).map(({ checksum, payload }) => [checksum, payload.length]);
      expect(seen).toEqual(Array(3).fill([0, 108]));
      const inner = watch(device, 3, (bytes) => (bytes.length === 100 ? bytes[14] : undefined));
      expect(inner.sort()).toEqual([1, 2, 3]);
    }
  });

  test('is not to be sent by a device that cannot', () => {
    const hosts = twoHosts(family);
    const open = (multicast: { dev: string }) => () => senderOn(hosts, { multicast });
    expect(open({ dev: 'eth9' })).toThrow('there is no device eth9');
    expect(open({ dev: 'lo' })).toThrow('lo does not carry multicast');
    expect(() => senderOn(hosts, { dev: 'eth8' })).toThrow('there is no device eth8');
    if (family === 4) return;
    sysctl(hosts.own, 'ipv6/conf/a0/disable_ipv6', '1');
    expect(() => senderOn(hosts, { local: '::1' })).toThrow('IPv6 is off on a0');
  });

  test('has the MTU of its device as that of its path, up or down, and without an address', () => {
    const hosts = twoHosts(family);
    const { group: remote } = ADDRESSES[family];
    ip('-n', hosts.own, 'link', 'add', 'veth8', 'mtu', '9000', 'type', 'veth', 'peer', 'name', 'veth9');
    const ask = (options: { dev?: string; local?: string }) => () =>
      inside(hosts.own, () => pathMtu({ remote, ...options }));
    expect(ask({ dev: 'veth8' })()).toBe(9000);
    expect(ask({ dev: 'a0', local: ADDRESSES[family].own })()).toBe(1500);
    expect(ask({ dev: 'eth9' })).toThrow(`the path to ${remote}: there is no device eth9`);
    expect(ask({})).toThrow('it is a multicast group, which takes the device by which it is reached (dev)');
  });
});

test('a group receiver on another host takes in what our pool sends', () => {
  const hosts = twoHosts(4);
  const { group } = ADDRESSES[4];
  const io = senderOn(hosts);
  const receivers = [hosts.own, hosts.peer].map((netns) =>
    closedLater(inside(netns, () => openGroupReceiver({ group, dev: netns === hosts.own ? 'a0' : 'b0', port: 4789 }))),
  );
  const inboxes = receivers.map((receiver, i) => {
    const inbox = makePacketIo();
    inbox.attachSocket(i, receiver.fd);
    return inbox;
  });
  expect(sendAll(io, 108, 2, TO_GROUP)).toEqual([0, 0]);
  expect(takeIn(inboxes[1], 2).map(({ from }) => from)).toEqual([WORDS[4].own, WORDS[4].own]);
  expect(takeIn(inboxes[0], 0)).toEqual([]);
});
