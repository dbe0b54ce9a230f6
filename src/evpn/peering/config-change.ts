/** What a changed neighbour means for its session. */
import type { NeighborConfig } from '../contract.js';

/** These are agreed on with the neighbour, or are properties of the connection. */
const SETTLED = [
  'port',
  'asn',
  'local',
  'password',
  'ttl_security',
  'hold_time',
  'graceful_restart',
  'long_lived_stale',
] as const satisfies readonly (keyof NeighborConfig)[];

/** Whether the session has to begin anew. */
export function needsReset(before: NeighborConfig, after: NeighborConfig): boolean {
  return SETTLED.some((key) => before[key] !== after[key]);
}
