import { describe, expect, test } from 'vitest';
import { readFrame, readTunnel } from '../../../src/lab/capture/observed-frame.js';
import { type FrameSource, Sniffer } from '../../../src/lab/capture/sniffer.js';
import { concatBytes } from '../../../src/wire/bytes.js';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_VLAN, encodeEthernet } from '../../../src/wire/ethernet.js';
import { encodeIpv4, PROTOCOL_UDP } from '../../../src/wire/ipv4.js';
import { encodeUdp } from '../../../src/wire/udp.js';
import { encodeVlan } from '../../../src/wire/vlan.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';

function udpFrame(source: string, destination: string, port: number, payload: Uint8Array): Uint8Array {
  const path = { source, destination };
  const datagram = encodeUdp({ sourcePort: 40000, destinationPort: port, payload }, path);
  const packet = encodeIpv4({ source, destination, protocol: PROTOCOL_UDP, payload: datagram });
  return encodeEthernet({ destination: B, source: A, etherType: ETHERTYPE_IPV4, payload: packet });
}

/** The same frame with an 802.1Q tag. */
function tagged(vid: number, frame: Uint8Array): Uint8Array {
  const payload = encodeVlan(vid, (frame[12] << 8) | frame[13], frame.subarray(14));
  return encodeEthernet({ destination: B, source: A, etherType: ETHERTYPE_VLAN, payload });
}

const text = (words: string): Uint8Array => new Uint8Array(Buffer.from(words));
const inner = (words: string): Uint8Array => udpFrame('10.0.0.1', '10.0.0.2', 4242, text(words));
const outer = (payload: Uint8Array, port = 4789): Uint8Array => udpFrame('192.0.2.1', '192.0.2.2', port, payload);

describe('a frame', () => {
  test('gives its addresses and its text', () => {
    expect(readFrame(inner('hello'))).toEqual({
      source: A,
      destination: B,
      vid: null,
      etherType: 0x0800,
      ttl: 64,
      ipv4: { from: '10.0.0.1', to: '10.0.0.2' },
      text: 'hello',
      neigh: null,
    });
  });

  test('the padding after the datagram is not text', () => {
    expect(readFrame(concatBytes(inner('hi'), new Uint8Array(20)))?.text).toBe('hi');
  });

  test('a tag is parsed', () => {
    expect(readFrame(tagged(10, inner('hello')))).toEqual({
      source: A,
      destination: B,
      vid: 10,
      etherType: 0x0800,
      ttl: 64,
      ipv4: { from: '10.0.0.1', to: '10.0.0.2' },
      text: 'hello',
      neigh: null,
    });
  });

  test('frames without IPv4 have no TTL', () => {
    const arp = encodeEthernet({ destination: B, source: A, etherType: ETHERTYPE_ARP, payload: new Uint8Array(28) });
    expect(readFrame(arp)).toMatchObject({ etherType: ETHERTYPE_ARP, ttl: null, text: '' });
    const stub = inner('x').subarray(0, 33);
    expect(readFrame(stub)).toMatchObject({ etherType: ETHERTYPE_IPV4, ttl: null, text: '' });
    expect(readFrame(tagged(10, inner('x')).subarray(0, 37))).toMatchObject({ vid: 10, ttl: null });
  });

  test('a truncated frame gives null, or has no tag', () => {
    expect(readFrame(new Uint8Array(13))).toBeNull();
    expect(readFrame(tagged(10, inner('x')).subarray(0, 17))).toMatchObject({ vid: null, etherType: ETHERTYPE_VLAN });
  });
});

