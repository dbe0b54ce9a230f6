/**
 * Noise: random bytes and mutated valid frames, from TAPs with any offload header, and from the tunnel in any datagram.
 * Generated in place in the arena of a PacketIo, at some hundred nanoseconds per frame.
 *
 * It never sends from a bystander's port or VTEP.
 */
import { KIND_FRAME, KIND_UDP, VNET_GSO_ECN, VNET_NEEDS_CSUM } from '../../src/port/packet-io.js';
import { parseAddress } from '../../src/wire/ip-address.js';
import { VXLAN_HEADER } from '../../src/wire/vxlan.js';
import { type Arrival, type FuzzPacketIo, LONGEST, NOISE } from './fuzz-packet-io.js';
import type { FuzzedSwitch } from './fuzzed-switch.js';
import { CALM_VNI, GATEWAYS, GUARDED, VTEPS } from './layout.js';
import { mutate } from './mutate.js';
import type { Random } from './random.js';
import { makeSamples, type Sample } from './samples.js';

const MACS = 4000;
const USUAL_ROOM = 4096;
/** Sources that no frame may have, and odd destinations: high and low words. */
const ODD_MACS = [
  [0, 0],
  [0xffff, -1],
  [0x0100, 0x5e010101],
  [0x3333, 1],
  [0x0180, 0xc2000000],
  [0x0180, 0xc200000e],
  [0x0200, 0x0000000c],
  [0x0200, 0x0000000d],
  [0x0200, 0x5e000001],
] as const;
/** GATEWAY_MAC. */
const GATEWAY = [0x0200, 0x5e000001] as const;
const SEGMENTATIONS = [0, 1, 4, 5, 0x81, 0x84, 3, 0xff];

export class Noise {
  frames = 0;
  private readonly samples = makeSamples();
  private storm: Sample | undefined;
  private taps: number[] = [];
  private sockets: number[] = [];
  /** VNIs of ports and the sockets that they are received on; one list each. */
  private vnis: number[] = [];
  private socketOfVni: number[] = [];
  private readonly address = new Int32Array(4);
  private readonly vteps = VTEPS.map((text) => parseAddress(text)?.words ?? [0, 0, 0, 0]);
  private readonly arrival: Arrival = {
    kind: 0,
    index: 0,
    offset: 0,
    length: 0,
    vnet: 0,
    gso: 0,
    csum: 0,
    tos: 0,
    stranger: false,
  };

  constructor(private readonly random: Random) {}

  /** Learns where noise may come in; after every change of the switch's ports. */
  look(sw: FuzzedSwitch): void {
    const ports = [...sw.topology.ports.values()].filter(({ name }) => ![...GUARDED, ...GATEWAYS].includes(name));
    this.taps = ports.filter(({ spec }) => spec.type === 'tap').map(({ number }) => number);
    this.sockets = [...new Set(ports.map(({ socket }) => socket).filter((socket) => socket >= 0))];
    const pairs = ports.flatMap(({ socket, vnis }) => [...vnis.values()].map(({ vni }) => ({ socket, vni })));
    this.vnis = pairs.filter(({ vni }) => vni !== CALM_VNI).map(({ vni }) => vni);
    this.socketOfVni = pairs.filter(({ vni }) => vni !== CALM_VNI).map(({ socket }) => socket);
  }

  /** From now on all frames are of one message, hardly mutated: a host that asks and asks. Until it is ended. */
  beginStorm(): void {
    this.storm = this.random.pick(this.samples.control);
  }

  endStorm(): void {
    this.storm = undefined;
  }

  get storms(): boolean {
    return this.storm !== undefined;
  }

  /** Puts a frame, or a run of frames that begin alike, into the batch of an engine. */
  send(sw: FuzzedSwitch, engine: number): void {
    const { random } = this;
    const io = sw.ios[engine];
    const isLarge = random.once(150);
    if (!io.hasRoom(isLarge ? LONGEST : USUAL_ROOM)) return;
    const sample = this.sample(isLarge);
    if (random.once(2)) this.fromTap(sw, io, sample);
    else this.fromTunnel(sw, io, sample);
    if (isLarge || !random.once(8)) return;
    for (let left = 1 + random.below(5); left > 0 && io.hasRoom(USUAL_ROOM); left--) this.again(sw, io);
  }

