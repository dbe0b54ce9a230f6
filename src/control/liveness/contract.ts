/** What other rooms may know about the remotes of the switch: whether they are alive, as BFD finds. */

import type { SearchState } from '../../liveness/path-search.js';

/** `unknown`: there is no session, or it has not come up yet, or the remote has closed it on purpose. Such a remote is used. */
export type RemoteState = 'unknown' | 'up' | 'down';

/** A remote whose state has changed. */
export interface RemoteChange {
  /** Name of the vxlan port. */
  port: string;
  address: string;
  state: RemoteState;
  /** Diagnostic of RFC 5880 section 4.1. */
  diag: number;
}

/** What probes have found of the path to a remote. */
export interface PathMtuChange {
  port: string;
  address: string;
  /** Bytes of the longest outer IP packet that passes; 0: not known. */
  mtu: number;
  search: SearchState;
}

export interface Liveness {
  stateOf(port: string, address: string): RemoteState;
  /** False only for a remote whose session was up, and is down: nothing is sent there. */
  alive(port: string, address: string): boolean;
  /** @returns ends the subscription */
  subscribe(listener: (change: RemoteChange) => void): () => void;
}
