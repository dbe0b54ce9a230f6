/**
 * The socket of a driver: HTTP, one POST for each request, with JSON as its body. A refusal is an answer too.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { ChangeRefused } from '../controls.js';
import { guarded } from '../guard.js';
import { SocketName, type Successor } from '../http/control-socket.js';
import { Door, httpServer } from '../http/http-listener.js';
import { HttpRefusal } from '../http/http-refusal.js';
import { readJson } from '../http/request-body.js';
import { Budget, DEFAULT_LIMITS, type Limits } from '../http/server-limits.js';
import { guardSending } from '../http/text-stream.js';
import { ProtocolError } from './contract.js';
import { RecordsError } from './records.js';

const LIMITS: Limits = {
  ...DEFAULT_LIMITS,
  connections: 64,
  eventStreams: 0,
  heldRequests: 256,
  bodyBytes: 1024 * 1024,
  discardBytes: 1024 * 1024,
  heldBodyBytes: 8 * 1024 * 1024,
};
const METHOD = /^\/([A-Za-z]+\.[A-Za-z]+)$/;

/** What is asked, and how answers look. */
export interface Plugin {
  readonly contentType: string;
  /** @param method the path, such as `NetworkDriver.Join` @returns the text of the answer */
  answer(method: string, body: unknown): Promise<string>;
  refusal(error: Error): string;
}

export interface PluginServerEvents {
  /** A fault of the switch. */
  report(error: unknown): void;
  refused(method: string, reason: string): void;
}

export class PluginServer {
  private readonly server: Server;
  private readonly bodies = new Budget(LIMITS.heldBodyBytes);
  private name: Pick<SocketName, 'release'> | null = null;

  constructor(
    private readonly plugin: Plugin,
    private readonly events: PluginServerEvents,
  ) {
    this.server = httpServer(
      guarded('containers', (incoming: IncomingMessage, outgoing: ServerResponse) => this.take(incoming, outgoing)),
      LIMITS,
      new Door(() => undefined),
    );
  }

  /** @param succeeds the process before has the path @throws ControlSocketError */
  async listen(path: string, succeeds: boolean): Promise<void> {
    const open = (temporary: string): Promise<void> => this.open(temporary);
    if (!succeeds) {
      this.name = await SocketName.claim(path, open);
      return;
    }
    const successor: Successor = await SocketName.beside(path, open);
    this.name = successor.take();
  }

  close(): void {
    this.name?.release();
    this.server.close();
    this.server.closeAllConnections();
  }

  private open(path: string): Promise<void> {
    const mask = process.umask(0o177); // engines of containers run as root
    return new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ path }, () => {
        this.server.off('error', reject);
        resolve();
      });
    }).finally(() => process.umask(mask));
  }

  private async take(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const [, method = ''] = METHOD.exec(incoming.url ?? '') ?? [];
    let text: string;
    try {
      text = await this.plugin.answer(method, await this.body(incoming, outgoing));
    } catch (error) {
      text = this.plugin.refusal(this.refused(method, error));
    }
    guardSending(outgoing, LIMITS);
    outgoing.writeHead(200, { 'content-type': this.plugin.contentType, 'content-length': Buffer.byteLength(text) });
    outgoing.end(text);
  }

  /** Docker's client sends no body where there is nothing to say. @throws HttpRefusal */
  private async body(incoming: IncomingMessage, outgoing: ServerResponse): Promise<unknown> {
    const { 'content-length': length = '0', 'transfer-encoding': encoding } = incoming.headers;
    if (Number(length) === 0 && encoding === undefined) return {};
    try {
      return await readJson(incoming, LIMITS, this.bodies);
    } finally {
      if (!incoming.complete) outgoing.shouldKeepAlive = false;
    }
  }

  private refused(method: string, error: unknown): Error {
    const isRefusal = [ProtocolError, RecordsError, ChangeRefused, HttpRefusal].some((kind) => error instanceof kind);
    if (!isRefusal) this.events.report(error);
    const refusal = error instanceof Error ? error : new Error(String(error));
    this.events.refused(method, refusal.message);
    return refusal;
  }
}
