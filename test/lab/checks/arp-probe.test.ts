/** ARP and ND requests byte by byte, their parsing from captures, and the proof that counts requests and replies. */
import { describe, expect, test } from 'vitest';
import { readFrame } from '../../../src/lab/capture/observed-frame.js';
import { type FrameSource, Sniffer } from '../../../src/lab/capture/sniffer.js';
import { type Prober, probeAddress, requestFrame } from '../../../src/lab/checks/arp-probe.js';
import type { Inspection } from '../../../src/lab/checks/inspection.js';
import type { Station } from '../../../src/lab/setup/topology.js';
import { ARP_REPLY, encodeArp } from '../../../src/wire/arp.js';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, encodeEthernet } from '../../../src/wire/ethernet.js';
import { encodeIpv4, PROTOCOL_UDP } from '../../../src/wire/ipv4.js';
import { encodeUdp } from '../../../src/wire/udp.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';

const GUEST: Station = {
  name: 'g',
  netns: 'nowhere',
  ifname: 'eth0',
  address: '198.18.0.2',
  address6: 'fd00:42::2',
  host: 'h1',
  mac: '02:00:00:00:00:02',
};
const OWNER = '02:00:00:00:00:03';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A neighbour advertisement of fd00:42::3 to the guest; its checksum is not checked. */
function advertisement(...options: string[]): Uint8Array {
  const body = `88000000e0000000fd000042000000000000000000000003${options.join('')}`;
  const length = (body.length / 2).toString(16).padStart(4, '0');
  const ip = `60000000${length}3afffd000042000000000000000000000003fd000042000000000000000000000002`;
  return new Uint8Array(Buffer.from(`020000000002${'020000000003'}86dd${ip}${body}`, 'hex'));
}

describe('a request', () => {
  test('for an IPv4 address: ARP, by broadcast', () => {
    expect(hex(requestFrame(GUEST, '198.18.0.99'))).toBe(
      `ffffffffffff0200000000020806${'0001080006040001'}020000000002c6120002${'000000000000'}c6120063`,
    );
  });

  test('for an IPv6 address: a solicitation, to the solicited-node group', () => {
    const frame = requestFrame(GUEST, 'fd00:42::a1:b2c3');
    expect(hex(frame.subarray(0, 14))).toBe('3333ffa1b2c302000000000286dd');
    expect(hex(frame.subarray(38, 54))).toBe('ff0200000000000000000001ffa1b2c3');
    expect(hex(frame.subarray(54 + 8, 54 + 24))).toBe('fd000042000000000000000000a1b2c3');
    expect(hex(frame.subarray(54 + 24))).toBe('0101020000000002');
    expect(frame[54]).toBe(135);
    expect(frame[14 + 7]).toBe(255); // hop limit
  });

  test('cannot be made for a family in which the guest has no address', () => {
    const { address6: _, ...guest } = GUEST;
    expect(() => requestFrame(guest, 'fd00:42::3')).toThrow('g has no IPv6 address');
  });
});

describe('on the wire', () => {
  const neighOf = (bytes: Uint8Array) => readFrame(bytes)?.neigh;

  test('requests of both families', () => {
    const mac = GUEST.mac;
    expect(neighOf(requestFrame(GUEST, '198.18.0.99'))).toEqual({ kind: 'request', address: '198.18.0.99', mac });
    expect(neighOf(requestFrame(GUEST, 'fd00:42::99'))).toEqual({ kind: 'request', address: 'fd00:42::99', mac });
  });

  test('replies of both families', () => {
    expect(neighOf(replyFrame('198.18.0.3'))).toEqual({ kind: 'reply', address: '198.18.0.3', mac: OWNER });
    const option = '0201020000000003';
    expect(neighOf(advertisement(option))).toEqual({ kind: 'reply', address: 'fd00:42::3', mac: OWNER });
    // Behind an option of another kind, and none at all.
    expect(neighOf(advertisement('0e01000000000000', option))).toMatchObject({ mac: OWNER });
    expect(neighOf(advertisement('0101020000000009'))).toMatchObject({ mac: null });
    expect(neighOf(advertisement())).toMatchObject({ mac: null });
  });

  test('options of length 0 and truncated ones end parsing', () => {
    expect(neighOf(advertisement('0e00000000000000', '0201020000000003'))).toMatchObject({ mac: null });
    expect(neighOf(advertisement('020102000000'))).toMatchObject({ mac: null });
  });

  test('other messages and truncated ones give null', () => {
    expect(neighOf(advertisement().subarray(0, 14 + 40 + 23))).toBeNull();
    expect(neighOf(replyFrame('198.18.0.3').subarray(0, 14 + 27))).toBeNull();
    const router = advertisement();
    router[54] = 134;
    expect(neighOf(router)).toBeNull();
    const udp = advertisement();
    udp[14 + 6] = 17;
    expect(neighOf(udp)).toBeNull();
  });
});

