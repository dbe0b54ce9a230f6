/**
 * Messages between the control thread and an engine thread. The control thread posts and signals the engine's eventfd; the
 * engine answers by a message. Counters, remotes, neighbours and the FDB are read from shared memory instead.
 */
import type { OffloadConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';

/** Start parameters of an engine thread. */
export interface EngineData {
  engine: number;
  eventFd: number;
  fdb: SharedArrayBuffer;
  counters: SharedArrayBuffer;
  remotes: SharedArrayBuffer;
  storm: SharedArrayBuffer;
  neigh: SharedArrayBuffer;
  /** The punt ring of this engine. */
  punts: SharedArrayBuffer;
  offloads: OffloadConfig;
  /** Microseconds. */
  busyPoll: number;
  /** It begins standing still: it carries operations out, and takes in no frame. */
  held: boolean;
}

export type ToEngine =
  | { type: 'apply'; id: number; operations: Operation[] }
  /** Stands still after the present batch; frames wait in the kernel. Answered by `applied`. */
  | { type: 'hold'; id: number }
  | { type: 'go-on' }
  | { type: 'stop' };

export type FromEngine =
  | { type: 'applied'; id: number; error?: string }
  | { type: 'port-lost'; port: number; errno: number }
  | { type: 'offload-lost'; offload: string }
  /** EMSGSIZE: datagrams to a remote exceed the path MTU. */
  | { type: 'too-big'; remote: number }
  /** The punt ring is no longer empty. */
  | { type: 'punted' }
  | { type: 'stopped' };
