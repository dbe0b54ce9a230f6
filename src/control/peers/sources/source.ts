/** What all sources of peers have in common: the port that they are of, how they are doing, and what starts and ends them. */
import type { TunnelType } from '../../../config/options/kinds.js';
import type { EtcdConfig } from '../../../config/types.js';
import type { PeerTables } from '../contract.js';
import type { DnsClient } from './dns/client.js';

/** What a source needs to know of its port. */
export interface SourcePort {
  name: string;
  type: TunnelType;
  family: 4 | 6;
  local: string | undefined;
  dev: string | undefined;
  dstport: number;
  /** Ascending. */
  vnis: readonly number[];
}

/** What sources need of the switch. */
export interface SourceSite {
  tables: PeerTables;
  dns: DnsClient;
  /** Whether an address is one of this host's. @param dev device of the underlay */
  isOwn(address: string, dev: string | undefined): boolean;
  /** Name of the switch, for others to read. */
  switchName(): string;
  etcd(): EtcdConfig;
  /** Milliseconds that the rows of a source stay that is gone. */
  graceMs(): number;
  /** For jitter: 0 or more, less than 1. */
  random(): number;
  /** A source fails, with the reason, or works again: null. @param heldBack reports that were left out before this one */
  say(port: string, source: string, reason: string | null, heldBack: number): void;
}

/**
 * `starting`: it has not spoken yet. `ok`. `failed`: it does not speak, or nonsense, and its last rows stay. `lapsed`: they were taken
 * back because it has been gone for longer than `peers_grace`.
 */
export type SourceState = 'starting' | 'ok' | 'failed' | 'lapsed';

/** A source as listings show it. */
export interface SourceStatus {
  source: string;
  state: SourceState;
  remotes: number;
  macs: number;
  bindings: number;
  /** Milliseconds since 1970, when it last said something that was understood; null: not yet. */
  spokeAt: number | null;
  fault: string | null;
}

export interface PeerSource {
  readonly name: string;
  /** The port has other VNIs, or the like. */
  follow(port: SourcePort): void;
  status(): SourceStatus;
  /** Ends its timers and connections. Its rows stay. */
  stop(): void;
  /** Takes its rows back, after `stop`. */
  clear(): Promise<void>;
  /** Tells others that this host is gone, after `stop`. Takes half a second at most, and never rejects. */
  leave?(): Promise<void>;
}
