/**
 * Neighbour snooping: the address claims of ARP and neighbour discovery messages, solicited or not, from local ports and from tunnels,
 * go into the neighbour table. The message itself is forwarded as usual.
 */
import { BINDING_HIGH, BINDING_LOW, BINDING_WORDS, HEARD_BY_TUNNEL, HEARD_DISPUTE } from '../../neigh/table.js';
import type { Context } from '../state/context.js';
import { PORT_TUNNEL } from '../state/forwarding.js';
import { CLAIMS, MESSAGE_WORDS, SUBJECT, SUBJECT_HIGH, SUBJECT_LOW, TRAITS } from '../state/neigh-message.js';
import { PUNT_NEIGH_CONFLICT } from '../state/punt-ring.js';

/** Scratch of this file: the binding that a claim disputes. */
const disputed = new Int32Array(BINDING_WORDS);

/** Records the claim in the message that `readNeighbour` has read from the frame. */
export function snoopNeighbour(sw: Context, frame: number, fid: number): void {
  const { batch, forwarding, neigh } = sw;
  const { messages } = batch;
  const message = frame * MESSAGE_WORDS;
  if (messages[message + CLAIMS] === 0) return;
  const port = batch.port[frame];
  const subject = message + SUBJECT;
  const high = messages[message + SUBJECT_HIGH];
  const low = messages[message + SUBJECT_LOW];
  const traits = messages[message + TRAITS] | (forwarding.portKind[port] === PORT_TUNNEL ? HEARD_BY_TUNNEL : 0);
  const outcome = neigh.hear(fid, messages, subject, high, low, port, traits, sw.tick, disputed);
  if (outcome !== HEARD_DISPUTE) return;
  sw.punts.tell(
    PUNT_NEIGH_CONFLICT,
    port,
    batch.remote[frame],
    batch.vid[frame],
    messages,
    subject,
    high,
    low,
    disputed[BINDING_HIGH],
    disputed[BINDING_LOW],
  );
}
