/**
 * Sends long answers in pieces, so that a listing of a million rows neither fills memory nor holds up other requests:
 * a piece is made when the client has taken the one before it, and only one piece of all answers is made in several
 * passes of the event loop. It does not know what it sends.
 */
import type { ServerResponse } from 'node:http';
import { attempt, soon } from '../guard.js';
import { errorAnswer } from './http-refusal.js';
import type { Limits } from './server-limits.js';

/** Characters of a piece, about. */
const PIECE = 64 * 1024;
/** Milliseconds that the making of a piece may take, about. */
const PIECE_MS = 2;
/**
 * Passes of the event loop from one piece to the next. libuv takes in one new connection a pass: with a piece in each
 * pass, a client that comes behind 500 others with listings waited 1.6 s to be heard at all. An idle pass costs a few
 * microseconds.
 */
const PASSES_A_TURN = 8;
/** How many parts are made between two looks at the clock. */
const PARTS_A_LOOK = 16;

/** Gives out turns, one in every so many passes of the event loop, first come first served. */
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

/** A list as the parts of a JSON array. Undefined is no row and stays. */
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
 * Answers with the parts, one after another; undefined among them is leave for a pause. It ends early when the client
 * goes, takes nothing for `sendIdleMs` or has not taken all in `answerMs`; the connection is closed then, so that the
 * client sees that the answer is not whole. @throws what the parts throw, after the client was told
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

/** Bounds the time that a client has for taking an answer that was made at once. */
export function guardSending(outgoing: ServerResponse, { sendIdleMs, answerMs }: Limits): void {
  // Node clears this again with the next request of the connection.
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

/** Resolves when the client has taken what was written, or is gone. Its time runs here only, not while it waits for us. */
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
