/**
 * Guests that must not be affected: flows of numbered frames between them, in a bridge of their own, in a VLAN and a VNI of
 * their own on a bridge full of noise, and by gateways of a VRF of their own, of which noise has others. Each frame must leave exactly once,
 * at its destination, by the next turn, with unchanged bytes, but for those that a router writes; and no other frame may reach them.
 */
import {
  KIND_FRAME,
  KIND_UDP,
  TAG_KEEP,
  TAG_POP,
  TAG_PUSH,
  TX_COOKIE,
  TX_HEADER,
  TX_LENGTH,
  TX_OFFSET,
  TX_REMOTE,
  TX_TAG,
} from '../../src/port/packet-io.js';
import { concatBytes } from '../../src/wire/bytes.js';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN, encodeEthernet } from '../../src/wire/ethernet.js';
import { parseAddress } from '../../src/wire/ip-address.js';
import { encodeIpv4 } from '../../src/wire/ipv4.js';
import { encodeIpv6 } from '../../src/wire/ipv6.js';
import { encodeVlan } from '../../src/wire/vlan.js';
import { encodeVxlan, VXLAN_HEADER } from '../../src/wire/vxlan.js';
import { bytes, EXPERIMENTAL } from '../dataplane/support/frames.js';
import { type FuzzPacketIo, SHOWN, type Watch } from './fuzz-packet-io.js';
import type { FuzzedSwitch } from './fuzzed-switch.js';
import { CALM_VID, CALM_VNI, CALM_VTEP, FAR_MAC, GATEWAY_MAC, GUARDED } from './layout.js';
import type { Random } from './random.js';

const LONGEST_PAYLOAD = 1400;
/** Where the number stands in the payload of a frame. */
const NUMBER = 40;
const FAR = 'far';
const NOWHERE = [0, 0, 0, 0];

interface Flow {
  from: string;
  to: string;
  /** What the switch is to do to the tag. */
  tag: number;
  /** Headers of the two kinds of frames, which take turns: IPv4, and what nothing looks into. */
  heads: Uint8Array[];
  /** Addresses and TTL as they are after routing, by head; absent: the frame is switched. */
  routed?: Uint8Array[];
}

const MACS: Readonly<Record<string, string>> = {
  'calm-a': '02:aa:00:00:00:0a',
  'calm-b': '02:aa:00:00:00:0b',
  'calm-d': '02:aa:00:00:00:1d',
  'calm-e': '02:aa:00:00:00:1e',
  'guest-c': '02:aa:00:00:00:0c',
  'guest-d': '02:aa:00:00:00:0d',
  [FAR]: FAR_MAC,
};

function head(from: string, to: string, etherType: number, payload: Uint8Array): Uint8Array {
  const tagged = from === 'guest-d';
  return encodeEthernet({
    destination: MACS[to] ?? to,
    source: MACS[from],
    etherType: tagged ? ETHERTYPE_VLAN : etherType,
    payload: tagged ? encodeVlan(CALM_VID, etherType, payload) : payload,
  });
}

function flow(from: string, to: string, tag: number): Flow {
  const path = { source: '10.9.0.1', destination: '10.9.0.2' };
  const packet = encodeIpv4({ ...path, protocol: 253, payload: bytes(LONGEST_PAYLOAD - 20) });
  return {
    from,
    to,
    tag,
    heads: [head(from, to, EXPERIMENTAL, bytes(LONGEST_PAYLOAD)), head(from, to, ETHERTYPE_IPV4, packet)],
  };
}

/** Addresses of those that are routed to each other, by number of their subnet. */
export const ROUTED: Readonly<Record<string, { subnet: number; mac: string }>> = {
  'calm-d': { subnet: 4, mac: MACS['calm-d'] as string },
  'calm-e': { subnet: 5, mac: MACS['calm-e'] as string },
};

function routedFlow(from: string, to: string): Flow {
  const [source, destination] = [from, to].map((name) => ROUTED[name]?.subnet ?? 0);
  const path4 = { source: `10.9.${source}.2`, destination: `10.9.${destination}.2` };
  const path6 = { source: `fd00:${source}::2`, destination: `fd00:${destination}::2` };
  const make = (source: string, destination: string, ttl: number): Uint8Array[] => [
    encodeEthernet({
      destination,
      source,
      etherType: ETHERTYPE_IPV6,
      payload: encodeIpv6({ ...path6, nextHeader: 253, hopLimit: ttl, payload: bytes(LONGEST_PAYLOAD - 40) }),
    }),
    encodeEthernet({
      destination,
      source,
      etherType: ETHERTYPE_IPV4,
      payload: encodeIpv4({ ...path4, protocol: 253, ttl, payload: bytes(LONGEST_PAYLOAD - 20) }),
    }),
  ];
  return {
    from,
    to,
    tag: TAG_KEEP,
    heads: make(MACS[from] as string, GATEWAY_MAC, 64),
    routed: make(GATEWAY_MAC, MACS[to] as string, 63),
  };
}

const PUSHED = TAG_PUSH | CALM_VID;

const FLOWS = [
  flow('calm-a', 'calm-b', TAG_KEEP),
  flow('calm-b', 'calm-a', TAG_KEEP),
  flow('guest-c', 'guest-d', PUSHED),
  flow('guest-d', 'guest-c', TAG_POP),
  flow('guest-c', FAR, TAG_KEEP),
  flow(FAR, 'guest-c', TAG_KEEP),
  flow('guest-d', FAR, TAG_POP),
  flow(FAR, 'guest-d', PUSHED),
  routedFlow('calm-d', 'calm-e'),
  routedFlow('calm-e', 'calm-d'),
];

