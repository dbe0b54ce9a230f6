/**
 * What the control thread and the engine's thread say to each other. The control thread posts and rings the engine's
 * eventfd; the engine answers by a message. Counters, remotes, neighbours and the FDB are not sent: they lie in shared memory.
 */
import type { OffloadConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';

/** Given to the engine's thread when it starts. */
export interface EngineData {
  engine: number;
  eventFd: number;
  fdb: SharedArrayBuffer;
  counters: SharedArrayBuffer;
  remotes: SharedArrayBuffer;
  storm: SharedArrayBuffer;
  neigh: SharedArrayBuffer;
  /** This engine's own ring. */
  punts: SharedArrayBuffer;
  offloads: OffloadConfig;
  /** Microseconds. */
  busyPoll: number;
}

export type ToEngine = { type: 'apply'; id: number; operations: Operation[] } | { type: 'stop' };

export type FromEngine =
  | { type: 'applied'; id: number; error?: string }
  | { type: 'port-lost'; port: number; errno: number }
  | { type: 'offload-lost'; offload: string }
  /** The kernel refuses datagrams to a remote as too long for the path. */
  | { type: 'too-big'; remote: number }
  /** Frames lie in the ring of punts. */
  | { type: 'punted' }
  | { type: 'stopped' };
