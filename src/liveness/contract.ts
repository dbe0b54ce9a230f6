/**
 * What the liveness thread and the control thread say to each other, and what they share. Plain values, since they cross threads.
 */
import type { BfdState } from '../wire/bfd.js';
import type { SearchState } from './path-search.js';

/** Most sessions of a switch. */
export const MAX_SESSIONS = 1024;
/** Most receiving and sending places. */
export const MAX_PATHS = 64;

/** How packets of a session travel: RFC 5881, RFC 5883, RFC 8971. */
export type BfdMode = 'single-hop' | 'multi-hop' | 'vxlan';

/** A local place that sessions send from and receive at. */
export interface PathSpec {
  path: number;
  mode: BfdMode;
  /** Descriptors; the receiving one is absent inside VXLAN, where datagrams come by the engines' rings. */
  receiver?: number;
  sender: number;
  /** UDP port that packets, or datagrams of VXLAN, go to. */
  port: number;
  /** Inside VXLAN. */
  envelope?: { vni: number; source: string; sourceMac: string };
}

export interface SessionSpec {
  /** Place of its row in the shared status. */
  slot: number;
  path: number;
  /** Of the remote, four words. */
  address: readonly [number, number, number, number];
  /** Microseconds. */
  interval: number;
  multiplier: number;
  /** Probes of the path MTU: the widest outer IP packet that the kernel knows to leave this host, in bytes. */
  widest?: number;
  /** What the process before left. */
  kept?: KeptSession;
}

/** What a session needs to go on in another process. */
export interface KeptSession {
  my: number;
  your: number;
  state: number;
  diag: number;
  remoteState: number;
  remoteMult: number;
  remoteDesiredTx: number;
  remoteMinRx: number;
  /** The path MTU that probes have found, in bytes of the outer IP packet; 0: none. */
  pathMtu: number;
  /** Deaths that are not forgotten. */
  flaps: number;
  /** Milliseconds for which the session has to stay up before its remote is used again; 0: it is not held back. */
  damped: number;
}

export type ToLiveness =
  /** All paths and sessions from now on. Descriptors of paths that are gone may be closed after `applied`. */
  | { type: 'set'; id: number; paths: readonly PathSpec[]; sessions: readonly SessionSpec[] }
  /** Says goodbye to every remote, if asked, and ends. */
  | { type: 'stop'; farewell: boolean };

export type FromLiveness =
  | { type: 'applied'; id: number }
  /** Of one look at all sessions, so that many remotes that die at once are one change. */
  | { type: 'verdicts'; verdicts: readonly SessionVerdict[] }
  /** Probes of the path MTU have found something else. */
  | { type: 'path-mtu'; slot: number; my: number; mtu: number; search: SearchState }
  | { type: 'stopped' };

/** `admin`: the remote has closed its session on purpose. */
export type Verdict = 'up' | 'down' | 'admin';

export interface SessionVerdict {
  slot: number;
  my: number;
  verdict: Verdict;
  diag: number;
}

export interface LivenessData {
  eventFd: number;
  status: SharedArrayBuffer;
  /** A ring of each engine. */
  rings: readonly SharedArrayBuffer[];
}

/** What is shown of a session. */
export interface SessionStatus extends KeptSession {
  state: BfdState;
  remoteState: BfdState;
  /** Milliseconds. */
  sendInterval: number;
  detectionTime: number;
  /** Times that it has come up. */
  ups: number;
  sent: number;
  received: number;
  /** Probes of the path MTU; null: none are sent. */
  probes: ProbeStatus | null;
}

export interface ProbeStatus {
  search: SearchState;
  sent: number;
  lost: number;
  /** How often a path that was found did not pass such packets any more. */
  blackHoles: number;
}
