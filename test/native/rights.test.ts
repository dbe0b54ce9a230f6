/** Descriptors over a unix socket: they arrive with their bytes, are bounded, and are the same open files. */
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { closeFd, connectUnix, receiveRights, sendRights, waitReadable } from '../../src/native/binding.js';

let folder: string;
let server: Server;
/** Both ends of a connection. */
let near: number;
let far: number;
let socket: Socket;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-rights-'));
  server = createServer({ pauseOnConnect: true });
  const path = join(folder, 'socket');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  near = connectUnix(path);
  socket = await accepted;
  far = (socket as Socket & { _handle: { fd: number } })._handle.fd;
});

afterEach(() => {
  closeFd(near);
  socket.destroy();
  server.close();
  rmSync(folder, { recursive: true });
});

test('the same open files arrive, with the bytes', () => {
  writeFileSync(join(folder, 'file'), 'abcdef');
  const file = openSync(join(folder, 'file'), 'r');
  readSync(file, Buffer.alloc(2), 0, 2, null);
  expect(sendRights(far, Buffer.from('here'), [file, file, file])).toBe(4);
  closeSync(file);
  const buffer = Buffer.alloc(100);
  const { length, fds } = receiveRights(near, buffer);
  expect(buffer.toString('latin1', 0, length)).toBe('here');
  expect(fds).toHaveLength(3);
  // They share the position of the one that was sent.
  const rest = Buffer.alloc(2);
  for (const text of ['cd', 'ef']) {
    readSync(fds[0], rest, 0, 2, null);
    expect(rest.toString()).toBe(text);
  }
  expect(readFileSync(`/proc/self/fdinfo/${fds[0]}`, 'latin1')).toMatch(/^flags:\s+0?2\d{6}$/m); // O_CLOEXEC
  for (const fd of fds) closeFd(fd);
});

test('as many as one message takes; more are refused before anything is sent', () => {
  const file = openSync(folder, 'r');
  const all = new Array<number>(250).fill(file);
  sendRights(far, Buffer.of(1), all);
  const { fds } = receiveRights(near, Buffer.alloc(1));
  expect(new Set(fds).size).toBe(250);
  for (const fd of fds) closeFd(fd);
  expect(() => sendRights(far, Buffer.of(1), [...all, file])).toThrow('at most 250');
  expect(() => sendRights(far, Buffer.of(1), [-1])).toThrow('fd must be');
  expect(() => sendRights(far, Buffer.of(1), ['1' as unknown as number])).toThrow('fd must be');
  expect(() => sendRights(far, Buffer.of(1), null as unknown as number[])).toThrow('must be an array');
  expect(() => sendRights(far, Buffer.of(1), [99_999])).toThrow('EBADF');
  expect(waitReadable(near, 0)).toBe(false);
  closeSync(file);
});

test('a full queue is told, and does not block; the end is a length of 0', () => {
  const send = (): void => {
    for (let i = 0; i < 10_000; i++) sendRights(far, Buffer.alloc(65_536), []);
  };
  expect(send).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
  const buffer = Buffer.alloc(1 << 20);
  while (waitReadable(near, 0)) receiveRights(near, buffer);
  socket.destroy();
  server.close();
  waitReadable(near, 5000);
  expect(receiveRights(near, buffer)).toEqual({ length: 0, fds: [] });
});

test('a path without a listener, or too long for one, is an error', () => {
  expect(() => connectUnix(join(folder, 'nothing'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(() => connectUnix('x'.repeat(108))).toThrow('at most');
});
