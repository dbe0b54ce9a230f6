/** Bytes that come in pieces are copied: what a sender keeps a switch from forgetting has the size of what it sends, however it is cut. */
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { Gathered } from '../../src/control/gathered.js';
import { readJson } from '../../src/control/http/request-body.js';
import { Budget, DEFAULT_LIMITS } from '../../src/control/http/server-limits.js';
import { Lines } from '../../src/control/peers/sources/etcd/lines.js';

/** The same byte of memory for each byte of the text: whoever keeps it, in place of its value, has the last one only. */
function* trickle(text: string): Generator<Buffer> {
  const piece = Buffer.alloc(1);
  for (const byte of Buffer.from(text)) {
    piece[0] = byte;
    yield piece;
  }
}

describe('pieces', () => {
  it('are whole afterwards, of any length', () => {
    const gathered = new Gathered();
    const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, i) => i & 255));
    for (let from = 0, size = 0; from < bytes.length; from += size++) gathered.add(bytes.subarray(from, from + size));
    expect(gathered.length).toBe(10_000);
    expect(gathered.take().equals(bytes)).toBe(true);
    expect([gathered.length, gathered.take().length]).toEqual([0, 0]);
  });

  it('of a request are not kept', async () => {
    const incoming = Object.assign(new EventEmitter(), { headers: {} });
    const budget = new Budget(100);
    const body = readJson(incoming as unknown as IncomingMessage, DEFAULT_LIMITS, budget);
    for (const piece of trickle('{"op":"add","name":"x"}')) incoming.emit('data', piece);
    incoming.emit('end');
    expect(await body).toEqual({ op: 'add', name: 'x' });
    // Nothing of the budget is held any more.
    expect(budget.take(100)).toBe(true);
  });

  it('of a stream of lines are not kept', () => {
    const lines = new Lines();
    const found: string[] = [];
    for (const piece of trickle('{"a":1}\n\n{"b":"é"}\n{"c"')) found.push(...lines.take(piece));
    expect(found).toEqual(['{"a":1}', '{"b":"é"}']);
    expect(lines.waiting).toBe(4);
    expect([...lines.take(Buffer.from(':3}\n1\n2'))]).toEqual(['{"c":3}', '1']);
    expect(lines.waiting).toBe(1);
  });
});
