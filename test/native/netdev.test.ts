/**
 * Existing interfaces by packet sockets: what enters at one end of a veth pair is what the PacketIo has, tag included, and what it
 * sends is on the wire at the other end.
 */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { closeFd, netdevMissed, netdevState, openNetdev } from '../../src/native/binding.js';
import type { NativePacketIo } from '../../src/port/native-packet-io.js';
import * as L from '../../src/port/packet-io.js';
import { cases } from '../long.js';
import {
  captureIn,
  cleanUp,
  command,
  frame,
  ip,
  ipBatch,
  later,
  makeNamespace,
  makePacketIo,
  needRoot,
  nextFrame,
  outcome,
  put,
  receiveSome,
  rx,
  rxBytes,
  tapIn,
} from './native-testbed.js';
import { build, slowSum } from './packets.js';
import { shell } from './shell.js';

beforeAll(needRoot);
afterEach(cleanUp);

const [ENODEV, EMSGSIZE, ENETDOWN] = [19, 90, 100];
const FRAME = 200_002;
const MTU = 1500;

let near: string;
let far: string;

/** A veth pair: e0 is attached, e1 is its peer in another namespace. */
beforeEach(() => {
  near = makeNamespace();
  far = makeNamespace();
  ipBatch([`link add e0 type veth peer name e1 netns ${far}`, 'link set e0 up'], near);
  ip('-n', far, 'link', 'set', 'e1', 'up');
});

