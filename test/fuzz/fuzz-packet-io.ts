/**
 * The PacketIo for fuzzing: frames are generated in place in the arena, and output is kept as sums only. Every command is
 * checked: it must send a whole frame of this batch, or one of the switch's own, to an existing port, sender and remote, with a
 * valid tag, offload and header.
 *
 * It never chooses the input. An invalid command throws, with the bytes of its frame.
 */

import { ORIGINATED_BYTES, ORIGINATED_ROOM } from '../../src/dataplane/egress/originate.js';
import { MAX_PORTS } from '../../src/dataplane/state/counters.js';
import { ERROR_FRAMES, ERROR_SLOT } from '../../src/dataplane/state/gateways.js';
import { HELD_BYTES, HELD_PACKETS, HELD_SLOT, LAYER3_ROOM, SPOKEN_SLOT } from '../../src/dataplane/state/layer3.js';
import type { RemoteTable } from '../../src/encap/remotes.js';
import { MAX_REMOTES } from '../../src/encap/remotes.js';
import * as L from '../../src/port/packet-io.js';
import { internetChecksum } from '../../src/wire/checksum.js';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_QINQ } from '../../src/wire/ethernet.js';
import { ipv4TotalLength } from '../../src/wire/ipv4.js';
import { IPV6_HEADER, ipv6PayloadLength } from '../../src/wire/ipv6.js';
import { vidOf } from '../../src/wire/vlan.js';
import { VXLAN_HEADER } from '../../src/wire/vxlan.js';
import { innerLength } from '../dataplane/support/inner-length.js';
import { type Facts, TAGGED, TAP, VXLAN } from './switch-tables.js';

const MAX_FRAMES = 512;
/** Few, so that a batch often needs several rings. */
const MAX_COMMANDS = 256;
const HEADER_BYTES = 634_880;
/** Bytes of a batch, as of the real PacketIo, and room for one more superframe. */
const BATCH_BYTES = 400 * 1024;
export const LONGEST = 66_000;
/** Bytes of a frame that are shown when it is at fault. */
export const SHOWN = 160;
/** Copies that are remembered, so that a second one is noticed. */
const COPIES = 1 << 14;
const ARENA = HEADER_BYTES + BATCH_BYTES + LONGEST + 4 * L.HEADROOM;
/** By how many bytes keeping, popping, pushing and replacing a tag makes a frame longer. */
const GROWTH = [0, -4, 4, 0];
/** In place of a place in the batch: a frame of the switch's own. */
const OWN = -1;

/** Whose frame it is: a number from 0 on of a bystander, or nobody's. */
export const NOISE = -1;

/** Judges what is sent of the bystanders' frames; throws when it is not what it has to be. */
export interface Watch {
  /** The frame `place` of the batch goes out by this command. */
  seen(io: FuzzPacketIo, place: number, flow: number, at: number): void;
  /** Whether this port belongs to bystanders, so that nothing else may go there. */
  guards(port: number): boolean;
}

export interface Arrival {
  kind: number;
  index: number;
  offset: number;
  length: number;
  vnet: number;
  gso: number;
  csum: number;
  tos: number;
  /** From another sender than the remote of a `udp` port. */
  stranger: boolean;
}

export class FuzzPacketIo implements L.PacketIo {
  readonly arena = new ArrayBuffer(ARENA);
  readonly headerBase = 0;
  readonly headerBytes = HEADER_BYTES;
  readonly rx = new Int32Array(MAX_FRAMES * L.RX_STRIDE);
  readonly tx = new Int32Array(MAX_COMMANDS * L.TX_STRIDE);
  readonly status = new Int32Array(L.STATUS_WORDS);
  readonly bytes = new Uint8Array(this.arena);
  readonly view = new DataView(this.arena);
  count = 0;
  /** Errno that all goes wrong with, by TAP and by remote. */
  readonly tapFaults = new Int32Array(MAX_PORTS);
  readonly remoteFaults = new Int32Array(MAX_REMOTES);
  /** Frames and bytes that went out, by port. */
  readonly sentFrames = new Float64Array(MAX_PORTS);
  readonly sentBytes = new Float64Array(MAX_PORTS);
  refused = 0;
  own = 0;
  private lostPort = 0;
  private lostErrno = 0;
  private cursor = HEADER_BYTES;
  /** The place in the batch of the frame that begins at 4 times this offset, valid for the turn in `stamps`. */
  private readonly placeAt = new Int32Array((ARENA >> 2) + 1);
  private readonly stamps = new Int32Array((ARENA >> 2) + 1);
  private stamp = 0;
  private readonly lengths = new Int32Array(MAX_FRAMES);
  readonly flows = new Int32Array(MAX_FRAMES);
  /** 1: the frame was for a gateway when it came. */
  private readonly toGateway = new Uint8Array(MAX_FRAMES);
  /** Routed frames that went out, packets that had waited among them. */
  routed = 0;
  /** Stamp, frame and port, remote of copies; one that shares a place with another is forgotten. */
  private readonly copies = new Int32Array(COPIES * 3);
  private readonly remotes = new Int32Array(MAX_REMOTES * 5);

