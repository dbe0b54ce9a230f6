/**
 * The neighbour stage of the bridge, in bridges where a port asks for it: neighbour snooping, ARP/ND suppression and proxy, route
 * short-circuit. It decides; answers are sent by `answer.ts`.
 */
import { NOT_FOUND } from '../../fdb/table.js';
import { answerForHost, CLAIM_FAIR, CLAIM_REFUSED, foreignClaim } from '../layer3/answer.js';
import { ALONE } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { SHORT_CIRCUITS, SNOOPS_NEIGHBOURS } from '../state/forwarding.js';
import { NEIGHBOUR_NONE, NEIGHBOUR_REQUEST } from '../state/neigh-message.js';
import { looksLikeNeighbour, readNeighbour } from './parse.js';
import { shortCircuit } from './route-shortcircuit.js';
import { snoopNeighbour } from './snoop.js';
import { decideAnnouncement, decideFloodedRequest, decideUnicastRequest } from './suppress.js';

/** @param destination the frame's FDB destination, or NOT_FOUND @returns whether the frame's outcome is decided */
export function neighStage(sw: Context, frame: number, fid: number, destination: number): boolean {
  const { batch, forwarding } = sw;
  const flags = forwarding.portFlags[batch.port[frame]];
  if (!looksLikeNeighbour(sw, frame)) {
    return (flags & SHORT_CIRCUITS) !== 0 && shortCircuit(sw, frame, fid, destination);
  }
  // The next frame of the run may be another message.
  batch.stage[frame] = ALONE;
  if ((flags & SNOOPS_NEIGHBOURS) === 0) return false;
  const kind = readNeighbour(sw, frame);
  if (kind === NEIGHBOUR_NONE) return false;
  const hasHosts = sw.layer3.ports.length > 0;
  const claim = hasHosts ? foreignClaim(sw, frame) : CLAIM_FAIR;
  if (claim === CLAIM_REFUSED) return !batch.drop(frame, REASON.arp_guard);
  if (claim === CLAIM_FAIR) snoopNeighbour(sw, frame, fid);
  // A question of a layer-3 port may be answered now.
  if (sw.layer3.askCount > 0) sw.layer3.isDue = true;
  if (kind !== NEIGHBOUR_REQUEST) return destination === NOT_FOUND && decideAnnouncement(sw, frame);
  if (hasHosts && answerForHost(sw, frame, fid, destination)) return true;
  if (destination === NOT_FOUND) return decideFloodedRequest(sw, frame, fid);
  return decideUnicastRequest(sw, frame, fid, destination);
}
