/**
 * What the engine says in the name of the hosts behind layer-3 ports: questions for the MACs of their neighbours, and announcements of
 * their addresses. Each is a frame of a batch of its own, as if the host had sent it, and takes the same way through the bridge; the
 * packets that waited for an answer follow in the same batch.
 *
 * Once per tick, and at once after a question or a message of a neighbour.
 */
import { ageOf, BINDING_HIGH, BINDING_LOW } from '../../neigh/table.js';
import { KIND_FRAME, RX_INDEX, RX_KIND, RX_LENGTH, RX_OFFSET, RX_STRIDE } from '../../port/packet-io.js';
import { ARP_LENGTH, writeArpRequest } from '../../wire/arp.js';
import { ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV6, writeMac } from '../../wire/ethernet.js';
import { IPV4_MAPPED } from '../../wire/ip-address.js';
import {
  ADVERTISEMENT_PACKET,
  ND_OVERRIDE,
  ND_ROUTER,
  SOLICITATION_PACKET,
  writeAdvertisement,
  writeSolicitation,
} from '../../wire/nd.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { fidOf } from '../state/fid.js';
import { PORT_GATEWAY, UP } from '../state/forwarding.js';
import {
  ASK_HIGH,
  ASK_HOP,
  ASK_LAST,
  ASK_LOW,
  ASK_PORT,
  ASK_SENDER,
  ASK_TRIES,
  ASK_VID,
  ASKS,
  HELD_OF_PORT,
  type Layer3Port,
  SPOKEN_FRAMES,
} from '../state/layer3.js';
import { NEVER } from './ask.js';
import { endAsk, firstOf, giveUp } from './end.js';
import { ERROR_HOST, tellError } from '../routing/error.js';
import { release } from './hold.js';
import { found, isUsable, needsProof } from './ingress.js';

/** Ticks between two attempts of a question, and attempts (Linux: retrans_time_ms, mcast_solicit). */
const RETRY = 10;
const TRIES = 3;
/** Announcements of a port that comes up, and ticks between them (RFC 5227 section 2.3: 2, 2 s; Linux: 1). */
const ANNOUNCEMENTS = 2;
const ANNOUNCE_INTERVAL = 10;
/** Least ticks between two defences of an address (RFC 5227 section 2.4: 10 s). */
const DEFEND_INTERVAL = 100;

/** ff02::1, and its MAC. */
const ALL_NODES = Int32Array.of(0xff020000, 0, 0, 1);
const ALL_NODES_HIGH = 0x3333;
const ALL_NODES_LOW = 1;

/** Scratch of this file: an address. */
const address = new Int32Array(4);
/** Questions that are answered, of this batch. */
const answered = new Int32Array(ASKS);

/** Whether `speak` has anything to do. */
export function hasToSpeak({ layer3, tick }: Context): boolean {
  return (layer3.ports.length > 0 || layer3.askCount > 0) && (layer3.isDue || layer3.lookedAt !== tick);
}

/** Writes the descriptors of a batch. @returns its frames; `settle` ends it */
export function speak(sw: Context): number {
  const { layer3 } = sw;
  layer3.isDue = false;
  layer3.lookedAt = sw.tick;
  layer3.spoken = 0;
  for (let index = 0; index < layer3.ports.length; index++) announce(sw, layer3.ports[index]);
  const count = layer3.askCount === 0 ? 0 : pursueAll(sw);
  let row = layer3.spoken;
  for (let index = 0; index < count; index++) {
    // No more than a batch has rows for; the others follow in the next one.
    if (row + HELD_OF_PORT > sw.batch.size) {
      layer3.isDue = true;
      break;
    }
    const ask = answered[index];
    // Taken back in the meantime: it is asked again in the next turn.
    if (!isAnswered(sw, layer3.askAt(ask))) continue;
    row = release(sw, ask, row, found[BINDING_HIGH], found[BINDING_LOW]);
    endAsk(sw, ask);
  }
  layer3.released = row - layer3.spoken;
  return row;
}

