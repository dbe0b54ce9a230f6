/**
 * Finds the handler of a request by method and path, and sends what it answers as JSON. Paths are few and without parameters,
 * so they are the keys of a table.
 *
 * Owns neither sockets nor the meaning of a request. Requests come one at a time for each connection (`request-gate.ts`).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse } from 'node:querystring';
import { errorAnswer, HttpRefusal } from './http-refusal.js';
import { readJson } from './request-body.js';
import { Budget, type Limits } from './server-limits.js';
import { guardSending } from './text-stream.js';

export const JSON_TYPE = 'application/json; charset=utf-8';
/** The answer of a handler that sends by itself. */
export const STREAMED = Symbol('streamed');
/** Answers up to this many characters are always sent: even for all connections together they are negligible. */
const SMALL_ANSWER = 16 * 1024;
/** Most characters of a request's path or type repeated in a message. */
const SHOWN = 200;
/** RFC 9112 section 3.2.2: a proxy's form of the target. */
const ORIGIN = /^https?:\/\/[^/?#]*/i;
const JSON_BODY = /^application\/json\s*(;|$)/i;

export type Method = 'GET' | 'POST';

export interface RoutedRequest {
  /** A repeated key has a list. */
  query: Record<string, unknown>;
  /** Of a POST; undefined: it has none. */
  body: unknown;
  incoming: IncomingMessage;
}

/** @returns the answer; undefined: 204; STREAMED */
export type RouteHandler = (request: RoutedRequest, outgoing: ServerResponse) => unknown;

/** @returns status and answer for an error of a handler */
export type Fault = (error: unknown) => { status: number; answer: unknown };

export class Router {
  private readonly table = new Map<string, RouteHandler>();
  private readonly bodies: Budget;
  private readonly answers: Budget;
  /** Routes whose last listing exceeded the budget; refused without building it again until some memory is released. */
  private readonly inVain = new Set<string>();

  constructor(
    private readonly limits: Limits,
    private readonly fault: Fault,
  ) {
    this.bodies = new Budget(limits.heldBodyBytes);
    this.answers = new Budget(limits.heldAnswerBytes);
  }

  /** `METHOD PATH` of each route. */
  get routes(): string[] {
    return [...this.table.keys()];
  }

  add(method: Method, path: string, handler: RouteHandler): void {
    this.table.set(`${method} ${path}`, handler);
  }

  /** Answers the request. Never throws or rejects. */
  readonly handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    // The client has disconnected; `close` follows.
    outgoing.on('error', () => undefined);
    try {
      await this.answer(incoming, outgoing);
    } catch (error) {
      const { status, answer } = this.fault(error);
      if (outgoing.headersSent) outgoing.destroy();
      else this.send(outgoing, status, JSON.stringify(answer));
    }
  };

  private async answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = '', url = '' } = incoming;
    const target = url.replace(ORIGIN, '');
    const [, path = '', search = ''] = /^([^?#]*)\??([^#]*)/.exec(target) ?? [];
    const route = `${method} ${decoded(path)}`;
    const handler = this.table.get(route);
    if (handler === undefined) {
      throw new HttpRefusal(404, 'not_found', `this switch has no ${method} ${url.slice(0, SHOWN)}`);
    }
    if (this.inVain.has(route)) throw tooManyHeld();
    const body = method === 'POST' ? await this.readBody(incoming, outgoing) : undefined;
    const answer = await handler({ query: parse(search, '&', '=', { maxKeys: 0 }), body, incoming }, outgoing);
    if (answer === STREAMED) return;
    if (answer === undefined) this.send(outgoing, 204, '');
    else this.send(outgoing, 200, this.bounded(route, JSON.stringify(answer), outgoing));
  }

  /** Only JSON is accepted. @throws HttpRefusal */
  private async readBody(incoming: IncomingMessage, outgoing: ServerResponse): Promise<unknown> {
    const { 'content-type': type, 'content-length': length = '0', 'transfer-encoding': encoding } = incoming.headers;
    if (type === undefined && encoding === undefined && Number(length) === 0) return undefined;
    if (type !== undefined && JSON_BODY.test(type)) {
      try {
        return await readJson(incoming, this.limits, this.bodies);
      } finally {
        // What still comes of a refused body is not read: the connection ends with the answer.
        if (!incoming.complete) outgoing.shouldKeepAlive = false;
      }
    }
    const given = type === undefined ? 'without a content-type' : type.slice(0, SHOWN);
    const message = `the body must be sent as application/json, not ${given}`;
    throw new HttpRefusal(415, 'unsupported_media_type', message);
  }

  /**
   * A listing built at once is held until the client has read it, within a common limit of bytes. The answer to a change is never
   * refused: it is short, and the change is done.
   * @throws HttpRefusal
   */
  private bounded(route: string, text: string, outgoing: ServerResponse): string {
    if (text.length <= SMALL_ANSWER || !route.startsWith('GET ')) return text;
    if (!this.answers.take(text.length)) {
      this.inVain.add(route);
      throw tooManyHeld();
    }
    outgoing.once('close', () => {
      this.answers.give(text.length);
      this.inVain.clear();
    });
    return text;
  }

  private send(outgoing: ServerResponse, status: number, text: string): void {
    guardSending(outgoing, this.limits);
    if (status === 204) outgoing.writeHead(204);
    else outgoing.writeHead(status, { 'content-type': JSON_TYPE, 'content-length': Buffer.byteLength(text) });
    outgoing.end(text);
  }
}

/** @throws HttpRefusal */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new HttpRefusal(400, 'invalid', `${path.slice(0, SHOWN)} is not a path of a URL`);
  }
}

const tooManyHeld = (): HttpRefusal =>
  new HttpRefusal(503, 'overloaded', 'too many answers wait for their readers; try again in a moment');

/** Status and answer for the errors of this room; undefined for others. */
export function refusalOf(error: unknown): { status: number; answer: unknown } | undefined {
  if (!(error instanceof HttpRefusal)) return undefined;
  return { status: error.statusCode, answer: errorAnswer(error.code, error.message) };
}