export class Bystanders implements Watch {
  /** Frames that were sent and that came, by flow. */
  readonly sent = new Float64Array(FLOWS.length);
  readonly come = new Float64Array(FLOWS.length);
  private readonly guarded = new Set<number>();
  private readonly address = parseAddress(CALM_VTEP)?.words ?? NOWHERE;
  /** Copies of the frames under way, by flow. */
  private readonly underWay: Buffer[][] = FLOWS.map(() => []);
  private sw: FuzzedSwitch | undefined;

  guards(port: number): boolean {
    return this.guarded.has(port);
  }

  /** Each of them tells all where it is, before anything else goes on. */
  introduce(sw: FuzzedSwitch): void {
    this.sw = sw;
    for (const name of Object.keys(MACS)) {
      const hello = head(name, 'ff:ff:ff:ff:ff:ff', EXPERIMENTAL, bytes(46));
      this.put(sw, 0, name, hello, -1);
    }
    sw.turn(0);
    for (const name of GUARDED) this.guarded.add(sw.topology.port(name).number);
  }

  /** Puts a frame of some flow into the batch of an engine. */
  send(random: Random, sw: FuzzedSwitch, engine: number): void {
    const number = random.below(FLOWS.length);
    const { from, heads, routed } = FLOWS[number];
    const sequence = this.sent[number]++;
    const full = heads[sequence & 1];
    const l2 = from === 'guest-d' ? 18 : 14;
    // The length of a packet is in its header, so that one is always whole.
    const isWhole = routed !== undefined || (sequence & 1) === 1;
    const length = isWhole ? full.length : l2 + 50 + ((sequence * 37) % (LONGEST_PAYLOAD - 50));
    const mark = random.next() >>> 0;
    const numbered = (head: Uint8Array): Buffer => {
      const frame = Buffer.from(head.subarray(0, length));
      frame.writeUInt32BE(sequence >>> 0, l2 + NUMBER);
      frame.writeUInt32BE(mark, l2 + NUMBER + 4);
      return frame;
    };
    this.underWay[number].push(numbered(routed?.[sequence & 1] ?? full));
    this.put(sw, engine, from, numbered(full), number);
  }

  private put(sw: FuzzedSwitch, engine: number, from: string, frame: Uint8Array, flow: number): void {
    const io = sw.ios[engine];
    const offset = io.nextOffset;
    const common = { offset, vnet: 0, gso: 0, csum: 0, tos: 0, stranger: false };
    if (from === FAR) {
      const datagram = encodeVxlan(CALM_VNI, frame);
      io.bytes.set(datagram, offset);
      const index = sw.topology.port('tunnel').socket;
      sw.countDatagram(index, datagram);
      io.put({ ...common, kind: KIND_UDP, index, length: datagram.length }, this.address, flow);
    } else {
      const index = sw.topology.port(from).number;
      io.bytes.set(frame, offset);
      sw.countTap(index, frame.length);
      io.put({ ...common, kind: KIND_FRAME, index, length: frame.length }, NOWHERE, flow);
    }
  }

  /** A frame of a flow goes out: it is the next one of the flow, unchanged, on the right way. */
  seen(io: FuzzPacketIo, _place: number, flow: number, at: number): void {
    const { to, tag } = FLOWS[flow];
    const { tx } = io;
    const sw = this.sw as FuzzedSwitch;
    const port = sw.topology.port(to === FAR ? 'tunnel' : to).number;
    if (tx[at + TX_COOKIE] !== port) io.fail(at, `a bystander's frame for ${to}`);
    if (tx[at + TX_TAG] !== tag) io.fail(at, `a bystander's frame with another tag than ${tag.toString(16)}`);
    if (to === FAR) this.checkTunnel(io, at);
    const next = this.underWay[flow].shift();
    if (next === undefined) io.fail(at, `a second copy of a bystander's frame for ${to}`);
    const offset = tx[at + TX_OFFSET];
    const frame = io.bytes.subarray(offset, offset + tx[at + TX_LENGTH]);
    if (next.compare(frame) !== 0)
      io.fail(at, `a bystander's frame was changed or overtaken; sent ${next.toString('hex', 0, SHOWN)}`);
    this.come[flow]++;
  }

  private checkTunnel(io: FuzzPacketIo, at: number): void {
    const header = io.view.getUint32(io.tx[at + TX_HEADER] + VXLAN_HEADER - 4) >>> 8;
    const address = (this.sw as FuzzedSwitch).remotes.address(io.tx[at + TX_REMOTE]);
    const isRight = header === CALM_VNI && this.address.every((word, index) => word === address[index]);
    if (!isRight) io.fail(at, "a bystander's frame into another tunnel");
  }

  /** What has been lost: flows of which frames are still under way. Called after each turn. */
  missing(): string[] {
    const missing: string[] = [];
    for (const [index, frames] of this.underWay.entries()) {
      if (frames.length === 0) continue;
      const { from, to } = FLOWS[index];
      missing.push(`${frames.length} from ${from} to ${to}, the first ${concatBytes(frames[0]).length} bytes long`);
    }
    return missing;
  }

  get total(): number {
    return this.come.reduce((sum, count) => sum + count, 0);
  }
}