function replyFrame(address: string, mac = OWNER): Uint8Array {
  const fields = { senderMac: mac, senderAddress: address, targetMac: GUEST.mac, targetAddress: GUEST.address };
  const payload = encodeArp({ operation: ARP_REPLY, ...fields });
  return encodeEthernet({ destination: GUEST.mac, source: mac, etherType: ETHERTYPE_ARP, payload });
}

function crossed(frame: Uint8Array): Uint8Array {
  const path = { source: '192.0.2.1', destination: '192.0.2.2' };
  const datagram = encodeUdp({ sourcePort: 40000, destinationPort: 4789, payload: encodeVxlan(42, frame) }, path);
  const payload = encodeIpv4({ ...path, protocol: PROTOCOL_UDP, payload: datagram });
  return encodeEthernet({ destination: OWNER, source: GUEST.mac, etherType: ETHERTYPE_IPV4, payload });
}

describe('asking', () => {
  /** Runs the proof on captures in which a switch reacts to each request in a given way. */
  async function outcome(target: string, mac: string | null, crossing: number, react: (frame: Uint8Array) => World) {
    const [atNic, atWire]: [Uint8Array[], Uint8Array[]] = [[], []];
    const source = (frames: Uint8Array[]): FrameSource => ({ read: () => frames.shift() ?? null, close: () => {} });
    const nic = new Sniffer(source(atNic), 'guest');
    const wire = new Sniffer(source(atWire), 'underlay');
    const controller = new AbortController();
    const inspection = {
      signal: controller.signal,
      send: (_: unknown, frames: readonly Uint8Array[]) => {
        for (const frame of frames) {
          const { replies = [], copies = 0 } = react(frame);
          atNic.push(frame, ...replies);
          for (let copy = 0; copy < copies; copy++) atWire.push(crossed(frame));
        }
      },
    } as unknown as Inspection;
    const prober: Prober = { guest: GUEST, nic, wire };
    try {
      return await probeAddress(inspection, prober, target, { requests: 3, mac, crossing });
    } finally {
      nic.stop();
      wire.stop();
    }
  }
  interface World {
    replies?: Uint8Array[];
    copies?: number;
  }
  const target = '198.18.0.3';

  test('each request answered once and not flooded', async () => {
    const { holds, seen } = await outcome(target, OWNER, 0, () => ({ replies: [replyFrame(target)] }));
    expect(holds, seen).toBe(true);
    expect(seen).toBe(`${target}: 3 requests, 3 replies with ${OWNER}, 0 on the underlay`);
  });

  test('each request flooded, without a reply', async () => {
    expect((await outcome(target, null, 6, () => ({ copies: 2 }))).holds).toBe(true);
  });

  test.each([
    ['answered twice', { replies: [replyFrame(target), replyFrame(target)] }],
    ['answered by another', { replies: [replyFrame(target, '02:00:00:00:00:09')] }],
    ['answered and flooded too', { replies: [replyFrame(target)], copies: 1 }],
  ])('it does not hold when it is %s', async (_, world) => {
    expect((await outcome(target, OWNER, 0, () => world)).holds).toBe(false);
  });
});
