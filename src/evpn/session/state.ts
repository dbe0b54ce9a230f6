/** The state of a session, as RFC 4271 section 8.2.2 names it: that of its farthest link. */
import type { NeighborState } from '../contract.js';
import { NEVER, type Phase, type Session, type World } from './record.js';

const OF_PHASE: Record<Phase, NeighborState> = {
  waiting: 'idle',
  dialing: 'connect',
  opensent: 'opensent',
  openconfirm: 'openconfirm',
  established: 'established',
};
const ORDER: readonly NeighborState[] = ['idle', 'active', 'connect', 'opensent', 'openconfirm', 'established'];

/** Computes the state and tells when it is another one. @param reason of an end */
export function settle<U>(session: Session, world: World<U>, reason?: string): void {
  const state = stateOf(session);
  if (state === session.state) return;
  session.state = state;
  session.since = world.now();
  world.changed(session, reason);
}

function stateOf({ links, idleUntil, isStopped }: Session): NeighborState {
  if (isStopped || idleUntil !== NEVER) return 'idle';
  const ranks = links.map(({ phase }) => ORDER.indexOf(OF_PHASE[phase]));
  return ORDER[Math.max(1, ...ranks)] as NeighborState;
}
