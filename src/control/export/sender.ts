/**
 * Datagrams to collectors. A collector that is gone, an ICMP error, a route that is missing or a full socket costs the datagram, which is
 * counted, and nothing else: nothing waits, and no more than a few datagrams are under way.
 */
import { createSocket, type Socket } from 'node:dgram';
import { attempt, soon } from '../guard.js';

export interface Collector {
  address: string;
  port: number;
}

/** Datagrams that the socket may have under way. */
const UNDER_WAY = 256;
/** Milliseconds between two attempts to open a socket. */
const REOPEN_MS = 1000;

export class Sender {
  sent = 0;
  failed = 0;
  /** The last error, as text. */
  fault = '';
  private readonly sockets = new Map<'udp4' | 'udp6', Socket>();
  private readonly closedAt = new Map<'udp4' | 'udp6', number>();
  private underWay = 0;

  constructor(
    private readonly collectors: readonly Collector[],
    private readonly now: () => number = () => performance.now(),
  ) {}

  send(datagram: Buffer): void {
    for (const { address, port } of this.collectors) {
      const socket = this.underWay < UNDER_WAY ? this.socketOf(address.includes(':') ? 'udp6' : 'udp4') : null;
      if (socket === null) this.fail('no room');
      else this.give(socket, datagram, address, port);
    }
  }

  private give(socket: Socket, datagram: Buffer, address: string, port: number): void {
    this.underWay++;
    try {
      socket.send(datagram, port, address, (error) => {
        this.underWay--;
        if (error === null) this.sent++;
        else this.fail(error.message);
      });
    } catch (error) {
      this.underWay--;
      this.fail(String(error));
    }
  }

  private fail(why: string): void {
    this.failed++;
    this.fault = why;
  }

  private socketOf(type: 'udp4' | 'udp6'): Socket | null {
    const present = this.sockets.get(type);
    if (present !== undefined) return present;
    if (this.now() < (this.closedAt.get(type) ?? Number.NEGATIVE_INFINITY) + REOPEN_MS) return null;
    this.closedAt.set(type, this.now());
    const socket = createSocket({ type });
    socket.unref();
    socket.on('error', (error) => this.lose(type, socket, error.message));
    // What a collector answers is of no use.
    socket.on('message', () => undefined);
    this.sockets.set(type, socket);
    return socket;
  }

  private lose(type: 'udp4' | 'udp6', socket: Socket, why: string): void {
    this.fail(why);
    if (this.sockets.get(type) === socket) this.sockets.delete(type);
    this.closedAt.set(type, this.now());
    attempt('export socket', () => socket.close());
  }

  /** What was given to the sockets leaves in the next passes of the event loop; then they are closed. */
  close(): void {
    const sockets = [...this.sockets.values()];
    this.sockets.clear();
    const end = (): void => {
      for (const socket of sockets) attempt('export socket', () => socket.close());
    };
    soon('export', () => soon('export', end));
  }
}
