/**
 * Acts on what `suppress.ts` has decided about an ARP or ND request: sends the answer to the port that asked, from the owner's MAC, or
 * reports the miss.
 */
import { NEIGH_ROUTER } from '../../neigh/table.js';
import { ARP_LENGTH, writeArpReply } from '../../wire/arp.js';
import { ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV6, writeMac } from '../../wire/ethernet.js';
import { ADVERTISEMENT_PACKET, ND_OVERRIDE, ND_ROUTER, ND_SOLICITED, writeAdvertisement } from '../../wire/nd.js';
import { beginOriginated, NO_ROOM, sendBack } from '../egress/originate.js';
import { transmitCommands } from '../egress/transmit.js';
import type { Context } from '../state/context.js';
import { destinationPort } from '../state/destination.js';
import { dropIn } from '../state/drop.js';
import { REASON } from '../state/drop-reasons.js';
import { L3MISS, PROXY } from '../state/forwarding.js';
import { mayForward } from '../state/may-forward.js';
import {
  FAMILY,
  MESSAGE_WORDS,
  OWNER_FLAGS,
  OWNER_HIGH,
  OWNER_LOW,
  PLACE,
  SUBJECT,
  SUBJECT_HIGH,
  SUBJECT_LOW,
  TARGET,
  VERDICT,
  VERDICT_ANSWER,
  VERDICT_MISS,
} from '../state/neigh-message.js';
import { reportL3Miss } from './misses.js';
import { isProbe } from './parse.js';

/** ff02::1, and its MAC. */
const ALL_NODES = Int32Array.of(0xff020000, 0, 0, 1);
const ALL_NODES_HIGH = 0x3333;
const ALL_NODES_LOW = 1;

/** A request that is being flooded (OUTCOME_FLOOD_REQUEST). */
export function actOnFloodedRequest(sw: Context, frame: number): void {
  const verdict = sw.batch.messages[frame * MESSAGE_WORDS + VERDICT];
  if (verdict === VERDICT_ANSWER) answer(sw, frame);
  else if (verdict === VERDICT_MISS) reportMisses(sw, frame);
}

/** A request that ends here (OUTCOME_ANSWER), whether there is an answer or not. */
export function actOnUnicastRequest(sw: Context, frame: number): void {
  const { batch, forwarding } = sw;
  const message = frame * MESSAGE_WORDS;
  const verdict = batch.messages[message + VERDICT];
  const port = destinationPort(batch.messages[message + PLACE]);
  if (verdict === VERDICT_ANSWER) answer(sw, frame);
  else if (verdict === VERDICT_MISS && (forwarding.portFlags[port] & L3MISS) !== 0) {
    reportL3Miss(sw, frame, port, batch.messages, message + TARGET);
  }
  dropIn(sw, frame, REASON.suppressed);
}

/** Reports a miss for each port that would have sent the request into its tunnel, had it no `proxy`. */
function reportMisses(sw: Context, frame: number): void {
  const { batch, forwarding } = sw;
  const target = frame * MESSAGE_WORDS + TARGET;
  const ports = forwarding.bridgePorts[forwarding.portBridge[batch.port[frame]]];
  for (let index = 0; index < ports.length; index++) {
    const port = ports[index];
    if (mayForward(sw, frame, port, PROXY | L3MISS)) reportL3Miss(sw, frame, port, batch.messages, target);
  }
}

function answer(sw: Context, frame: number): void {
  const row = roomForAnswer(sw);
  const isArp = sw.batch.messages[frame * MESSAGE_WORDS + FAMILY] === 4;
  sendBack(sw, row, isArp ? writeArp(sw, frame, row) : writeNd(sw, frame, row), frame);
}

/** A row for the answer. Once the batch has used all of them, the commands so far are transmitted and the rows reused. */
function roomForAnswer(sw: Context): number {
  const row = beginOriginated(sw);
  if (row !== NO_ROOM) return row;
  transmitCommands(sw, true);
  sw.originated = 0;
  return beginOriginated(sw);
}

function writeArp({ batch, view }: Context, frame: number, row: number): number {
  const { messages } = batch;
  const message = frame * MESSAGE_WORDS;
  const at = batch.offset[row];
  const high = messages[message + OWNER_HIGH];
  const low = messages[message + OWNER_LOW];
  const toHigh = messages[message + SUBJECT_HIGH];
  const toLow = messages[message + SUBJECT_LOW];
  const from = messages[message + TARGET + 3];
  const to = messages[message + SUBJECT + 3];
  writeMac(view, at, toHigh, toLow);
  writeMac(view, at + 6, high, low);
  view.setUint16(at + 12, ETHERTYPE_ARP);
  writeArpReply(view, at + ETHERNET_HEADER, high, low, from, toHigh, toLow, to);
  return ETHERNET_HEADER + ARP_LENGTH;
}

/** A DAD probe has no source address; the advertisement goes to all-nodes (RFC 4861 section 7.2.4). */
function writeNd({ batch, view }: Context, frame: number, row: number): number {
  const { messages } = batch;
  const message = frame * MESSAGE_WORDS;
  const at = batch.offset[row];
  const l3 = at + ETHERNET_HEADER;
  const high = messages[message + OWNER_HIGH];
  const low = messages[message + OWNER_LOW];
  const target = message + TARGET;
  const flags = (messages[message + OWNER_FLAGS] & NEIGH_ROUTER) !== 0 ? ND_ROUTER | ND_OVERRIDE : ND_OVERRIDE;
  if (isProbe(batch, frame)) {
    writeMac(view, at, ALL_NODES_HIGH, ALL_NODES_LOW);
    writeAdvertisement(view, l3, flags, messages, target, ALL_NODES, 0, high, low);
  } else {
    writeMac(view, at, messages[message + SUBJECT_HIGH], messages[message + SUBJECT_LOW]);
    writeAdvertisement(view, l3, flags | ND_SOLICITED, messages, target, messages, message + SUBJECT, high, low);
  }
  writeMac(view, at + 6, high, low);
  view.setUint16(at + 12, ETHERTYPE_IPV6);
  return ETHERNET_HEADER + ADVERTISEMENT_PACKET;
}