  /** The last frame of a batch, at the very end of the memory: a look behind it throws. */
  sendLast(sw: FuzzedSwitch, engine: number): void {
    const io = sw.ios[engine];
    const sample = this.sample(false);
    if (!io.hasRoom(USUAL_ROOM)) return;
    if (this.random.once(2)) this.fromTap(sw, io, sample, true);
    else this.fromTunnel(sw, io, sample, true);
  }

  /** Messages that the switch acts upon are a third of all, and packets for gateways two ninths, though there are more kinds of packets. */
  private sample(isLarge: boolean): Sample {
    const { control, routed, superframes, usual } = this.samples;
    if (isLarge) return this.random.pick(superframes);
    if (this.storm !== undefined) return this.storm;
    if (this.random.once(3)) return this.random.pick(control);
    return this.random.pick(this.random.once(3) ? routed : usual);
  }

  // ---- From a TAP ----

  private fromTap(sw: FuzzedSwitch, io: FuzzPacketIo, sample: Sample, isLast = false): void {
    const { arrival, random } = this;
    const at = io.nextOffset;
    const length = this.frame(io, at, sample);
    arrival.kind = KIND_FRAME;
    arrival.index = random.pick(this.taps);
    arrival.tos = 0;
    arrival.stranger = random.once(500);
    this.offload(sample, length);
    this.finish(sw, io, at, length, isLast);
  }

  /** The virtio-net header: none, the right one, or any. */
  private offload(sample: Sample, length: number): void {
    const { arrival, random } = this;
    const kind = sample.segmentation !== 0 ? random.below(8) : random.below(12);
    arrival.vnet = 0;
    arrival.gso = 0;
    arrival.csum = 0;
    if (sample.segmentation !== 0 && kind < 5) {
      const ecn = random.once(8) ? VNET_GSO_ECN : 0;
      arrival.vnet = VNET_NEEDS_CSUM | ((sample.segmentation | ecn) << 8);
      arrival.gso = (random.once(10) ? random.below(0x10000) : 1000 + random.below(450)) | (random.below(200) << 16);
      arrival.csum = sample.l4 | (sample.checksum << 16);
    } else if (kind < 4 && sample.checksum !== 0) {
      // Checksums that are left open let mutated messages through to their parsers.
      arrival.vnet = VNET_NEEDS_CSUM;
      arrival.csum = sample.l4 | (sample.checksum << 16);
    } else if (kind === 11) {
      const near = random.once(2);
      const gso = random.pick(SEGMENTATIONS);
      arrival.vnet = (near ? random.below(2) : random.below(256)) | (gso << 8);
      arrival.gso = random.below(near ? 1500 : 0x10000) | (random.below(0x10000) << 16);
      arrival.csum = random.below(near ? 80 : length + 100) | (random.below(near ? 20 : 0x10000) << 16);
    }
  }

  // ---- From the tunnel ----

  private fromTunnel(sw: FuzzedSwitch, io: FuzzPacketIo, sample: Sample, isLast = false): void {
    const { arrival, random } = this;
    const at = io.nextOffset;
    const vni = this.chooseVni();
    const header = this.tunnelHeader(sw, io, at);
    let length = header + this.frame(io, at + header, sample);
    io.view.setInt32(at + 4, vni << 8);
    if (random.once(30)) io.bytes[at + random.below(VXLAN_HEADER)] ^= 1 << random.below(8);
    if (random.once(200)) length = random.below(30);
    arrival.kind = KIND_UDP;
    arrival.vnet = 0;
    arrival.gso = 0;
    arrival.csum = 0;
    arrival.tos = random.once(2) ? 0 : random.below(256);
    this.chooseVtep(io.view.getUint32(at + 4) >>> 8 === CALM_VNI);
    this.finish(sw, io, at, Math.min(length, 65_535), isLast);
  }

  /** The header of the socket's encapsulation, now and then any; with Geneve some options. @returns its length, as far as it is right */
  private tunnelHeader(sw: FuzzedSwitch, io: FuzzPacketIo, at: number): number {
    const { random } = this;
    const isGeneve = sw.facts.geneve[this.arrival.index] === 1;
    const options = isGeneve && random.once(3) ? 4 * random.below(8) : 0;
    const flags = isGeneve && random.once(20) ? random.below(256) << 16 : 0;
    const first = isGeneve ? (options << 22) | flags | 0x6558 : 0x08000000;
    io.view.setInt32(at, random.once(30) ? random.next() : first);
    random.fill(io.bytes, at + VXLAN_HEADER, at + VXLAN_HEADER + options);
    return VXLAN_HEADER + options;
  }

