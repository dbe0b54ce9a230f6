/**
 * FDB destinations: the egress port in the low 10 bits, the remote behind a tunnel port above them (0: none). The FDB stores
 * them and does not interpret them.
 */
import { MAX_PORTS } from './counters.js';

/** Destination port of a bridge's own MACs while the bridge has no host port. It is never a port's number, nor in a bridge. */
export const ABSENT_HOST_PORT = MAX_PORTS - 1;

export function destinationOf(port: number, remote: number): number {
  return (remote << 10) | port;
}

export function destinationPort(destination: number): number {
  return destination & 0x3ff;
}

export function destinationRemote(destination: number): number {
  return destination >>> 10;
}
