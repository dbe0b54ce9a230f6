/**
 * Receives the JSON body of a request, limited in bytes (alone and together with all other bodies in progress) and in depth.
 * The server limits the time (`requestTimeout`). Content is not interpreted.
 */
import type { IncomingMessage } from 'node:http';
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

/**
 * Collects the body. A refused body is read and discarded for a while: a client that is still sending does not read the answer,
 * and would only see EPIPE if the connection were closed.
 */
function readBytes(incoming: IncomingMessage, limits: Limits, budget: Budget): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let received = 0;
    let held = 0;
    let refusal: HttpRefusal | null = null;
    let patience: NodeJS.Timeout | undefined;

    const settle = (error: Error | null): void => {
      clearTimeout(patience);
      incoming.off('data', take).off('end', end).off('error', broken).off('close', broken);
      budget.give(held);
      if (error === null) resolve(Buffer.concat(chunks));
      else reject(error);
      chunks = [];
    };
    const refuse = (reason: HttpRefusal): void => {
      refusal = reason;
      chunks = [];
      budget.give(held);
      held = 0;
      patience = setTimeout(() => settle(reason), limits.discardMs);
    };
    const take = (chunk: Buffer): void => {
      received += chunk.length;
      if (refusal !== null) {
        if (received > limits.discardBytes) settle(refusal);
      } else if (received > limits.bodyBytes) {
        refuse(tooLarge(limits));
      } else if (!budget.take(chunk.length)) {
        refuse(new HttpRefusal(503, 'overloaded', 'too many requests are being received; try again in a moment'));
      } else {
        held += chunk.length;
        chunks.push(chunk);
      }
    };
    const end = (): void => settle(refusal);
    const broken = (): void => settle(new HttpRefusal(400, 'cut_short', 'the request ended before its body did'));

    const declared = Number(incoming.headers['content-length'] ?? 0);
    if (declared > limits.discardBytes) {
      reject(tooLarge(limits));
      return;
    }
    incoming.on('data', take).on('end', end).on('error', broken).on('close', broken);
  });
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
