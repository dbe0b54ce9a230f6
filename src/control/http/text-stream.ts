/**
 * Streams long answers in pieces, so that a listing of a million rows neither fills memory nor delays other requests: a piece
 * is built after the client has read the previous one, and only one piece of all answers is built in several passes of the
 * event loop. Content is not interpreted.
 */
import type { ServerResponse } from 'node:http';
import { attempt, soon } from '../guard.js';
import { errorAnswer } from './http-refusal.js';
import type { Limits } from './server-limits.js';

/** Approximate characters of a piece. */
const PIECE = 64 * 1024;
/** Approximate time limit in milliseconds for building a piece. */
const PIECE_MS = 2;
/**
 * Passes of the event loop between two pieces. libuv accepts one connection per pass: with a piece in every pass, a client
 * behind 500 others with listings waited 1.6 s for its connection. An idle pass costs a few microseconds.
 */
const PASSES_A_TURN = 8;
/** Number of parts built between two checks of the clock. */
const PARTS_A_LOOK = 16;

/** Hands out one turn in every few passes of the event loop, first come first served. */
export class Turns {
  private readonly queue: (() => void)[] = [];
  private running = false;

  /** Resolves when it is the caller's turn. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.queue.push(resolve);
      if (this.running) return;
      this.running = true;
      this.pass(PASSES_A_TURN);
    });
  }

  private pass(left: number): void {
    soon('answer in pieces', () => {
      if (left > 1) {
        this.pass(left - 1);
        return;
      }
      attempt('answer in pieces', () => this.queue.shift()?.());
      if (this.queue.length > 0) this.pass(PASSES_A_TURN);
      else this.running = false;
    });
  }
}

/** A list as the parts of a JSON array. Undefined (a yield point, not a row) is passed on. */
export function* jsonArray(rows: Iterable<unknown>): Generator<string | undefined> {
  let before = '[';
  for (const row of rows) {
    if (row === undefined) {
      yield undefined;
      continue;
    }
    yield before + JSON.stringify(row);
    before = ',\n';
  }
  yield before === '[' ? '[]\n' : ']\n';
}

/**
 * Sends the parts one after another; undefined among them permits a pause. Ends early when the client disconnects, reads
 * nothing for `sendIdleMs` or has not read everything within `answerMs`; the connection is then closed, so that the client
 * notices the truncation.
 * @throws errors of the parts, after the client was notified
 */
export async function sendText(
  outgoing: ServerResponse,
  contentType: string,
  parts: Iterable<string | undefined>,
  turns: Pick<Turns, 'next'>,
  limits: Limits,
): Promise<void> {
  const iterator = parts[Symbol.iterator]();
  endInTime(outgoing, limits.answerMs);
  try {
    for (;;) {
      await turns.next();
      if (outgoing.destroyed) return;
      const { text, done } = nextPiece(iterator);
      if (!outgoing.headersSent) outgoing.writeHead(200, { 'content-type': contentType });
      if (done) {
        outgoing.socket?.setTimeout(limits.sendIdleMs);
        outgoing.end(text);
        return;
      }
      if (text !== '' && !outgoing.write(text)) await drained(outgoing, limits.sendIdleMs);
    }
  } catch (error) {
    if (outgoing.headersSent) outgoing.destroy();
    else failWhole(outgoing);
    throw error;
  } finally {
    iterator.return?.();
  }
}

/** Limits the time in which a client must read an answer that was built at once. */
export function guardSending(outgoing: ServerResponse, { sendIdleMs, answerMs }: Limits): void {
  // Node clears this timeout with the next request of the connection.
  outgoing.socket?.setTimeout(sendIdleMs);
  endInTime(outgoing, answerMs);
}

function endInTime(outgoing: ServerResponse, ms: number): void {
  const deadline = setTimeout(() => outgoing.destroy(), ms);
  outgoing.once('close', () => clearTimeout(deadline));
}

function nextPiece(iterator: Iterator<string | undefined>): { text: string; done: boolean } {
  const until = performance.now() + PIECE_MS;
  let text = '';
  for (let made = 1; ; made++) {
    const next = iterator.next();
    if (next.done === true) return { text, done: true };
    if (next.value !== undefined) text += next.value;
    const late = (next.value === undefined || made % PARTS_A_LOOK === 0) && performance.now() >= until;
    if (text.length >= PIECE || late) return { text, done: false };
  }
}

/** Resolves when the client has read what was written, or has disconnected. The client's time limit runs only during this wait. */
function drained(outgoing: ServerResponse, idleMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done).off('close', done);
      outgoing.socket?.setTimeout(0);
      resolve();
    };
    outgoing.once('drain', done).once('close', done);
    outgoing.socket?.setTimeout(idleMs);
    if (outgoing.destroyed) done();
  });
}

function failWhole(outgoing: ServerResponse): void {
  outgoing.writeHead(500, { 'content-type': 'application/json; charset=utf-8' });
  outgoing.end(JSON.stringify(errorAnswer('internal', 'the listing failed; the switch goes on, its log says more')));
}