  constructor(
    private readonly facts: Facts,
    private readonly table: RemoteTable,
    private readonly watch: Watch,
  ) {}

  // ---- Putting in ----

  /** Forgets the last batch. */
  begin(): void {
    this.count = 0;
    this.cursor = HEADER_BYTES;
    this.stamp++;
  }

  /** Whether another frame of up to `length` bytes, at most LONGEST, goes into the batch. */
  hasRoom(length: number): boolean {
    return this.count < MAX_FRAMES && this.cursor + length < HEADER_BYTES + BATCH_BYTES;
  }

  /** Where the next frame is to be made. */
  get nextOffset(): number {
    return ((this.cursor + L.HEADROOM + 3) & ~3) + 2;
  }

  /** Moves what was made at `nextOffset` to the very end of the arena, so that no byte behind it can be read. */
  moveToEnd(length: number): number {
    const to = ARENA - length;
    this.bytes.copyWithin(to, this.nextOffset, this.nextOffset + length);
    return to;
  }

  /** The frame or datagram at an offset is received, as bystanders' or as NOISE. */
  put(arrival: Arrival, address: ArrayLike<number>, flow: number): void {
    const { rx } = this;
    const { kind, offset, length } = arrival;
    const place = this.count++;
    const at = place * L.RX_STRIDE;
    rx[at + L.RX_KIND] = kind;
    rx[at + L.RX_INDEX] = arrival.index;
    rx[at + L.RX_OFFSET] = offset;
    rx[at + L.RX_LENGTH] = length;
    rx[at + L.RX_VNET] = arrival.vnet;
    rx[at + L.RX_GSO] = arrival.gso;
    rx[at + L.RX_CSUM] = arrival.csum;
    rx[at + L.RX_TOS] = arrival.tos;
    rx[at + L.RX_STRANGER] = arrival.stranger ? 1 : 0;
    for (let word = 0; word < 4; word++) rx[at + L.RX_ADDRESS + word] = address[word];
    rx[at + L.RX_SOURCE_PORT] = 50_000;
    const frame = kind === L.KIND_FRAME ? offset : offset + this.tunnelHeader(arrival);
    this.lengths[place] = offset + length - frame;
    this.flows[place] = flow;
    this.toGateway[place] = frame + 14 <= offset + length && this.isGateway(frame) ? 1 : 0;
    this.placeAt[frame >> 2] = place;
    this.stamps[frame >> 2] = this.stamp;
    this.cursor = offset + length;
  }

  /** Whether the MAC at an offset is that of the gateways. */
  private isGateway(at: number): boolean {
    return this.view.getUint16(at) === 0x0200 && this.view.getInt32(at + 2) === 0x5e000001;
  }

  private tunnelHeader({ index, offset, length }: Arrival): number {
    if (length < VXLAN_HEADER) return VXLAN_HEADER;
    return length - innerLength(this.bytes.subarray(offset, offset + length), this.facts.geneve[index] === 1);
  }

  /** A device has gone; the next `receive` tells. */
  lose(port: number, errno: number): void {
    this.lostPort = port;
    this.lostErrno = errno;
  }

  receive(): number {
    this.status[L.STATUS_LOST_ERRNO] = this.lostErrno;
    this.status[L.STATUS_LOST_KIND] = L.KIND_FRAME;
    this.status[L.STATUS_LOST_INDEX] = this.lostPort;
    this.lostErrno = 0;
    return this.count;
  }