/** The batch is through: later ones of this turn are none of what the engine says. */
export function settle({ layer3 }: Context): void {
  layer3.spoken = 0;
  layer3.released = 0;
}

// ---- Questions ----

/** Looks at each question. @returns the number of those in `answered` */
function pursueAll(sw: Context): number {
  const { layer3 } = sw;
  let count = 0;
  for (let ask = 0; ask < ASKS; ask++) {
    const at = layer3.askAt(ask);
    if (layer3.asks[at + ASK_PORT] >= 0 && isAnswered(sw, at)) answered[count++] = ask;
    else if (layer3.asks[at + ASK_PORT] >= 0) pursue(sw, ask, at);
  }
  return count;
}

function isAnswered(sw: Context, at: number): boolean {
  const { asks } = sw.layer3;
  const vid = asks[at + ASK_VID];
  const bridge = sw.forwarding.portBridge[asks[at + ASK_PORT]];
  return sw.neigh.read(fidOf(bridge, vid), asks, at + ASK_HOP, found) && isUsable(sw, vid) && !needsProof(sw, vid);
}

/** Asks, asks again, or gives up. */
function pursue(sw: Context, ask: number, at: number): void {
  const { forwarding, layer3, tick } = sw;
  const { asks } = layer3;
  const port = asks[at + ASK_PORT];
  if (layer3.of[port] === undefined || (forwarding.portFlags[port] & UP) === 0) {
    end(sw, ask, REASON.port_down);
    return;
  }
  if (asks[at + ASK_LAST] !== NEVER && ageOf(tick, asks[at + ASK_LAST]) < RETRY) return;
  if (asks[at + ASK_TRIES] >= TRIES) {
    end(sw, ask, REASON.neigh_failed);
    return;
  }
  if (layer3.spoken === SPOKEN_FRAMES) {
    layer3.isDue = true;
    return;
  }
  asks[at + ASK_TRIES]++;
  asks[at + ASK_LAST] = tick;
  writeQuestion(sw, port, at);
}

function end(sw: Context, ask: number, reason: number): void {
  const { forwarding, layer3 } = sw;
  const slot = reason === REASON.neigh_failed ? firstOf(sw, ask) : -1;
  if (slot >= 0 && forwarding.portKind[layer3.heldPort[slot]] === PORT_GATEWAY) {
    const l3 = layer3.heldAt(slot) + ETHERNET_HEADER;
    const packetEnd = l3 + layer3.heldLength[slot] - ETHERNET_HEADER;
    tellError(sw, layer3.heldPort[slot], layer3.heldFrom[slot], l3, packetEnd, ERROR_HOST);
  }
  giveUp(sw, ask, reason);
  endAsk(sw, ask);
}

/** Drops all that waits for a port. Control path. */
export function forget(sw: Context, port: number): void {
  const { layer3 } = sw;
  if (layer3.of[port] === undefined) return;
  for (let ask = 0; ask < ASKS; ask++) {
    if (layer3.asks[layer3.askAt(ask) + ASK_PORT] === port) end(sw, ask, REASON.port_down);
  }
  layer3.remove(port);
}

function writeQuestion(sw: Context, port: number, at: number): void {
  const { layer3, view } = sw;
  const { asks } = layer3;
  const { macHigh, macLow } = layer3.of[port] as Layer3Port;
  const toAll = (asks[at + ASK_HIGH] | asks[at + ASK_LOW]) === 0;
  const isArp = isMapped(asks, at + ASK_HOP);
  const frame = begin(sw, port, isArp ? ARP_LENGTH : SOLICITATION_PACKET);
  const l3 = frame + ETHERNET_HEADER;
  if (!toAll) writeMac(view, frame, asks[at + ASK_HIGH], asks[at + ASK_LOW]);
  else if (isArp) writeMac(view, frame, 0xffff, -1);
  else writeMac(view, frame, 0x3333, 0xff000000 | (asks[at + ASK_HOP + 3] & 0xffffff));
  view.setUint16(frame + 12, isArp ? ETHERTYPE_ARP : ETHERTYPE_IPV6);
  if (isArp) writeArpRequest(view, l3, macHigh, macLow, asks[at + ASK_SENDER + 3], asks[at + ASK_HOP + 3]);
  else writeSolicitation(view, l3, asks, at + ASK_SENDER, at + ASK_HOP, toAll, macHigh, macLow);
}

