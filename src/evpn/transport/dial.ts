/** Connecting to a neighbour: by Node alone, or with a socket of the addon where segments are signed or their TTL is checked. */
import { connect, Socket } from 'node:net';
import { openDialer, type TcpGuard } from '../../port/tcp.js';
import type { NeighborConfig } from '../contract.js';

/** What the addon has to know of a neighbour. */
export function guardOf({ address, password, ttl_security }: NeighborConfig): TcpGuard {
  return {
    remote: address,
    ...(password === undefined ? {} : { password }),
    ...(ttl_security === undefined ? {} : { hops: ttl_security }),
  };
}

/** A socket that connects. @throws TcpError */
export function dialNeighbor(neighbor: NeighborConfig): Socket {
  const { address: host, port, local, password, ttl_security } = neighbor;
  if (password === undefined && ttl_security === undefined) {
    return connect({ host, port, ...(local === undefined ? {} : { localAddress: local }) });
  }
  const socket = new Socket({ fd: openDialer(guardOf(neighbor), local), readable: true, writable: true });
  return socket.connect({ host, port });
}