  /** A VNI, most often one of the socket that the datagram comes in by; the bystanders' one too, but never from their VTEP. */
  private chooseVni(): number {
    const { arrival, random } = this;
    const pair = random.below(this.vnis.length);
    arrival.index = this.socketOfVni[pair];
    if (!random.once(10)) return this.vnis[pair];
    arrival.index = random.pick(this.sockets);
    if (random.once(3)) return random.next() & 0xffffff;
    return random.once(4) ? CALM_VNI : random.pick(this.vnis) + random.below(2);
  }

  /**
   * One that is known somewhere, one of some hundred, or any: never the bystanders', nor one that is known on their port
   * where the VNI is theirs, since what comes from there is let in.
   */
  private chooseVtep(isCalm: boolean): void {
    const { address, random } = this;
    const known = random.pick(this.vteps);
    for (let word = 0; word < 4; word++) address[word] = known[word];
    if (!isCalm && !random.once(5)) return;
    address[0] = 0;
    address[1] = 0;
    address[2] = 0xffff;
    address[3] = 0x0a000000 | random.below(random.once(100) ? 0x1000000 : 200);
  }

  // ---- Both ----

  /** Makes a frame at an offset. @returns its length */
  private frame(io: FuzzPacketIo, at: number, sample: Sample): number {
    const { random } = this;
    if (sample !== this.storm && random.once(12)) return this.bytes(io, at);
    io.bytes.set(sample.bytes, at);
    this.chooseMacs(io, at, sample);
    if (random.once(3) || (sample === this.storm && !random.once(10))) return sample.bytes.length;
    return mutate(random, io, at, sample.bytes.length, sample);
  }

  private bytes(io: FuzzPacketIo, at: number): number {
    const length = this.random.below(200);
    this.random.fill(io.bytes, at, at + length);
    // Half of them with a source that is let in.
    if (length >= 12 && this.random.once(2)) this.hostMac(io, at + 6);
    return length;
  }

  /** Sources of many hosts; destinations as they are, of a host, or odd. */
  private chooseMacs(io: FuzzPacketIo, at: number, { bytes }: Sample): void {
    const { random } = this;
    if (!random.once(4)) this.hostMac(io, at + 6);
    else if (random.once(12)) this.oddMac(io, at + 6);
    if ((bytes[0] & 1) !== 0) return;
    const choice = random.below(10);
    if (choice < 4) this.hostMac(io, at);
    else if (choice === 4) this.oddMac(io, at);
    else if (choice < 7) this.writeMac(io, at, GATEWAY);
  }

  private hostMac(io: FuzzPacketIo, at: number): void {
    io.view.setUint16(at, 0x0200);
    io.view.setInt32(at + 2, 0x00010000 | this.random.below(this.random.once(2) ? 24 : MACS));
  }

  private oddMac(io: FuzzPacketIo, at: number): void {
    this.writeMac(io, at, this.random.pick(ODD_MACS));
  }

  private writeMac(io: FuzzPacketIo, at: number, [high, low]: readonly [number, number]): void {
    io.view.setUint16(at, high);
    io.view.setInt32(at + 2, low);
  }

  /** The frame before once more, with the same first headers, and something else behind them. */
  private again(sw: FuzzedSwitch, io: FuzzPacketIo): void {
    const { arrival, random } = this;
    const shared = (arrival.kind === KIND_UDP ? VXLAN_HEADER : 0) + 16;
    const at = io.nextOffset;
    io.bytes.copyWithin(at, arrival.offset, arrival.offset + arrival.length);
    let { length } = arrival;
    if (random.once(6)) length = Math.min(length, random.below(shared + 30));
    else if (length > shared + 4) io.bytes[at + shared + random.below(Math.min(length - shared, 80))] = random.next();
    if (random.once(6)) arrival.vnet ^= VNET_NEEDS_CSUM;
    this.finish(sw, io, at, length, false);
  }

  private finish(sw: FuzzedSwitch, io: FuzzPacketIo, at: number, length: number, isLast: boolean): void {
    const { arrival } = this;
    arrival.offset = isLast ? io.moveToEnd(length) : at;
    arrival.length = length;
    if (arrival.kind === KIND_FRAME) sw.countTap(arrival.index, length);
    else sw.countDatagram(arrival.index, io.bytes.subarray(arrival.offset, arrival.offset + length));
    io.put(arrival, this.address, NOISE);
    this.frames++;
  }
}
