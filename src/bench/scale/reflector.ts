/**
 * The one route reflector of a simulated fabric: a fixture, no part of the switch. It passes on each message as it came, with originator and
 * cluster list (RFC 4456), to all other hosts, and keeps what it passed on for those that come later.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { noCapabilities } from '../../wire/bgp/capabilities.js';
import { Framer } from '../../wire/bgp/framer.js';
import { decodeMessage, encodeKeepalive, encodeNotification, encodeOpen } from '../../wire/bgp/message.js';
import { CEASE, CEASE_HARD_RESET, notification } from '../../wire/bgp/notification.js';
import { AFI_L2VPN, SAFI_EVPN } from '../../wire/bgp/session.js';
import type { Update } from '../../wire/bgp/update.js';
import { encodeEndOfRib, UpdateEncoder } from '../../wire/bgp/update-encode.js';
import { ASN, REFLECTOR, SESSION } from './fabric.js';

const EVPN = { afi: AFI_L2VPN, safi: SAFI_EVPN };

interface Client {
  readonly socket: Socket;
  routerId: string;
  isEstablished: boolean;
  /** It has sent End-of-RIB. */
  isDone: boolean;
}

export class Reflector {
  /** UPDATEs to hosts. */
  messages = 0;
  bytes = 0;
  readonly #server: Server;
  readonly #encoder = new UpdateEncoder(SESSION);
  #clients = new Set<Client>();
  /** What each host has announced and withdrawn, by router identifier. */
  #logs = new Map<string, Uint8Array[]>();
  #isComplete = false;

  constructor(private readonly hosts: number) {
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** @returns the port */
  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  /** It starts anew, and knows nothing. @param isHard without graceful restart: hosts forget its routes (RFC 8538) */
  restart(isHard: boolean): void {
    for (const { socket } of this.#clients) {
      if (isHard) socket.end(encodeNotification(notification(CEASE, CEASE_HARD_RESET, Uint8Array.of(CEASE, 4))));
      else socket.destroy();
    }
    this.#clients = new Set();
    this.#logs = new Map();
    this.#isComplete = false;
  }

  close(): void {
    for (const { socket } of this.#clients) socket.destroy();
    this.#server.close();
  }

  #accept(socket: Socket): void {
    const client: Client = { socket, routerId: '', isEstablished: false, isDone: false };
    const framer = new Framer();
    this.#clients.add(client);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#clients.delete(client));
    socket.on('data', (bytes) => {
      if (this.#clients.has(client)) framer.push(bytes, (message) => this.#take(client, message));
    });
    const gracefulRestart = {
      isRestarting: false,
      keepsOnNotification: true,
      seconds: 600,
      families: [{ ...EVPN, isForwarding: true }],
    };
    const capabilities = { ...noCapabilities(), families: [EVPN], fourOctetAs: ASN, gracefulRestart };
    socket.write(encodeOpen({ asn: ASN, holdTime: 0, routerId: REFLECTOR, capabilities }));
  }

  #take(client: Client, bytes: Uint8Array): boolean {
    const message = decodeMessage(bytes, SESSION);
    if (message.kind === 'open') {
      client.routerId = message.open.routerId;
      client.socket.write(encodeKeepalive());
    } else if (message.kind === 'keepalive' && !client.isEstablished) this.#establish(client);
    else if (message.kind === 'update') {
      if (message.result.verdict !== 'fine')
        throw new Error(`a host sends an UPDATE that is ${message.result.verdict}`);
      this.#reflect(client, message.result.update);
    }
    return true;
  }

  #establish(client: Client): void {
    client.isEstablished = true;
    for (const [routerId, log] of this.#logs) if (routerId !== client.routerId) this.#send(client, log);
    if (this.#isComplete) client.socket.write(encodeEndOfRib());
  }

  #reflect(from: Client, { announced, withdrawn, attributes, isEndOfRib }: Update): void {
    if (isEndOfRib) {
      this.#done(from);
      return;
    }
    const out = this.#encoder.withdraw(withdrawn);
    if (attributes !== null) {
      const passed = { ...attributes, originatorId: from.routerId, clusterList: [REFLECTOR] };
      out.push(...this.#encoder.announce(announced, passed));
    }
    const log = this.#logs.get(from.routerId);
    if (log === undefined) this.#logs.set(from.routerId, out);
    else log.push(...out);
    for (const client of this.#clients) if (client !== from && client.isEstablished) this.#send(client, out);
  }

  /** End-of-RIB goes out when all hosts have sent theirs (RFC 4724 section 4.1). */
  #done(from: Client): void {
    from.isDone = true;
    const done = [...this.#clients].filter(({ isDone }) => isDone).length;
    if (this.#isComplete || done < this.hosts) return;
    this.#isComplete = true;
    for (const { socket } of this.#clients) socket.write(encodeEndOfRib());
  }

  #send({ socket }: Client, messages: readonly Uint8Array[]): void {
    socket.cork();
    for (const message of messages) {
      socket.write(message);
      this.bytes += message.length;
    }
    socket.uncork();
    this.messages += messages.length;
  }
}