  // ---- Taking out ----

  transmit(count: number): number {
    let failed = 0;
    if (count > MAX_COMMANDS) throw new Error(`${count} commands in a ring of ${MAX_COMMANDS}`);
    for (let at = 0; at < count * L.TX_STRIDE; at += L.TX_STRIDE) {
      const status = this.execute(at);
      this.tx[at + L.TX_STATUS] = status;
      if (status !== 0) failed++;
    }
    this.refused += failed;
    return failed;
  }

  private execute(at: number): number {
    const { tx } = this;
    const kind = tx[at + L.TX_KIND];
    const port = tx[at + L.TX_COOKIE];
    const place = this.judgeFrame(at);
    if (place !== OWN) this.judgeCopy(at, port, place);
    if (kind === L.KIND_FRAME) this.judgeTap(at, port);
    else if (kind === L.KIND_UDP) this.judgeUdp(at, port, place);
    else this.fail(at, 'a kind that there is not');
    this.judgeTag(at, port);
    this.judgeOffload(at);
    const flow = place === OWN ? NOISE : this.flows[place];
    if (flow !== NOISE) this.watch.seen(this, place, flow, at);
    else if (this.watch.guards(port) && !this.isAnnouncement(at)) this.fail(at, "noise to a bystander's port");
    const fault = kind === L.KIND_FRAME ? this.tapFaults[port] : this.remoteFaults[tx[at + L.TX_REMOTE]];
    if (fault !== 0) return fault;
    // The addon has its own idea of superframes; here it dislikes some of them.
    const isSuper = (tx[at + L.TX_VNET] & 0xff00) !== 0;
    if (isSuper && kind === L.KIND_UDP && (tx[at + L.TX_GSO] & 7) === 1) return L.OFFLOAD_MISFIT;
    this.sentFrames[port]++;
    this.sentBytes[port] += tx[at + L.TX_LENGTH] + GROWTH[(tx[at + L.TX_TAG] >>> 16) & 3];
    return 0;
  }

  /** The frame is a whole one of this batch, or one of the switch's own. @returns its place, or OWN */
  private judgeFrame(at: number): number {
    const offset = this.tx[at + L.TX_OFFSET];
    const length = this.tx[at + L.TX_LENGTH];
    if (offset >= HEADER_BYTES - ORIGINATED_ROOM && offset < HEADER_BYTES) {
      if (!isOwnFrame(offset, length)) this.fail(at, 'not a frame of its own');
      this.own++;
      return OWN;
    }
    if (offset < HEADER_BYTES || offset + length > ARENA) this.fail(at, 'outside of the arena');
    // What was routed begins behind its tag, if it had one.
    const isHere = this.stamps[offset >> 2] === this.stamp;
    if (!isHere && this.stamps[(offset - 4) >> 2] !== this.stamp) this.fail(at, 'no frame of this batch');
    const place = this.placeAt[(isHere ? offset : offset - 4) >> 2];
    if (this.isRouted(place, offset)) this.judgeRouted(at, place, isHere ? 0 : 4);
    else if (!isHere || length < 14 || length !== this.lengths[place])
      this.fail(at, `not the whole frame of ${this.lengths[place]} bytes`);
    return place;
  }

  /** A gateway tells all hosts of its link where its addresses are. */
  private isAnnouncement(at: number): boolean {
    const offset = this.tx[at + L.TX_OFFSET];
    const isSpoken = offset >= HEADER_BYTES - LAYER3_ROOM + HELD_PACKETS * HELD_SLOT && offset < HEADER_BYTES;
    return isSpoken && this.isGateway(offset + 6) && (this.view.getUint8(offset) & 1) === 1;
  }

  private isRouted(place: number, offset: number): boolean {
    return this.toGateway[place] === 1 && this.isGateway(offset + 6) && !this.isGateway(offset);
  }

