/**
 * What the two ends of a measurement on two machines say to each other: lines of JSON over TCP, a request and an answer at a time. The
 * first request bears a token, and nothing in a request is a command line: the far end only does what is listed here.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { z } from 'zod';

const MOST_BYTES = 4096;
/** Switches that leave nothing in the machine's own network when their process ends. */
export const PEER_VARIANTS = ['floor', 'overtap'] as const;

export const REQUEST = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('hello'), token: z.string() }),
  z.strictObject({ op: z.literal('attach'), variant: z.enum(PEER_VARIANTS) }),
  /** Frames and bytes that guest 2's NIC received. */
  z.strictObject({ op: z.literal('counters') }),
  z.strictObject({ op: z.literal('detach') }),
]);
export type Request = z.output<typeof REQUEST>;

export const COUNTERS = z.object({ frames: z.number(), bytes: z.number() });
const ANSWER = z.union([z.strictObject({ error: z.string() }), z.strictObject({ ok: z.unknown() })]);

/** Compares tokens in a time that tells nothing about them. */
export function isToken(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The lines that arrive. @throws when one is longer than any request or answer */
export async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let rest = '';
  socket.setEncoding('utf8');
  // Whoever stops listening may still have an answer to send.
  for await (const text of socket.iterator({ destroyOnReturn: false })) {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    if ([rest, ...lines].some((line) => line.length > MOST_BYTES))
      throw new Error('the other end sent too long a line');
    yield* lines;
  }
}

/** The near end's requests. */
export class Conversation {
  readonly #lines: AsyncGenerator<string>;

  constructor(private readonly socket: Socket) {
    this.#lines = linesOf(socket);
  }

  /** @throws when the far end refuses, or is gone */
  async ask(request: Request): Promise<unknown> {
    this.socket.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the far end has closed the connection');
    const answer = ANSWER.parse(JSON.parse(value));
    if ('error' in answer) throw new Error(`the far end: ${answer.error}`);
    return answer.ok;
  }
}
