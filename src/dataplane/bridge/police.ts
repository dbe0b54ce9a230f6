/** Policing of one frame (`state/policers.ts`): what it costs, and whether it passes. */
import { STATUS_NOW } from '../../port/packet-io.js';
import type { Context } from '../state/context.js';
import { segmentsOf, wireBytes } from './flood-cost.js';

/** Takes a frame, or one copy of it, out of the buckets of a port. @param direction POLICE_* @returns false when it does not pass */
export function passesPolice(sw: Context, frame: number, port: number, direction: number): boolean {
  const packets = segmentsOf(sw, frame);
  return sw.policers.take(port, direction, wireBytes(sw, frame, packets), packets, sw.io.status[STATUS_NOW]);
}
