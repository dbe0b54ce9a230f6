/**
 * The sockets that neighbours connect to, one for each family. Only configured neighbours are let in; keys of signed segments follow the
 * configuration while the sockets are open.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { canonicalAddress } from '../../wire/ip-address.js';
import { limitHops, openListener, sign } from '../../port/tcp.js';
import type { NeighborConfig } from '../contract.js';
import type { Guard } from '../guard.js';
import { guardOf } from './dial.js';

/** Connections that a neighbour may open in a second; a hostile one only gets itself refused. */
const ACCEPTS_A_SECOND = 8;

export interface ListenerEvents {
  accepted(neighbor: NeighborConfig, socket: Socket): void;
  /** A socket could not be opened, or a key not be set. */
  failed(reason: string): void;
}

interface Admission {
  second: number;
  count: number;
}

export class Listener {
  private port = 0;
  private neighbors = new Map<string, NeighborConfig>();
  private readonly servers = new Map<4 | 6, { server: Server; fd: number }>();
  private readonly admissions = new Map<string, Admission>();
  /** Whose key could not be set: nobody is let in for them without it. */
  private readonly unsigned = new Set<string>();

  constructor(
    private readonly events: ListenerEvents,
    private readonly guard: Guard,
    private readonly now: () => number,
  ) {}

  /** Opens what is needed for these neighbours, and closes the rest. @param port 0: none */
  configure(port: number, neighbors: readonly NeighborConfig[]): void {
    const before = this.neighbors;
    this.neighbors = new Map(neighbors.map((neighbor) => [neighbor.address, neighbor]));
    for (const address of this.admissions.keys()) if (!this.neighbors.has(address)) this.admissions.delete(address);
    if (port !== this.port) this.close();
    this.port = port;
    for (const family of [4, 6] as const) this.serve(family, before);
  }

  /** Tries again what could not be opened. */
  retry(): void {
    for (const family of [4, 6] as const) if (!this.servers.has(family)) this.serve(family, this.neighbors);
  }

  close(): void {
    for (const { server } of this.servers.values()) server.close();
    this.servers.clear();
  }

  private serve(family: 4 | 6, before: ReadonlyMap<string, NeighborConfig>): void {
    const mine = [...this.neighbors.values()].filter(({ address }) => familyOf(address) === family);
    const open = this.servers.get(family);
    if (this.port === 0 || mine.length === 0) {
      open?.server.close();
      this.servers.delete(family);
    } else if (open === undefined) this.open(family, mine);
    else this.updateKeys(open.fd, family, before);
  }

  private open(family: 4 | 6, mine: readonly NeighborConfig[]): void {
    try {
      const fd = openListener(family, this.port, mine.map(guardOf));
      const server = createServer({ pauseOnConnect: true });
      server.on(
        'connection',
        this.guard('BGP accept', (socket: Socket) => this.admit(socket)),
      );
      server.on(
        'error',
        this.guard('BGP listen', (error: Error) => {
          this.servers.delete(family);
          this.events.failed(error.message);
        }),
      );
      server.listen({ fd });
      for (const { address } of mine) this.unsigned.delete(address);
      this.servers.set(family, { server, fd });
    } catch (error) {
      this.events.failed(error instanceof Error ? error.message : String(error));
    }
  }

  private updateKeys(fd: number, family: 4 | 6, before: ReadonlyMap<string, NeighborConfig>): void {
    for (const address of new Set([...before.keys(), ...this.neighbors.keys()])) {
      const password = this.neighbors.get(address)?.password;
      if (familyOf(address) !== family) continue;
      if (before.get(address)?.password === password && !this.unsigned.has(address)) continue;
      try {
        sign(fd, address, password);
        this.unsigned.delete(address);
      } catch (error) {
        if (password !== undefined) this.unsigned.add(address);
        else this.unsigned.delete(address);
        this.events.failed(error instanceof Error ? error.message : String(error));
      }
    }
  }

  private admit(socket: Socket): void {
    socket.on('error', () => undefined);
    const neighbor = this.neighbors.get(canonicalAddress(socket.remoteAddress ?? ''));
    if (neighbor === undefined || !this.isInTime(neighbor.address) || !this.isFit(neighbor, socket)) {
      socket.destroy();
      return;
    }
    const fd = descriptorOf(socket);
    if (neighbor.ttl_security !== undefined && fd >= 0) limitHops(fd, guardOf(neighbor));
    if (neighbor.ttl_security !== undefined && fd < 0) {
      socket.destroy();
      throw new Error(`TTL security cannot be set for connections of ${neighbor.address}`);
    }
    this.events.accepted(neighbor, socket);
  }

  private isFit({ address, local }: NeighborConfig, socket: Socket): boolean {
    if (this.unsigned.has(address)) return false;
    return local === undefined || canonicalAddress(socket.localAddress ?? '') === local;
  }

  private isInTime(address: string): boolean {
    const second = Math.floor(this.now() / 1000);
    const admission = this.admissions.get(address);
    if (admission?.second === second) return ++admission.count <= ACCEPTS_A_SECOND;
    this.admissions.set(address, { second, count: 1 });
    return true;
  }
}

/** Node tells the descriptor of a socket by its handle only. */
function descriptorOf(socket: Socket): number {
  return (socket as Socket & { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}
