/**
 * What ARP and neighbour discovery say of who has an address, taken into the neighbour table: from local ports and from the
 * tunnel, asked for or not, the newest claim first. The message goes its way.
 */
import { BINDING_HIGH, BINDING_LOW, HEARD_BY_TUNNEL, HEARD_DISPUTE } from '../../neigh/table.js';
import type { Context } from '../state/context.js';
import { PORT_TUNNEL } from '../state/forwarding.js';
import { CLAIMS, SUBJECT, SUBJECT_HIGH, SUBJECT_LOW, TRAITS } from '../state/neigh-message.js';
import { PUNT_NEIGH_CONFLICT } from '../state/punt-ring.js';

/** Takes note of the claim in the message that was read into `sw.neighbour`. */
export function snoopNeighbour(sw: Context, frame: number, fid: number): void {
  const { batch, binding, forwarding, neigh, neighbour } = sw;
  if (neighbour[CLAIMS] === 0) return;
  const port = batch.port[frame];
  const high = neighbour[SUBJECT_HIGH];
  const low = neighbour[SUBJECT_LOW];
  const traits = neighbour[TRAITS] | (forwarding.portKind[port] === PORT_TUNNEL ? HEARD_BY_TUNNEL : 0);
  const outcome = neigh.hear(fid, neighbour, SUBJECT, high, low, port, traits, sw.tick, binding);
  if (outcome !== HEARD_DISPUTE) return;
  sw.punts.tell(
    PUNT_NEIGH_CONFLICT,
    port,
    batch.remote[frame],
    batch.vid[frame],
    neighbour,
    SUBJECT,
    high,
    low,
    binding[BINDING_HIGH],
    binding[BINDING_LOW],
  );
}
