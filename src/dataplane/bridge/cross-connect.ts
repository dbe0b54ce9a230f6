/**
 * Cross-connect: a bridge of two ports that passes every frame from one to the other, as a cable does (a virtual private wire,
 * RFC 4664 section 2.1). Nothing is learned, looked up or answered; frames of link protocols (STP, LACP, pause) pass too.
 */
import type { Context } from '../state/context.js';
import { destinationOf } from '../state/destination.js';
import { REASON } from '../state/drop-reasons.js';
import { UP } from '../state/forwarding.js';

/** Decides about a frame that entered by a port of a cross-connect: the other port, and behind a tunnel port its flood list. */
export function crossConnect({ batch, forwarding }: Context, frame: number): void {
  const port = batch.port[frame];
  const ports = forwarding.bridgePorts[forwarding.portBridge[port]];
  const other = ports[0] === port ? ports[1] : ports[0];
  if (ports.length !== 2) batch.drop(frame, REASON.no_destination);
  else if ((forwarding.portFlags[other] & UP) === 0) batch.drop(frame, REASON.port_down);
  else batch.outcome[frame] = destinationOf(other, 0);
}
