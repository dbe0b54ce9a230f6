/**
 * Messages between the control thread and an engine thread. The control thread posts and signals the engine's eventfd; the
 * engine answers by a message. Counters, remotes, neighbours and the FDB are read from shared memory instead.
 */
import type { OffloadConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import type { OwnFrame } from '../../dataplane/send.js';
import type { ObserverSettings } from '../../dataplane/state/observer.js';
import type { FlowMaps } from '../../port/native-flow-table.js';
import type { Injection } from '../../port/packet-io.js';

/** Start parameters of an engine thread. */
export interface EngineData {
  engine: number;
  eventFd: number;
  fdb: SharedArrayBuffer;
  counters: SharedArrayBuffer;
  remotes: SharedArrayBuffer;
  storm: SharedArrayBuffer;
  police: SharedArrayBuffer;
  neigh: SharedArrayBuffer;
  /** The punt ring and the flood budget of this engine. */
  punts: SharedArrayBuffer;
  /** The dropped frames of this engine. */
  drops: SharedArrayBuffer;
  budget: SharedArrayBuffer;
  /** Whether loop guard or the spanning tree keeps ports closed; written by the control thread. */
  states: SharedArrayBuffer;
  /** The ring of this engine for the liveness thread, and the eventfd that wakes that. */
  liveness: SharedArrayBuffer;
  livenessFd: number;
  /** The maps of known flows, and this engine's own rows; absent: none are carried outside of it. */
  flows?: { maps: FlowMaps; rows: SharedArrayBuffer };
  offloads: OffloadConfig;
  /** Microseconds. */
  busyPoll: number | 'auto';
  /** It begins standing still: it carries operations out, and takes in no frame. */
  held: boolean;
}

export type ToEngine =
  | { type: 'apply'; id: number; operations: Operation[] }
  /** Stands still after the present batch; frames wait in the kernel. Answered by `applied`. */
  | { type: 'hold'; id: number }
  /** Takes a frame in that no device has received. Answered by `applied`. */
  | { type: 'inject'; id: number; injection: Injection }
  /** Sends frames; while it stands still they are left out. Not answered. */
  | { type: 'send'; frames: readonly OwnFrame[] }
  | { type: 'go-on' }
  /** Memory: records what it does with frames there. Null: not any more. Absent: only the settings change. */
  | { type: 'observe'; memory?: SharedArrayBuffer | null; settings: ObserverSettings }
  /** Memory: records one frame of `interval` there. Null: none any more. */
  | { type: 'sample'; memory: SharedArrayBuffer | null; interval: number }
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