// ---- Announcements ----

/** An address of the port was claimed by somebody else: it is announced again, but not without end. */
export function defend({ layer3, tick }: Context, port: number): void {
  const host = layer3.of[port];
  if (host === undefined || host.announcements > 0 || ageOf(tick, host.announcedAt) < DEFEND_INTERVAL) return;
  host.announcements = 1;
  host.announceAt = tick;
  layer3.isDue = true;
}

/** Announces the addresses of a port that has come up, and of one that defends them. */
function announce(sw: Context, port: number): void {
  const { forwarding, layer3, tick } = sw;
  const host = layer3.of[port] as Layer3Port;
  const filters = forwarding.bridgeTpid[forwarding.portBridge[port]] !== 0;
  const isUp = (forwarding.portFlags[port] & UP) !== 0 && (!filters || forwarding.portPvid[port] !== 0);
  // Once for the switch, whatever the number of its engines.
  if (isUp && !host.wasUp && sw.engine === 0) {
    host.announcements = ANNOUNCEMENTS;
    host.announceAt = tick;
  }
  host.wasUp = isUp;
  if (!isUp || host.announcements === 0 || ageOf(host.announceAt, tick) > 0) return;
  if (layer3.spoken + host.prefixes.length > SPOKEN_FRAMES) {
    layer3.isDue = true;
    return;
  }
  host.announcements--;
  host.announceAt = (tick + ANNOUNCE_INTERVAL) & 0x7fffffff;
  host.announcedAt = tick;
  for (let index = 0; index < host.prefixes.length; index++) writeAnnouncement(sw, port, host, index * 4);
}

function writeAnnouncement(sw: Context, port: number, { macHigh, macLow, own }: Layer3Port, at: number): void {
  const { view } = sw;
  const isArp = isMapped(own, at);
  const frame = begin(sw, port, isArp ? ARP_LENGTH : ADVERTISEMENT_PACKET);
  const l3 = frame + ETHERNET_HEADER;
  view.setUint16(frame + 12, isArp ? ETHERTYPE_ARP : ETHERTYPE_IPV6);
  if (isArp) {
    writeMac(view, frame, 0xffff, -1);
    writeArpRequest(view, l3, macHigh, macLow, own[at + 3], own[at + 3]);
    return;
  }
  for (let word = 0; word < 4; word++) address[word] = own[at + word];
  writeMac(view, frame, ALL_NODES_HIGH, ALL_NODES_LOW);
  const flags = sw.forwarding.portKind[port] === PORT_GATEWAY ? ND_OVERRIDE | ND_ROUTER : ND_OVERRIDE;
  writeAdvertisement(view, l3, flags, address, 0, ALL_NODES, 0, macHigh, macLow);
}

// ---- Frames ----

/** Begins a frame of a port with its descriptor and source MAC. @returns its arena offset */
function begin(sw: Context, port: number, payload: number): number {
  const { layer3, rx, view } = sw;
  const row = layer3.spoken++;
  const at = row * RX_STRIDE;
  const frame = layer3.spokenAt(row);
  const { macHigh, macLow } = layer3.of[port] as Layer3Port;
  rx.fill(0, at, at + RX_STRIDE);
  rx[at + RX_KIND] = KIND_FRAME;
  rx[at + RX_INDEX] = port;
  rx[at + RX_OFFSET] = frame;
  rx[at + RX_LENGTH] = ETHERNET_HEADER + payload;
  writeMac(view, frame + 6, macHigh, macLow);
  return frame;
}

function isMapped(words: Int32Array, at: number): boolean {
  return (words[at] | words[at + 1]) === 0 && words[at + 2] === IPV4_MAPPED;
}
