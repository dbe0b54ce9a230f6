/**
 * ARP and ND of other hosts about the addresses of layer-3 ports: the engine answers requests for them, whoever asks, since the host
 * itself cannot. What others claim about them is not believed, and answered by an announcement.
 */
import { NOT_FOUND } from '../../fdb/table.js';
import { OUTCOME_ANSWER, OUTCOME_FLOOD_REQUEST } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { destinationPort } from '../state/destination.js';
import { NEIGH_SUPPRESS, PROXY } from '../state/forwarding.js';
import { mayForward } from '../state/may-forward.js';
import {
  CLAIMS,
  MESSAGE_WORDS,
  OWNER_FLAGS,
  OWNER_HIGH,
  OWNER_LOW,
  PLACE,
  SUBJECT,
  TARGET,
  VERDICT,
  VERDICT_ANSWER,
  WITHHELD,
} from '../state/neigh-message.js';
import { configuredOwner, ownerOf } from './own.js';
import { defend } from './speak.js';

/**
 * Whether the message claims an address of a layer-3 port for somebody else. The address is defended then.
 */
export function isForeignClaim(sw: Context, frame: number): boolean {
  const { batch, forwarding } = sw;
  const message = frame * MESSAGE_WORDS;
  if (batch.messages[message + CLAIMS] === 0) return false;
  const port = batch.port[frame];
  const owner = configuredOwner(sw, forwarding.portBridge[port], batch.vid[frame], batch.messages, message + SUBJECT);
  if (owner < 0 || owner === port) return false;
  defend(sw, owner);
  return true;
}

/**
 * Decides about a request for an address of a layer-3 port: a flooded one is answered and goes on to the other ports, one to the
 * port's MAC ends here. A probe (RFC 5227, RFC 4862) is answered too, by which the address is defended.
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
  batch.outcome[frame] = destination === NOT_FOUND ? OUTCOME_FLOOD_REQUEST : OUTCOME_ANSWER;
  messages[message + WITHHELD] = NEIGH_SUPPRESS | PROXY;
  messages[message + PLACE] = destination;
  messages[message + VERDICT] = VERDICT_ANSWER;
  messages[message + OWNER_HIGH] = host.macHigh;
  messages[message + OWNER_LOW] = host.macLow;
  messages[message + OWNER_FLAGS] = 0;
  return true;
}
