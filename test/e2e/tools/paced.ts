/**
 * TCP at a steady pace for a while, watched where it arrives.
 *
 *   node paced.js receive ADDRESS           prints {"port"}, every 20 ms {"bytes"} so far if there are more, at the end
 *                                            {"bytes", "sha256", "gap"}: the longest time without one, in milliseconds
 *   node paced.js send ADDRESS PORT RATE    RATE in bytes a second; prints {"sending"}; SIGTERM ends it in good order,
 *                                            then {"bytes", "sha256"}
 */
import { createCipheriv, createHash } from 'node:crypto';
import { type AddressInfo, createConnection, createServer } from 'node:net';

const STEP_MS = 10;
const LOOK_MS = 20;
const IDLE_MS = 20_000;

const print = (value: object): unknown => process.stdout.write(`${JSON.stringify(value)}\n`);

function fail(error: Error): never {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

function receive(address: string): void {
  const server = createServer((socket) => {
    server.close();
    const hash = createHash('sha256');
    let bytes = 0;
    let shown = 0;
    let last = performance.now();
    let gap = 0;
    const look = setInterval(() => {
      if (bytes === shown) return;
      shown = bytes;
      print({ bytes });
    }, LOOK_MS);
    socket.setTimeout(IDLE_MS, () => fail(new Error(`nothing came for ${IDLE_MS} ms after ${bytes} bytes`)));
    socket.on('error', fail);
    socket.on('data', (chunk) => {
      const now = performance.now();
      gap = Math.max(gap, now - last);
      last = now;
      hash.update(chunk);
      bytes += chunk.length;
    });
    socket.on('end', () => {
      clearInterval(look);
      socket.end();
      socket.setTimeout(0);
      print({ bytes, sha256: hash.digest('hex'), gap: Math.round(gap) });
    });
  });
  server.on('error', fail);
  server.listen(0, address, () => print({ port: (server.address() as AddressInfo).port }));
}

function send(address: string, port: number, rate: number): void {
  const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
  const zeros = Buffer.alloc(Math.round((rate * STEP_MS) / 1000));
  const hash = createHash('sha256');
  const socket = createConnection({ host: address, port });
  let bytes = 0;
  let full = false;
  let timer: NodeJS.Timeout | undefined;
  socket.on('error', fail);
  socket.on('drain', () => {
    full = false;
  });
  socket.on('connect', () => {
    print({ sending: true });
    timer = setInterval(() => {
      if (full) return;
      const chunk = stream.update(zeros);
      hash.update(chunk);
      bytes += chunk.length;
      full = !socket.write(chunk);
    }, STEP_MS);
  });
  process.on('SIGTERM', () => {
    clearInterval(timer);
    socket.end();
  });
  socket.resume();
  socket.on('close', () => print({ bytes, sha256: hash.digest('hex') }));
}

const [mode, address, port, rate] = process.argv.slice(2);
if (mode === 'receive') receive(address);
else send(address, Number(port), Number(rate));
