/**
 * What the bridge stage does beyond MACs, in bridges where some port asks for it: it takes note of who has which address,
 * and leads frames past what they were sent to (`proxy`, `rsc`).
 */
import { NOT_FOUND } from '../../fdb/table.js';
import { ALONE } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { destinationPort } from '../state/destination.js';
import { REASON } from '../state/drop-reasons.js';
import { PROXY, SHORT_CIRCUITS, SNOOPS_NEIGHBOURS, UP } from '../state/forwarding.js';
import { mayReceive } from '../state/may-forward.js';
import { NEIGHBOUR_NONE, NEIGHBOUR_REQUEST } from '../state/neigh-message.js';
import { looksLikeNeighbour, readNeighbour } from './parse.js';
import { shortCircuit } from './route-shortcircuit.js';
import { snoopNeighbour } from './snoop.js';
import { reduceRequest } from './suppress.js';

/** @param destination what the FDB has for the frame @returns whether the frame's outcome is decided */
export function neighStage(sw: Context, frame: number, fid: number, destination: number): boolean {
  const { batch, forwarding } = sw;
  const flags = forwarding.portFlags[batch.port[frame]];
  if (!looksLikeNeighbour(sw, frame)) {
    return (flags & SHORT_CIRCUITS) !== 0 && shortCircuit(sw, frame, fid, destination);
  }
  // What follows in a run may say something else.
  batch.stage[frame] = ALONE;
  if ((flags & SNOOPS_NEIGHBOURS) === 0) return false;
  const kind = readNeighbour(sw, frame);
  if (kind === NEIGHBOUR_NONE) return false;
  snoopNeighbour(sw, frame, fid);
  if (kind !== NEIGHBOUR_REQUEST || destination === NOT_FOUND) return false;
  const port = destinationPort(destination);
  if (!mayReceive(sw, frame, port, UP | PROXY)) return false;
  reduceRequest(sw, frame, fid, port);
  batch.drop(frame, REASON.suppressed);
  return true;
}
