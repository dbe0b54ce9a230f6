/**
 * Receives the JSON body of a request, limited in bytes (alone and together with all other bodies in progress) and in depth.
 * The server limits the time (`requestTimeout`). Content is not interpreted.
 */
import type { IncomingMessage } from 'node:http';
import { Gathered } from '../gathered.js';
import { HttpRefusal } from './http-refusal.js';
import type { Budget, Limits } from './server-limits.js';

/** Most levels of nested lists and mappings; a configuration has about eight. */
const MAX_DEPTH = 64;

/** Receives and parses a body. @throws HttpRefusal 400, 413 or 503 */
export async function readJson(incoming: IncomingMessage, limits: Limits, budget: Budget): Promise<unknown> {
  const bytes = await readBytes(incoming, limits, budget);
  const text = decode(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new HttpRefusal(400, 'bad_json', `the body is not JSON: ${(error as Error).message}`);
  }
  checkShape(value, MAX_DEPTH);
  return value;
}

/** Receives the bytes of a body. A body of a declared length that is not even discarded is refused at once. */
function readBytes(incoming: IncomingMessage, limits: Limits, budget: Budget): Promise<Buffer> {
  const declared = Number(incoming.headers['content-length'] ?? 0);
  if (declared > limits.discardBytes) return Promise.reject(tooLarge(limits));
  return new Promise((resolve, reject) => {
    const collector = new BodyCollector(limits, budget, (body) => {
      incoming.off('data', take).off('end', end).off('error', cut).off('close', cut);
      if (body instanceof HttpRefusal) reject(body);
      else resolve(body);
    });
    const take = (chunk: Buffer): void => collector.take(chunk);
    const end = (): void => collector.end();
    const cut = (): void => collector.cut();
    incoming.on('data', take).on('end', end).on('error', cut).on('close', cut);
  });
}

/**
 * Collects a body within the limits. A refused body is read and discarded for a while: a client that is still sending does not
 * read the answer, and would only see EPIPE if the connection were closed.
 */
class BodyCollector {
  private readonly body = new Gathered();
  private received = 0;
  /** Bytes taken from the budget. */
  private held = 0;
  private refusal: HttpRefusal | null = null;
  /** Ends the discarding of a refused body. */
  private timer: NodeJS.Timeout | undefined;

  /** @param settled called once, with the whole body or its refusal */
  constructor(
    private readonly limits: Limits,
    private readonly budget: Budget,
    private readonly settled: (body: Buffer | HttpRefusal) => void,
  ) {}

  take(chunk: Buffer): void {
    this.received += chunk.length;
    if (this.refusal !== null) {
      if (this.received > this.limits.discardBytes) this.settle(this.refusal);
    } else if (this.received > this.limits.bodyBytes) {
      this.refuse(tooLarge(this.limits));
    } else if (!this.budget.take(chunk.length)) {
      this.refuse(new HttpRefusal(503, 'overloaded', 'too many requests are being received; try again in a moment'));
    } else {
      this.held += chunk.length;
      this.body.add(chunk);
    }
  }

  /** The request has ended. */
  end(): void {
    this.settle(this.refusal);
  }

  /** The connection has ended before the request. */
  cut(): void {
    this.settle(new HttpRefusal(400, 'cut_short', 'the request ended before its body did'));
  }

  private refuse(reason: HttpRefusal): void {
    this.refusal = reason;
    this.release();
    this.timer = setTimeout(() => this.settle(reason), this.limits.discardMs);
  }

  private settle(refusal: HttpRefusal | null): void {
    clearTimeout(this.timer);
    const body = refusal ?? this.body.take();
    this.release();
    this.settled(body);
  }

  private release(): void {
    this.body.take();
    this.budget.give(this.held);
    this.held = 0;
  }
}

const tooLarge = ({ bodyBytes }: Limits): HttpRefusal =>
  new HttpRefusal(413, 'too_large', `the body has more than ${bodyBytes} bytes; send it in parts`);

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new HttpRefusal(400, 'bad_json', 'the body is not JSON: it is not UTF-8');
  }
}

/** Refuses input that is dangerous for later processing: deep nesting, and keys that set a prototype. */
function checkShape(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth === 0) {
    throw new HttpRefusal(400, 'bad_json', `the body has more than ${MAX_DEPTH} levels of lists and mappings`);
  }
  if (Object.hasOwn(value, '__proto__')) {
    throw new HttpRefusal(400, 'bad_json', 'the body has a key "__proto__", which names nothing here; remove it');
  }
  for (const item of Object.values(value)) checkShape(item, depth - 1);
}