  /** It ends where its packet does, but for a superframe, and is none of what a router must not send on. */
  private judgeRouted(at: number, place: number, tag: number): void {
    const { tx, view } = this;
    const l3 = tx[at + L.TX_OFFSET] + 14;
    const length = tx[at + L.TX_LENGTH] - 14;
    const type = view.getUint16(l3 - 2);
    if (length + 14 + tag > this.lengths[place]) this.fail(at, 'longer than what came');
    if (type !== ETHERTYPE_IPV4 && type !== ETHERTYPE_IPV6) this.fail(at, 'not to be routed');
    const says = type === ETHERTYPE_IPV4 ? ipv4TotalLength(view, l3) : IPV6_HEADER + ipv6PayloadLength(view, l3);
    const isSuper = tx[at + L.TX_VNET] >>> 8 !== 0 && says <= IPV6_HEADER;
    if (says !== length && !isSuper) this.fail(at, `a packet of ${says} bytes`);
    if (view.getUint8(l3 + (type === ETHERTYPE_IPV4 ? 8 : 7)) === 0) this.fail(at, 'no time to live');
    if (type === ETHERTYPE_IPV4 && internetChecksum(view, l3, (view.getUint8(l3) & 15) * 4) !== 0)
      this.fail(at, 'checksum of a header');
    this.routed++;
  }

  /** Not the second one to the same place, and not back to where the frame came from. */
  private judgeCopy(at: number, port: number, place: number): void {
    const { copies, facts, rx, tx } = this;
    const remote = tx[at + L.TX_REMOTE] * Number(tx[at + L.TX_KIND] === L.KIND_UDP);
    const slot = (((place * 61 + port) * 31 + remote) & (COPIES - 1)) * 3;
    const isKnown = copies[slot] === this.stamp && copies[slot + 1] === ((place << 10) | port);
    if (isKnown && copies[slot + 2] === remote) this.fail(at, 'a second copy');
    copies[slot] = this.stamp;
    copies[slot + 1] = (place << 10) | port;
    copies[slot + 2] = remote;
    const from = place * L.RX_STRIDE;
    const isBack = rx[from + L.RX_KIND] === L.KIND_FRAME && rx[from + L.RX_INDEX] === port;
    if (isBack && facts.turnsBack[port] === 0 && !this.isRouted(place, tx[at + L.TX_OFFSET]))
      this.fail(at, 'back to where it came from');
  }

  private judgeTap(at: number, port: number): void {
    if (this.tx[at + L.TX_INDEX] !== port || this.facts.kind[port] !== TAP) this.fail(at, 'no TAP');
  }

  private judgeUdp(at: number, port: number, place: number): void {
    const { facts, tx, view } = this;
    if (facts.kind[port] !== VXLAN) this.fail(at, 'no vxlan port');
    if (facts.portOfSender[tx[at + L.TX_INDEX]] !== port) this.fail(at, 'no sender of this port');
    const isFromRemote = place !== OWN && this.rx[place * L.RX_STRIDE + L.RX_KIND] === L.KIND_UDP;
    if (isFromRemote && !this.isRouted(place, tx[at + L.TX_OFFSET])) this.fail(at, 'from remote to remote');
    const header = tx[at + L.TX_HEADER];
    if (tx[at + L.TX_HEADER_LENGTH] !== VXLAN_HEADER || header % VXLAN_HEADER !== 0) this.fail(at, 'header');
    if (header < 0 || header + VXLAN_HEADER > HEADER_BYTES - ORIGINATED_ROOM)
      this.fail(at, 'header outside of its room');
    if (view.getInt32(header) !== facts.header[port] || view.getUint8(header + 7) !== 0) this.fail(at, 'reserved bits');
    if (!facts.vnis[port].has(view.getUint32(header + 4) >>> 8)) this.fail(at, "not one of the port's VNIs");
    if (tx[at + L.TX_TOS] < 0 || tx[at + L.TX_TOS] > 255) this.fail(at, 'TOS');
    this.judgeRemote(at);
  }

  /** The PacketIo has been told the address that the table has. */
  private judgeRemote(at: number): void {
    const remote = this.tx[at + L.TX_REMOTE];
    if (remote <= 0 || remote >= MAX_REMOTES || this.table.udpPort(remote) === 0) this.fail(at, 'no such remote');
    const address = this.table.address(remote);
    const row = remote * 5;
    for (let word = 0; word < 4; word++) {
      if (this.remotes[row + word] !== address[word]) this.fail(at, 'the remote was never introduced');
    }
    if (this.remotes[row + 4] !== this.table.udpPort(remote)) this.fail(at, "not the remote's UDP port");
  }