describe.each(cases([{ ring: true }, { ring: false }], 1))('received by a ring: $ring', ({ ring }) => {
  function netdev(netns: string, ifname: string, options: { queues?: number; silence?: boolean } = {}): number[] {
    const { queues = 1, silence = false } = options;
    const { fds, silencer } = openNetdev({ netns: `/run/netns/${netns}`, ifname, queues, silence, ring });
    later(() => {
      for (const fd of [...fds, ...(silencer < 0 ? [] : [silencer])]) closeFd(fd);
    });
    return fds;
  }

  function attached(): { io: NativePacketIo; fd: number } {
    const io = makePacketIo();
    const [fd] = netdev(near, 'e0');
    io.attachTap(0, fd);
    // The question makes the kernel do at once what follows from the link's state: else it would drop the first frames.
    expect(netdevState(fd)?.carrier).toBe(true);
    return { io, fd };
  }

  function send(io: NativePacketIo, at: number, bytes: Uint8Array, words: Parameters<typeof command>[2] = {}): void {
    const offset = FRAME + at * 70_000;
    put(io, offset, bytes);
    command(io, at, { TX_KIND: L.KIND_FRAME, TX_OFFSET: offset, TX_LENGTH: bytes.length, ...words });
  }

  const withTags = (...tags: string[]): Buffer => {
    const bytes = frame(60);
    return Buffer.concat([bytes.subarray(0, 12), Buffer.from(tags.join(''), 'hex'), bytes.subarray(12)]);
  };

  describe('a frame is received as it was on the wire', () => {
    test.each([
      ['untagged', withTags()],
      ['with an 802.1Q tag and its priority', withTags('8100e00a')],
      ['with a priority tag', withTags('8100a000')],
      ['with a priority tag of priority 0, whose TCI is 0', withTags('81000000')],
      ['with the drop eligible bit', withTags('81001fff')],
      ['with an 802.1ad tag', withTags('88a80064')],
      ['with two tags', withTags('88a86064', '8100000a')],
      ['with two 802.1Q tags', withTags('81006064', '8100000a')],
    ])('%s', (_, bytes) => {
      const { io } = attached();
      captureIn(far, 'e1').write(bytes);
      expect(receiveSome(io)).toBe(1);
      expect(rxBytes(io, 0).toString('hex')).toBe(bytes.toString('hex'));
      expect([L.RX_KIND, L.RX_INDEX, L.RX_VNET, L.RX_GSO].map((word) => rx(io, 0, word))).toEqual([
        L.KIND_FRAME,
        0,
        0,
        0,
      ]);
    });

    test('the shortest and the longest ones', () => {
      const { io } = attached();
      const wire = captureIn(far, 'e1');
      for (const payload of [0, 1, MTU]) {
        wire.write(frame(payload));
        expect(receiveSome(io)).toBe(1);
        expect(rxBytes(io, 0)).toEqual(frame(payload));
      }
    });

    test('many in one batch, in order, each in a place of its own', () => {
      const { io } = attached();
      const wire = captureIn(far, 'e1');
      const frames = Array.from({ length: 100 }, (_, i) =>
        frame(100 + i, { first: i, ...(i % 3 === 0 ? { tci: i } : {}) }),
      );
      for (const bytes of frames) wire.write(bytes);
      const seen: Buffer[] = [];
      while (seen.length < frames.length) {
        const count = receiveSome(io);
        expect(count).toBeGreaterThan(0);
        for (let i = 0; i < count; i++) seen.push(Buffer.from(rxBytes(io, i)));
      }
      expect(seen).toEqual(frames);
    });
  });

  describe('a frame is sent as the command says', () => {
    test.each([
      ['untouched', frame(60), {}, frame(60)],
      ['untouched, with an 802.1ad tag', withTags('88a80064'), {}, withTags('88a80064')],
      ['with a tag pushed', frame(60), { TX_TAG: L.TAG_PUSH | 0x600a }, withTags('8100600a')],
      [
        'with a tag pushed before another',
        withTags('8100000a'),
        { TX_TAG: L.TAG_PUSH | 7 },
        withTags('81000007', '8100000a'),
      ],
      ['with its tag popped', withTags('81000014'), { TX_TAG: L.TAG_POP }, frame(60)],
      ['with its tag replaced', withTags('88a80014'), { TX_TAG: L.TAG_REPLACE | 5 }, withTags('88a80005')],
    ])('%s', (_, bytes, words, wanted) => {
      const { io } = attached();
      const wire = captureIn(far, 'e1');
      send(io, 0, bytes, words);
      expect(io.transmit(1)).toBe(0);
      expect(nextFrame(wire).toString('hex')).toBe(wanted.toString('hex'));
      // None comes back, neither by the socket's own interface nor by the peer.
      expect(io.receive(50)).toBe(0);
    });

    test('more than one call takes, in order; one that fails fails alone', () => {
      const { io } = attached();
      const wire = captureIn(far, 'e1');
      const count = 150;
      for (let i = 0; i < count; i++) send(io, i, frame(i === 70 ? MTU + 1 : 60, { first: i }));
      command(io, 20, { TX_KIND: L.KIND_FRAME, TX_OFFSET: FRAME, TX_LENGTH: 13 });
      expect(io.transmit(count)).toBe(2);
      expect([outcome(io, 20), outcome(io, 70), outcome(io, 71)]).toEqual([22, EMSGSIZE, 0]);
      const wanted = Array.from({ length: count }, (_, i) => i).filter((i) => i !== 20 && i !== 70);
      expect(wanted.map(() => nextFrame(wire)[14])).toEqual(wanted.map((i) => i & 0xff));
    });

    test('an unfinished checksum stays one, but for a frame that another command has finished in the same list', () => {
      const { io } = attached();
      const tap = tapIn(near, 'plain', { vnetHeader: false });
      io.attachTap(1, tap.fd, 0);
      const wire = captureIn(far, 'e1');
      const packet = build({ payload: Buffer.alloc(101, 7), checksum: 'open' });
      const open = { TX_VNET: L.VNET_NEEDS_CSUM, TX_CSUM: packet.l4 | (16 << 16) };
      send(io, 0, packet.bytes, open);
      command(io, 1, { TX_KIND: L.KIND_FRAME, TX_INDEX: 1, TX_OFFSET: FRAME, TX_LENGTH: packet.bytes.length, ...open });
      expect(io.transmit(2)).toBe(0);
      const seen = nextFrame(wire);
      const tcp = seen.subarray(packet.l4);
      const pseudo = Buffer.concat([seen.subarray(26, 34), Buffer.from([0, 6, tcp.length >> 8, tcp.length & 0xff])]);
      expect(slowSum(Buffer.concat([pseudo, tcp]))).toBe(0xffff);
    });
  });

  describe('offloads pass both ways', () => {
    /** Both ends of the pair are attached: what is sent at one is received at the other. */
    function both(): NativePacketIo {
      const { io } = attached();
      io.attachTap(1, netdev(far, 'e1')[0]);
      return io;
    }

    const packet = build({ payload: Buffer.alloc(60_000, 3), checksum: 'open' });
    const superframe = {
      TX_VNET: L.VNET_NEEDS_CSUM | (L.VNET_GSO_TCPV4 << 8),
      TX_GSO: 1448 | (packet.payload << 16),
      TX_CSUM: packet.l4 | (16 << 16),
    };

    test.each([
      ['untagged', L.TAG_KEEP, 0],
      ['tagged, with the offsets of the frame with its tag', L.TAG_PUSH | 0x200a, 4],
    ])('a superframe, %s', (_, TX_TAG, shift) => {
      const io = both();
      send(io, 0, packet.bytes, { ...superframe, TX_TAG });
      expect(io.transmit(1)).toBe(0);
      expect(receiveSome(io)).toBe(1);
      expect(rx(io, 0, L.RX_INDEX)).toBe(1);
      expect(rx(io, 0, L.RX_LENGTH)).toBe(packet.bytes.length + shift);
      expect(rx(io, 0, L.RX_VNET)).toBe(superframe.TX_VNET);
      expect(rx(io, 0, L.RX_GSO) & 0xffff).toBe(1448);
      expect(rx(io, 0, L.RX_CSUM)).toBe((packet.l4 + shift) | (16 << 16));
      const seen = rxBytes(io, 0);
      expect(Buffer.concat([seen.subarray(0, 12), seen.subarray(12 + shift)])).toEqual(packet.bytes);
      if (shift > 0) expect(seen.subarray(12, 16).toString('hex')).toBe('8100200a');
      expect(io.receive(50)).toBe(0);
    });

    test('segments of a flow are merged, behind the frames before them', () => {
      const io = both();
      send(io, 0, frame(60));
      const part = (i: number) => build({ payload: Buffer.alloc(1000, i), sequence: 1 + i * 1000, id: i });
      for (let i = 0; i < 4; i++) send(io, i + 1, part(i).bytes);
      send(io, 5, frame(61));
      expect(io.transmit(6)).toBe(0);
      const seen: [number, number][] = [];
      while (seen.length < 3) {
        const count = receiveSome(io);
        expect(count).toBeGreaterThan(0);
        for (let i = 0; i < count; i++) seen.push([rx(io, i, L.RX_LENGTH), rx(io, i, L.RX_VNET) >>> 8]);
      }
      // The flow's merge is written at the end of the list, as to a TAP.
      expect(seen).toEqual([
        [74, 0],
        [75, 0],
        [part(0).payload + 4000, L.VNET_GSO_TCPV4],
      ]);
    });
  });

  test('the TAP of a virtual machine is an interface too, with its offloads', () => {
    const io = makePacketIo();
    // As QEMU opens it, whose guest is at the descriptor; the switch is at the device.
    const tap = tapIn(near, 'vnet0');
    io.attachTap(1, tap.fd);
    const [fd] = netdev(near, 'vnet0', { silence: true });
    io.attachTap(0, fd);
    expect(netdevState(fd)).toMatchObject({ ifname: 'vnet0', carrier: true });
    const packet = build({ payload: Buffer.alloc(50_000, 3), checksum: 'open' });
    const words = {
      TX_VNET: L.VNET_NEEDS_CSUM | (L.VNET_GSO_TCPV4 << 8),
      TX_GSO: 1448 | (packet.payload << 16),
      TX_CSUM: packet.l4 | (16 << 16),
    };
    for (const [from, to] of [
      [1, 0],
      [0, 1],
    ]) {
      send(io, 0, packet.bytes, { ...words, TX_INDEX: from });
      expect(io.transmit(1)).toBe(0);
      expect(receiveSome(io)).toBe(1);
      expect([L.RX_INDEX, L.RX_LENGTH, L.RX_VNET].map((word) => rx(io, 0, word))).toEqual([
        to,
        packet.bytes.length,
        words.TX_VNET,
      ]);
      expect(rxBytes(io, 0)).toEqual(packet.bytes);
    }
    expect(io.receive(50)).toBe(0);
  });

  describe('what happens to the interface', () => {
    test('down and up: sends fail as ENETDOWN, the socket stays, and all works again', () => {
      const { io } = attached();
      ip('-n', near, 'link', 'set', 'e0', 'down');
      expect(io.receive(100)).toBe(0);
      expect(io.status[L.STATUS_LOST_KIND]).toBe(0);
      send(io, 0, frame(60));
      expect(io.transmit(1)).toBe(1);
      expect(outcome(io, 0)).toBe(ENETDOWN);
      ip('-n', near, 'link', 'set', 'e0', 'up');
      const wire = captureIn(far, 'e1');
      expect(io.transmit(1)).toBe(0);
      nextFrame(wire);
      wire.write(frame(60));
      expect(receiveSome(io)).toBe(1);
    });

    test('no carrier is no congestion', () => {
      const { io, fd } = attached();
      expect(netdevState(fd)).toMatchObject({ ifname: 'e0', up: true, carrier: true, mtu: MTU });
      for (let i = 0; i < 3; i++) send(io, i, frame(60));
      ip('-n', far, 'link', 'set', 'e1', 'down');
      // ENOBUFS of the device, until the kernel takes its queue away: it then drops frames without a word.
      io.transmit(3);
      for (const at of [0, 1, 2]) expect([0, ENETDOWN]).toContain(outcome(io, at));
      expect(netdevState(fd)).toMatchObject({ up: true, carrier: false });
      ip('-n', far, 'link', 'set', 'e1', 'up');
      expect(netdevState(fd)).toMatchObject({ up: true, carrier: true });
    });

    test('renamed, and with another MTU, it is the same', () => {
      const { io, fd } = attached();
      const wire = captureIn(far, 'e1');
      ip('-n', near, 'link', 'set', 'e0', 'mtu', '9000');
      ip('-n', far, 'link', 'set', 'e1', 'mtu', '9000');
      ip('-n', near, 'link', 'set', 'e0', 'name', 'e7');
      expect(netdevState(fd)).toMatchObject({ ifname: 'e7', mtu: 9000 });
      send(io, 0, frame(9000));
      expect(io.transmit(1)).toBe(0);
      expect(nextFrame(wire)).toHaveLength(9014);
    });

    test.each([
      ['deleted', () => ip('-n', near, 'link', 'del', 'e0')],
      ['moved to another namespace', () => ip('-n', near, 'link', 'set', 'e0', 'netns', far)],
    ])('%s: it is lost, for good', (_, act) => {
      const { io, fd } = attached();
      act();
      expect(netdevState(fd)).toBeNull();
      send(io, 0, frame(60));
      expect(io.transmit(1)).toBe(1);
      expect(outcome(io, 0)).toBe(ENODEV);
    });

    test('moved while it is up, the engine is told', () => {
      const { io } = attached();
      ip('-n', near, 'link', 'set', 'e0', 'netns', far);
      io.receive(500);
      const told = io.status[L.STATUS_LOST_KIND];
      // The kernel tells of the link that goes down first: then the watch of ports finds the loss.
      expect([0, L.KIND_FRAME]).toContain(told);
    });

    test('what is no Ethernet interface, or is not there, is refused', () => {
      expect(() => netdev(near, 'lo')).toThrow(/no Ethernet interface/);
      expect(() => netdev(near, 'nosuch')).toThrow(/looking for the interface nosuch/);
    });
  });

  describe("the host's stack", () => {
    const pings = (): string =>
      shell('sh', '-c', `ip netns exec ${far} ping -n -c 2 -i 0.05 -W 1 10.0.0.1 | grep -o '[0-9] received' || true`);

    beforeEach(() => {
      ip('-n', near, 'addr', 'add', '10.0.0.1/24', 'dev', 'e0');
      ip('-n', far, 'addr', 'add', '10.0.0.2/24', 'dev', 'e1');
    });

    test('is silenced as long as the link is open, and the socket sees the frames', () => {
      const { fds, silencer } = openNetdev({
        netns: `/run/netns/${near}`,
        ifname: 'e0',
        queues: 1,
        silence: true,
        ring,
      });
      later(() => closeFd(fds[0]));
      expect(silencer).toBeGreaterThan(0);
      const io = makePacketIo();
      io.attachTap(0, fds[0]);
      expect(pings()).toContain('0 received');
      expect(receiveSome(io)).toBeGreaterThan(0);
      closeFd(silencer);
      expect(pings()).toContain('2 received');
    });

    test('keeps its traffic where that is wanted', () => {
      attached();
      expect(pings()).toContain('2 received');
    });
  });

  test('what the queue has no room for is counted', () => {
    const { io, fd } = attached();
    const wire = captureIn(far, 'e1');
    const sent = 40_000;
    const bytes = frame(46);
    for (let i = 0; i < sent; i++) wire.write(bytes);
    let received = 0;
    for (let count = receiveSome(io); count > 0; count = receiveSome(io, 50)) received += count;
    const missed = netdevMissed(fd);
    expect(missed).toBeGreaterThan(0);
    expect(received + missed).toBe(sent);
    expect(netdevMissed(fd)).toBe(0);
  });

  test('several sockets share the flows: each frame comes once, and none of their own', () => {
    const fds = netdev(near, 'e0', { queues: 3 });
    const ios = fds.map((fd) => {
      const io = makePacketIo();
      io.attachTap(0, fd);
      return io;
    });
    const wire = captureIn(far, 'e1');
    for (let i = 0; i < 96; i++) wire.write(build({ ports: [1000 + i, 80], payload: Buffer.alloc(8, i) }).bytes);
    for (const io of ios) {
      send(io, 0, frame(60));
      expect(io.transmit(1)).toBe(0);
    }
    const seen = ios.map((io) => {
      const found: number[] = [];
      for (let count = receiveSome(io, 200); count > 0; count = receiveSome(io, 50))
        for (let i = 0; i < count; i++) found.push(rxBytes(io, i).readUInt16BE(34));
      return found;
    });
    expect(seen.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 96 }, (_, i) => 1000 + i));
    for (const found of seen) expect(found.length).toBeGreaterThan(0);
  });
});
