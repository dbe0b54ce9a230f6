/**
 * Guests that must not be affected: flows of numbered frames between them, in a bridge of their own, and in a VLAN and a VNI of
 * their own on a bridge full of noise. Each frame must leave exactly once, at its destination, by the next turn, with unchanged
 * bytes; and no other frame may reach them.
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
import { ETHERTYPE_IPV4, ETHERTYPE_VLAN, encodeEthernet } from '../../src/wire/ethernet.js';
import { parseAddress } from '../../src/wire/ip-address.js';
import { encodeIpv4 } from '../../src/wire/ipv4.js';
import { encodeVlan } from '../../src/wire/vlan.js';
import { encodeVxlan, VXLAN_HEADER } from '../../src/wire/vxlan.js';
import { bytes, EXPERIMENTAL } from '../dataplane/support/frames.js';
import { type FuzzPacketIo, SHOWN, type Watch } from './fuzz-packet-io.js';
import type { FuzzedSwitch } from './fuzzed-switch.js';
import { CALM_VID, CALM_VNI, CALM_VTEP, FAR_MAC, GUARDED } from './layout.js';
import type { Random } from './random.js';

const LONGEST_PAYLOAD = 1400;
/** Where the number stands in the payload of a frame. */
const NUMBER = 28;
const FAR = 'far';
const NOWHERE = [0, 0, 0, 0];

interface Flow {
  from: string;
  to: string;
  /** What the switch is to do to the tag. */
  tag: number;
  /** Headers of the two kinds of frames, which take turns: IPv4, and what nothing looks into. */
  heads: Uint8Array[];
}

const MACS: Readonly<Record<string, string>> = {
  'calm-a': '02:aa:00:00:00:0a',
  'calm-b': '02:aa:00:00:00:0b',
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
    const { from, heads } = FLOWS[number];
    const sequence = this.sent[number]++;
    const full = heads[sequence & 1];
    const l2 = from === 'guest-d' ? 18 : 14;
    // The length of an IPv4 packet is in its header, so that one is always whole.
    const length = (sequence & 1) === 1 ? full.length : l2 + 46 + ((sequence * 37) % (LONGEST_PAYLOAD - 46));
    const frame = Buffer.from(full.subarray(0, length));
    frame.writeUInt32BE(sequence >>> 0, l2 + NUMBER);
    frame.writeUInt32BE(random.next() >>> 0, l2 + NUMBER + 4);
    this.underWay[number].push(frame);
    this.put(sw, engine, from, frame, number);
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
