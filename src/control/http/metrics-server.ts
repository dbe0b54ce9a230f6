/**
 * `metrics: ADDRESS:PORT`: an HTTP server for Prometheus, which answers `GET /metrics` and nothing else, with the limits on
 * clients that the control socket has. It cannot change the switch: it knows the listings only.
 *
 * The address may be absent or in use at start, as at boot: the switch runs without, and tries again.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type ListenAddress, listenText } from '../../values/access.js';
import { guarded } from '../guard.js';
import type { Views } from '../listings.js';
import { Door, httpServer } from './http-listener.js';
import { askForMetrics } from './evpn.js';
import { METRICS_TYPE, metricsOf } from './metrics.js';
import { DEFAULT_LIMITS, type Limits } from './server-limits.js';
import { guardSending, sendText, Turns } from './text-stream.js';

/** Clients are few: each Prometheus server keeps one connection. */
const CONNECTIONS = 64;
/** Prometheus waits for each answer. */
const HELD_REQUESTS = 1024;
const OWN_LIMITS: Partial<Limits> = { connections: CONNECTIONS, eventStreams: 0, heldRequests: HELD_REQUESTS };
const RETRY_MS = 5000;

export interface MetricsOptions {
  /** Called when the server listens, and when it cannot, with the reason: once until it does. */
  listening(address: string): void;
  waiting(address: string, reason: string): void;
  /** Called for each connection closed on arrival or in favour of another, with the reason. */
  connectionRefused(reason: string): void;
  /** Called for faults of the switch during a request. */
  report(error: unknown): void;
  limits?: Partial<Limits>;
  /** Milliseconds between two attempts to listen; for tests. */
  retryMs?: number;
}

export class MetricsServer {
  private readonly turns = new Turns();
  private readonly limits: Limits;
  private readonly server: Server;
  private retry: NodeJS.Timeout | undefined;
  private hasWaited = false;

  /** Begins to listen. Never throws. */
  constructor(
    private readonly at: ListenAddress,
    private readonly views: Views,
    private readonly options: MetricsOptions,
  ) {
    this.limits = { ...DEFAULT_LIMITS, ...OWN_LIMITS, ...options.limits };
    this.server = httpServer(
      guarded('metrics', (incoming: IncomingMessage, outgoing: ServerResponse) => this.answer(incoming, outgoing)),
      this.limits,
      new Door((reason) => options.connectionRefused(reason)),
      true,
    );
    this.server.on(
      'listening',
      guarded('metrics', () => {
        this.hasWaited = false;
        options.listening(listenText(at));
      }),
    );
    this.server.on(
      'error',
      guarded('metrics', (error: Error) => this.wait(error)),
    );
    this.listen();
  }

  close(): void {
    clearTimeout(this.retry);
    this.server.close();
    this.server.closeAllConnections();
  }

  private listen(): void {
    const { address, port } = this.at;
    this.server.listen({ host: address, port });
  }

  private wait(error: Error): void {
    if (this.server.listening) {
      this.options.report(error); // of accepting a connection; the server goes on
      return;
    }
    if (!this.hasWaited) this.options.waiting(listenText(this.at), error.message);
    this.hasWaited = true;
    const again = guarded('metrics', () => this.listen());
    this.retry = setTimeout(again, this.options.retryMs ?? RETRY_MS).unref();
  }

  private async send(outgoing: ServerResponse): Promise<void> {
    const evpn = await askForMetrics(this.views.evpn());
    await sendText(outgoing, METRICS_TYPE, metricsOf(this.views, evpn), this.turns, this.limits);
  }

  private answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
    // Nothing needs a body. What comes of one is not read: the connection ends with the answer.
    const { 'content-length': length = '0', 'transfer-encoding': encoding } = incoming.headers;
    if (length !== '0' || encoding !== undefined) {
      outgoing.shouldKeepAlive = false;
      outgoing.once('finish', () => incoming.socket.destroySoon());
    }
    const refusal = refusalOf(incoming);
    if (refusal === null) {
      this.send(outgoing).catch(this.options.report);
      return;
    }
    guardSending(outgoing, this.limits);
    const [status, headers] = refusal;
    outgoing.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers });
    outgoing.end('This is GET /metrics of an overtap switch, and nothing else.\n');
  }
}

function refusalOf({ method, url = '' }: IncomingMessage): [status: number, headers: Record<string, string>] | null {
  if (!/^\/metrics(\?|$)/.test(url)) return [404, {}];
  return method === 'GET' ? null : [405, { allow: 'GET' }];
}
