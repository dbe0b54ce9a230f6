/**
 * What a running switch reports by itself, for the log of its process.
 */
import type { MacMoves, UnknownVtep } from '../api/api.js';
import type { OffloadConfig } from '../config/types.js';
import type { Refusal } from '../port/refusals.js';
import type { EvpnEvent } from './evpn/evpn-control.js';
import type { PathMtuChange, RemoteChange } from './liveness/contract.js';
import type { Loop } from './loops/loop-guard.js';
import type { TreeNotice } from './spanning-tree/tree-control.js';
import type { OwnTunnelNotice } from './events/own-tunnel-notices.js';

export interface SwitchEvents {
  /** A port fails, with the reason; null: it works again. */
  portFault(name: string, fault: string | null): void;
  /** The NIC of a port was renamed or moved to another namespace. `heldBack`: suppressed reports before this one. */
  nicMoved(name: string, nic: string, heldBack: number): void;
  /** The MAC of a host port's NIC has changed. */
  macChanged(name: string, before: string, mac: string): void;
  /** The host refuses a part of the kernel. `isNeeded`: the configuration makes use of it. */
  refused(refusal: Refusal, isNeeded: boolean): void;
  /** A configured offload is unavailable; `reason` gives the finding. `asked`: it was requested explicitly. */
  offloadMissing(offload: keyof OffloadConfig, reason: string, asked: boolean): void;
  /** Known flows out of tunnels are carried without their superframes, which go by the sockets. */
  superframesMissing(reason: string): void;
  /** An offload is available but unused while something speaks against it. */
  offloadHeldBack(offload: string, reason: string): void;
  /** An offload failed at run time and was disabled. */
  offloadLost(offload: string): void;
  /** The route to a remote leads into a bridge of the switch, which drops its datagrams (own_tunnel). */
  ownTunnel(notice: OwnTunnelNotice): void;
  /** Datagrams are dropped because their sender is no remote. @param heldBack suppressed reports since the last one */
  unknownVtep(vtep: UnknownVtep, heldBack: number): void;
  /** A MAC moves too often between ports. @param heldBack as above */
  macMoves(moves: Omit<MacMoves, 'last'>, heldBack: number): void;
  /** A port was blocked because a loop goes through it, or is open again. */
  loop(loop: Loop, isThere: boolean): void;
  /** A port has another state in a spanning tree, or a BPDU has closed it. */
  tree(notice: TreeNotice): void;
  /** A source of peers of a port fails, with the reason, or works again: null. @param heldBack as above */
  peerSource(port: string, source: string, reason: string | null, heldBack: number): void;
  /** A BGP session has come up or ended, a neighbour has too many routes, or a MAC is a duplicate. @param heldBack as above */
  evpn(event: EvpnEvent, heldBack: number): void;
  /** The speaker, a password or rows of routes. */
  evpnFault(text: string, heldBack: number): void;
  /** A remote was found dead, or is alive again. @param heldBack as above */
  remote(change: RemoteChange, heldBack: number): void;
  /** Probes have found another path MTU. @param heldBack as above */
  pathMtu(change: PathMtuChange, heldBack: number): void;
  /** BFD sessions cannot be had, with the reason; null: they can again. */
  livenessFault(reason: string | null): void;
  failed(error: Error): void;
}
