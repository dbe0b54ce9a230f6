/**
 * The page's HTTP server: on a loopback address, for a few browsers of one person. It answers the document, the stream, and the two
 * questions that the page asks. Owns access and limits; what is shown comes from the desk (`desk.ts`).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { denialOf } from './access.js';
import type { BrowserStreams } from './browser-streams.js';
import type { PageDocument } from './document.js';

/** A question of the page that cannot be answered as it is. */
export class PageRefusal extends Error {
  override readonly name = 'PageRefusal';

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** What the page may ask for, by path. Takes the body of the request; the answer is sent as JSON. */
export type Questions = Readonly<Record<string, (body: unknown) => Promise<unknown>>>;

export interface PageServerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly token: string;
  readonly document: PageDocument;
  readonly streams: BrowserStreams;
  readonly questions: Questions;
  /** Takes faults of this program, one line each. */
  readonly report: (fault: unknown) => void;
}

/** Browsers keep up to six connections; the rest is for whoever tries. The one that has been idle for longest gives way. */
const CONNECTIONS = 64;
const HEADER_BYTES = 8 * 1024;
const HEADERS_MS = 5000;
const REQUEST_MS = 10_000;
const CHECK_MS = 1000;
const KEEP_ALIVE_MS = 5000;
/** A superframe in hexadecimal, and some. */
const BODY_BYTES = 256 * 1024;

const HEADERS = {
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

export class PageServer {
  private readonly server: Server;
  /** In the order of their last request; those that wait for an answer are not in it. */
  private readonly idle = new Set<Socket>();

  constructor(private readonly options: PageServerOptions) {
    this.server = createServer(
      {
        maxHeaderSize: HEADER_BYTES,
        headersTimeout: HEADERS_MS,
        requestTimeout: REQUEST_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: CHECK_MS,
      },
      (incoming, outgoing) => this.take(incoming, outgoing),
    );
    this.server.maxConnections = 2 * CONNECTIONS;
    this.server.on('connection', (socket) => this.makeRoom(socket));
    this.server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** @returns the address of the page, with its token. @throws Error when the address cannot be had */
  async listen(): Promise<string> {
    const { host, port, token } = this.options;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ host, port }, resolve);
    });
    this.server.on('error', this.options.report); // of accepting a connection; the server goes on
    const { port: chosen } = this.server.address() as AddressInfo;
    return `http://${host.includes(':') ? `[${host}]` : host}:${chosen}/?token=${token}`;
  }

  async close(): Promise<void> {
    this.options.streams.close();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  /** Strangers who connect and say nothing keep nobody out. */
  private makeRoom(socket: Socket): void {
    this.idle.add(socket);
    socket.once('close', () => this.idle.delete(socket));
    if (this.idle.size > CONNECTIONS) this.idle.values().next().value?.destroy();
  }

  private take(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { socket } = incoming;
    this.idle.delete(socket);
    outgoing.once('close', () => {
      if (!socket.destroyed) this.idle.add(socket);
    });
    this.answer(incoming, outgoing).catch((error: unknown) => {
      if (!(error instanceof PageRefusal)) this.options.report(error);
      if (outgoing.headersSent) outgoing.destroy();
      else if (error instanceof PageRefusal) sendJson(outgoing, error.status, { error: error.message });
      else sendJson(outgoing, 500, { error: 'the page failed to answer; what runs "overtap page" says why' });
    });
  }

  private async answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const url = new URL(incoming.url?.startsWith('/') ? incoming.url : '/', 'http://page');
    const { host, origin, 'sec-fetch-site': site } = incoming.headers;
    const method = incoming.method ?? '';
    const asked = { method, host, origin, site: site as string | undefined, token: url.searchParams.get('token') };
    const denial = denialOf(asked, this.options.token);
    if (denial !== null) {
      // What comes of a body is not read.
      outgoing.shouldKeepAlive = false;
      sendText(outgoing, denial.status, denial.message);
      return;
    }
    if (method === 'GET') this.show(url.pathname, outgoing);
    else if (method === 'POST') await this.ask(url.pathname, incoming, outgoing);
    else throw new PageRefusal(405, 'the page answers GET and POST');
  }

  private show(path: string, outgoing: ServerResponse): void {
    const { document, streams } = this.options;
    if (path === '/') {
      const type = 'text/html; charset=utf-8';
      outgoing.writeHead(200, { ...HEADERS, 'content-type': type, 'content-security-policy': document.policy });
      outgoing.end(document.html);
      return;
    }
    if (path !== '/events') throw new PageRefusal(404, 'the page has no such path');
    if (streams.full) throw new PageRefusal(503, 'as many browsers watch as may; close one of the pages');
    streams.open(outgoing, HEADERS);
  }

  private async ask(path: string, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { questions } = this.options;
    const question = Object.hasOwn(questions, path) ? questions[path] : undefined;
    if (question === undefined) throw new PageRefusal(404, 'the page has no such path');
    if (!/^application\/json\b/.test(incoming.headers['content-type'] ?? ''))
      throw new PageRefusal(415, 'the body must be JSON, and say so');
    sendJson(outgoing, 200, await question(await readBody(incoming)));
  }
}

/** @throws PageRefusal */
async function readBody(incoming: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_BYTES) throw new PageRefusal(413, `the request is longer than ${BODY_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    throw new PageRefusal(400, 'the body is not JSON');
  }
}

function sendText(outgoing: ServerResponse, status: number, text: string): void {
  const type = 'text/plain; charset=utf-8';
  outgoing.writeHead(status, { ...HEADERS, 'content-type': type, 'content-security-policy': "default-src 'none'" });
  outgoing.end(`${text}\n`);
}

function sendJson(outgoing: ServerResponse, status: number, value: unknown): void {
  outgoing.writeHead(status, { ...HEADERS, 'content-type': 'application/json; charset=utf-8' });
  outgoing.end(JSON.stringify(value));
}
