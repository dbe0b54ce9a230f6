/**
 * FDB destinations: the egress port in the low 10 bits, the remote behind a tunnel port above them (0: none). The FDB stores
 * them and does not interpret them.
 */
import { MAX_REMOTES } from '../../encap/remotes.js';
import { MAX_PORTS } from './counters.js';

/** Destination port of a bridge's own MACs while the bridge has no host port. It is never a port's number, nor in a bridge. */
export const ABSENT_HOST_PORT = MAX_PORTS - 1;

/** Remotes from here on are no remotes, but groups of nexthops: this plus the index of the group. */
export const GROUP_REMOTES = MAX_REMOTES;
/** Buckets of a group; a power of two. A flow hashes to one of them. */
export const NEXTHOP_BUCKETS = 1024;

/** Whether the remote of a destination is a group of nexthops. */
export function isGroup(remote: number): boolean {
  return remote >= GROUP_REMOTES;
}

export function destinationOf(port: number, remote: number): number {
  return (remote << 10) | port;
}

export function destinationPort(destination: number): number {
  return destination & 0x3ff;
}

export function destinationRemote(destination: number): number {
  return destination >>> 10;
}