  private judgeTag(at: number, port: number): void {
    const { facts, tx } = this;
    const tag = tx[at + L.TX_TAG];
    const operation = tag & L.TAG_REPLACE;
    const isService = operation === L.TAG_PUSH && facts.tpid[port] === ETHERTYPE_QINQ;
    if ((tag & ~(L.TAG_REPLACE | 0xffff)) !== (isService ? L.TAG_SERVICE : 0)) this.fail(at, 'tag');
    if (operation === L.TAG_KEEP) return;
    if (facts.filtering[port] === 0) this.fail(at, 'a tag where VLANs mean nothing');
    if (operation !== L.TAG_PUSH) {
      const offset = tx[at + L.TX_OFFSET];
      const isTagged = tx[at + L.TX_LENGTH] >= 18 && this.view.getUint16(offset + 12) === facts.tpid[port];
      if (!isTagged) this.fail(at, 'no tag to take off');
    }
    if (operation === L.TAG_POP) return;
    if (facts.tunnels[port] !== 0) this.fail(at, 'a tag into the tunnel');
    if (facts.member[(port << 12) | vidOf(tag)] !== TAGGED) this.fail(at, 'a tag that the port has not');
  }

  private judgeOffload(at: number): void {
    const { tx } = this;
    const vnet = tx[at + L.TX_VNET];
    const length = tx[at + L.TX_LENGTH];
    const segmentation = (vnet >>> 8) & ~L.VNET_GSO_ECN;
    if ((vnet & L.VNET_NEEDS_CSUM) !== 0) {
      const start = tx[at + L.TX_CSUM] & 0xffff;
      if (start < 14 || start + (tx[at + L.TX_CSUM] >>> 16) + 2 > length)
        this.fail(at, 'a checksum outside of the frame');
    } else if (vnet >>> 8 !== 0) {
      this.fail(at, 'a superframe with a finished checksum');
    }
    if (vnet >>> 8 === 0) return;
    const isKnown = [L.VNET_GSO_TCPV4, L.VNET_GSO_TCPV6, L.VNET_GSO_UDP_L4].includes(segmentation);
    if (!isKnown || (tx[at + L.TX_GSO] & 0xffff) === 0) this.fail(at, 'segmentation');
  }

  /** @throws Error that shows the command and the frame */
  fail(at: number, why: string): never {
    const words = Array.from(this.tx.subarray(at, at + L.TX_STRIDE));
    const offset = Math.max(0, words[L.TX_OFFSET]);
    const frame = Buffer.from(this.arena).subarray(offset, offset + Math.min(words[L.TX_LENGTH], SHOWN));
    const name = this.facts.names[words[L.TX_COOKIE]];
    throw new Error(`command to ${name}: ${why}\n  words ${words}\n  frame ${frame.toString('hex')}`);
  }

  // ---- Devices ----

  setRemote(index: number, a0: number, a1: number, a2: number, a3: number, port: number): void {
    const row = index * 5;
    this.remotes[row] = a0;
    this.remotes[row + 1] = a1;
    this.remotes[row + 2] = a2;
    this.remotes[row + 3] = a3;
    this.remotes[row + 4] = port;
  }

  attachTap(): void {}
  attachStream(): void {}
  attachDatagrams(): void {}
  attachSocket(): void {}
  attachSender(): void {}
  detachTap(): void {}
  detachSocket(): void {}
  detachSender(): void {}
}

/** One that the switch makes itself, or a packet that has waited, whole and in a slot of its own (`originate.ts`, `gateways.ts`, `layer3.ts`). */
function isOwnFrame(offset: number, length: number): boolean {
  if (length < 14) return false;
  const held = HEADER_BYTES - LAYER3_ROOM;
  const spoken = held + HELD_PACKETS * HELD_SLOT;
  const errors = held - ERROR_FRAMES * ERROR_SLOT;
  if (offset >= spoken) return (offset - spoken) % SPOKEN_SLOT === 2 && length <= SPOKEN_SLOT - 2;
  if (offset >= held) return (offset - held) % HELD_SLOT === 2 && length <= HELD_BYTES;
  if (offset >= errors) return (offset - errors) % ERROR_SLOT === 2 && length <= ERROR_SLOT - 2;
  return (offset - (HEADER_BYTES - ORIGINATED_ROOM)) % ORIGINATED_BYTES === 0 && length <= ORIGINATED_BYTES;
}
