/** The socket of overtap exec: who says nothing, or what no library says, holds no place. */
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ExecServer, serve } from '../../src/exec/server.js';
import { WORD } from '../../src/exec/exchange.js';
import type { Switches } from '../../src/exec/switches.js';

const FIRST_WORD_MS = 200;
/** More than are served at once. */
const SILENT = 300;

let server: ExecServer;
let reports: unknown[];
const sockets: Socket[] = [];

beforeEach(async () => {
  reports = [];
  const none = { of: async () => undefined } as unknown as Switches;
  server = await serve(none, (error) => void reports.push(error), FIRST_WORD_MS);
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

/** @returns when the connection has ended, what was said on it */
function say(bytes: Uint8Array): Promise<Buffer> {
  const socket = connect(server.path);
  sockets.push(socket);
  const heard: Buffer[] = [];
  socket.on('data', (part: Buffer) => void heard.push(part)).on('error', () => undefined);
  socket.on('connect', () => void (bytes.length > 0 && socket.write(bytes)));
  return new Promise((resolve) => socket.once('close', () => resolve(Buffer.concat(heard))));
}

function frame(word: number, payload: Buffer, length = payload.length): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(length >>> 0, 0);
  head.writeUInt32LE(word, 4);
  return Buffer.concat([head, payload]);
}

/** A request that is the kernel's: there is no switch. */
const REQUEST = frame(
  WORD.REQUEST,
  Buffer.concat([Buffer.alloc(24), Buffer.from('14000000120001000100000000000000', 'hex'), Buffer.alloc(4)]),
);

test('silent ones lose their places', async () => {
  await Promise.all(Array.from({ length: SILENT }, () => say(Buffer.alloc(0))));
  expect((await say(REQUEST)).readUInt32LE(4)).toBe(WORD.PASS);
  expect(reports).toEqual([]);
});

test('half a head, too long a frame, unknown words and short callers end the connection', async () => {
  const said = [
    Buffer.from([1, 2, 3]),
    frame(WORD.REQUEST, Buffer.alloc(0), 0xffff_ffff),
    frame(WORD.REQUEST, Buffer.alloc(30), 1000),
    frame(99, Buffer.alloc(24)),
    frame(WORD.REQUEST, Buffer.alloc(23)),
    frame(WORD.LISTEN, Buffer.alloc(26)),
    frame(WORD.CALL, Buffer.alloc(24)),
    frame(WORD.REPLY, Buffer.alloc(24)),
  ];
  for (const bytes of said) {
    const heard = await say(bytes);
    if (heard.length > 0) expect([WORD.PASS, WORD.RESULT]).toContain(heard.readUInt32LE(4));
  }
  expect(reports).toEqual([]);
});