describe('a VXLAN datagram', () => {
  test('gives its VTEPs, its VNI and its frame', () => {
    expect(readTunnel(outer(encodeVxlan(7, inner('hello'))))).toEqual([
      {
        from: '192.0.2.1',
        to: '192.0.2.2',
        ttl: 64,
        vni: 7,
        reserved: 0,
        frame: expect.objectContaining({ text: 'hello' }),
      },
    ]);
  });

  test('reserved bits and a missing I flag are reported', () => {
    const bits = encodeVxlan(7, inner('x'));
    bits[7] = 1;
    expect(readTunnel(outer(bits))[0]?.reserved).not.toBe(0);
    const flag = encodeVxlan(7, inner('x'));
    flag[0] = 0;
    expect(readTunnel(outer(flag))[0]?.vni).toBeNull();
  });

  test('other traffic and truncated datagrams give nothing', () => {
    expect(readTunnel(outer(encodeVxlan(7, inner('x')), 53))).toEqual([]);
    expect(readTunnel(outer(new Uint8Array(21)))).toEqual([]);
    expect(readTunnel(new Uint8Array(30))).toEqual([]);
  });

  test('a train is split into its datagrams, the last one shorter', () => {
    const datagrams = ['one', 'two', 'six', '4'].map((words) => encodeVxlan(7, inner(words)));
    expect(readTunnel(outer(concatBytes(...datagrams))).map(({ frame }) => frame.text)).toEqual([
      'one',
      'two',
      'six',
      '4',
    ]);
  });

  test('a train with several VNIs is split, each datagram with its VNI', () => {
    const datagrams = [7, 8, 7].map((vni, index) => encodeVxlan(vni, inner(`no${index}`)));
    const seen = readTunnel(outer(concatBytes(...datagrams)));
    expect(seen.map(({ vni, frame }) => [vni, frame.text])).toEqual([
      [7, 'no0'],
      [8, 'no1'],
      [7, 'no2'],
    ]);
  });

  test('padding that looks like a VXLAN header is no datagram', () => {
    const padding = new Uint8Array(26);
    padding[0] = 0x08;
    expect(readTunnel(outer(concatBytes(encodeVxlan(7, inner('one')), padding)))).toHaveLength(1);
  });

  test('a train of tagged frames is split, each with its tag', () => {
    const datagrams = ['one', 'two', '3'].map((words) => encodeVxlan(7, tagged(10, inner(words))));
    const seen = readTunnel(outer(concatBytes(...datagrams)));
    expect(seen.map(({ frame }) => [frame.vid, frame.text])).toEqual([
      [10, 'one'],
      [10, 'two'],
      [10, '3'],
    ]);
  });

  test('a train of ARP requests is split, but not an ARP request with padding', () => {
    const payload = new Uint8Array(28);
    const arp = encodeEthernet({ destination: B, source: A, etherType: ETHERTYPE_ARP, payload });
    expect(readTunnel(outer(concatBytes(encodeVxlan(7, arp), encodeVxlan(7, arp))))).toHaveLength(2);
    expect(readTunnel(outer(concatBytes(encodeVxlan(7, arp), new Uint8Array(18))))).toHaveLength(1);
  });
});

describe('a sniffer', () => {
  const sourceOf = (frames: Uint8Array[]): FrameSource & { closed: boolean } => ({
    closed: false,
    read: () => frames.shift() ?? null,
    close() {
      this.closed = true;
    },
  });

  test('reads in the background until it is stopped, and closes its source once', async () => {
    const frames: Uint8Array[] = [];
    const source = sourceOf(frames);
    const sniffer = new Sniffer(source, 'underlay');
    frames.push(outer(encodeVxlan(7, inner('x'))), outer(new Uint8Array(3), 53));
    expect(await sniffer.sees(() => sniffer.tunnel.length === 1, new AbortController().signal)).toBe(true);
    sniffer.stop();
    frames.push(outer(encodeVxlan(7, inner('x'))));
    sniffer.drain();
    expect(sniffer.tunnel).toHaveLength(1);
    expect(source.closed).toBe(true);
  });

  test('parses datagrams of its UDP port, by default 4789', () => {
    const both = [4789, 8472].map((port) => outer(encodeVxlan(7, inner(`port ${port}`)), port));
    const texts = [undefined, 8472].map((port) => {
      const sniffer = new Sniffer(sourceOf([...both]), 'underlay', port);
      sniffer.drain();
      sniffer.stop();
      return sniffer.tunnel.map(({ frame }) => frame.text);
    });
    expect(texts).toEqual([['port 4789'], ['port 8472']]);
  });

  test('parses plain frames at a guest', () => {
    const sniffer = new Sniffer(sourceOf([inner('x')]), 'guest');
    sniffer.drain();
    sniffer.stop();
    expect(sniffer.frames.map((frame) => frame.text)).toEqual(['x']);
  });

  test('throws a failure of its source at the next drain', () => {
    const source: FrameSource = {
      read: () => {
        throw new Error('the NIC is gone');
      },
      close: () => {},
    };
    const sniffer = new Sniffer(source, 'guest');
    expect(() => sniffer.drain()).toThrow('the NIC is gone');
  });
});
