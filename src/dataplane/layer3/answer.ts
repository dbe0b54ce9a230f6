/**
 * ARP and ND of other hosts about the addresses of layer-3 ports: the engine answers requests for them, whoever asks, since the host
 * itself cannot. What others claim about them is not believed, and answered by an announcement.
 */
import { NOT_FOUND } from '../../fdb/table.js';
import { NEIGH_ROUTER } from '../../neigh/table.js';
import { OUTCOME_ANSWER, OUTCOME_FLOOD_REQUEST } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { destinationPort } from '../state/destination.js';
import { NEIGH_SUPPRESS, PORT_GATEWAY, PROXY } from '../state/forwarding.js';
import { mayForward } from '../state/may-forward.js';
import {
  CLAIMS,
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
  WITHHELD,
} from '../state/neigh-message.js';
import { configuredOwner, ownerOf } from './own.js';
import { defend } from './speak.js';

/** Nobody claims an address of a layer-3 port, or the port itself does. */
export const CLAIM_FAIR = 0;
/** It is claimed for somebody else: not to be believed. */
export const CLAIM_FOREIGN = 1;
/** The address of a gateway is claimed by another MAC: nobody is to hear that. */
export const CLAIM_REFUSED = 2;

/**
 * What a message claims about the addresses of layer-3 ports: CLAIM_*. One that is claimed for somebody else is defended. The gateway of
 * another host has the same addresses, and says so from the same MAC.
 */
export function foreignClaim(sw: Context, frame: number): number {
  const { batch, forwarding } = sw;
  const message = frame * MESSAGE_WORDS;
  if (batch.messages[message + CLAIMS] === 0) return CLAIM_FAIR;
  const port = batch.port[frame];
  const owner = configuredOwner(sw, forwarding.portBridge[port], batch.vid[frame], batch.messages, message + SUBJECT);
  if (owner < 0 || owner === port) return CLAIM_FAIR;
  const isGateway = forwarding.portKind[owner] === PORT_GATEWAY;
  if (isGateway && isFromMac(sw, owner, batch.messages, message)) return CLAIM_FOREIGN;
  defend(sw, owner);
  return isGateway ? CLAIM_REFUSED : CLAIM_FOREIGN;
}

function isFromMac({ layer3 }: Context, owner: number, messages: Int32Array, message: number): boolean {
  const host = layer3.of[owner];
  return host?.macLow === messages[message + SUBJECT_LOW] && host.macHigh === messages[message + SUBJECT_HIGH];
}

/**
 * Decides about a request for an address of a layer-3 port: a flooded one is answered and goes on to the other ports, one to the
 * port's MAC ends here, and so does one for a gateway, which other hosts have too. A probe (RFC 5227, RFC 4862) is answered too, by which the address is defended.
 * @param destination the frame's FDB destination, or NOT_FOUND @returns whether the outcome is decided
 */
export function answerForHost(sw: Context, frame: number, fid: number, destination: number): boolean {
  const { batch, forwarding } = sw;
  const { messages } = batch;
  const message = frame * MESSAGE_WORDS;
  const bridge = forwarding.portBridge[batch.port[frame]];
  const owner = ownerOf(sw, bridge, batch.vid[frame], fid, messages, message + TARGET);
  const host = owner < 0 ? undefined : sw.layer3.of[owner];
  if (host === undefined || !mayForward(sw, frame, owner)) return false;
  if (destination !== NOT_FOUND && destinationPort(destination) !== owner) return false;
  const isGateway = forwarding.portKind[owner] === PORT_GATEWAY;
  batch.outcome[frame] = destination === NOT_FOUND && !isGateway ? OUTCOME_FLOOD_REQUEST : OUTCOME_ANSWER;
  messages[message + WITHHELD] = NEIGH_SUPPRESS | PROXY;
  messages[message + PLACE] = destination === NOT_FOUND && isGateway ? owner : destination;
  messages[message + VERDICT] = VERDICT_ANSWER;
  messages[message + OWNER_HIGH] = host.macHigh;
  messages[message + OWNER_LOW] = host.macLow;
  messages[message + OWNER_FLAGS] = isGateway ? NEIGH_ROUTER : 0;
  return true;
}
