/**
 * One end of a TCP transfer; both ends print what they saw as a JSON line.
 *
 *   node transfer.js receive ADDRESS [PORT] prints {"port"}, takes in one connection until its end
 *   node transfer.js send ADDRESS PORT BYTES SEED
 */
import { createCipheriv, createHash } from 'node:crypto';
import { type AddressInfo, createConnection, createServer } from 'node:net';

const CHUNK = 256 * 1024;
const IDLE_MS = 20_000;

const print = (value: object): unknown => process.stdout.write(`${JSON.stringify(value)}\n`);

function fail(error: Error): never {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

function receive(address: string, port: number): void {
  const server = createServer((socket) => {
    server.close();
    const hash = createHash('sha256');
    let bytes = 0;
    socket.setTimeout(IDLE_MS, () => fail(new Error(`nothing came for ${IDLE_MS} ms after ${bytes} bytes`)));
    socket.on('error', fail);
    socket.on('data', (chunk) => {
      hash.update(chunk);
      bytes += chunk.length;
    });
    socket.on('end', () => {
      socket.end();
      socket.setTimeout(0);
      print({ bytes, sha256: hash.digest('hex') });
    });
  });
  server.on('error', fail);
  server.listen(port, address, () => print({ port: (server.address() as AddressInfo).port }));
}

/** Pseudo-random bytes, the same for the same seed: the key stream of a cipher. */
function send(address: string, port: number, total: number, seed: string): void {
  const key = createHash('sha256').update(String(seed)).digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(CHUNK);
  const hash = createHash('sha256');
  const socket = createConnection({ host: address, port });
  let left = total;
  let start = 0;
  const pump = (): void => {
    while (left > 0) {
      const chunk = stream.update(left < CHUNK ? zeros.subarray(0, left) : zeros);
      hash.update(chunk);
      left -= chunk.length;
      if (!socket.write(chunk)) return;
    }
    socket.end();
  };
  socket.setTimeout(IDLE_MS, () => fail(new Error(`no progress for ${IDLE_MS} ms with ${left} bytes left`)));
  socket.on('error', fail);
  socket.on('connect', () => {
    start = performance.now();
    pump();
  });
  socket.on('drain', () => {
    if (!socket.writableEnded) pump();
  });
  socket.resume();
  // The other side's end comes when it has taken in everything.
  socket.on('close', () => print({ bytes: total - left, sha256: hash.digest('hex'), ms: performance.now() - start }));
}

const [mode, address, port, bytes, seed] = process.argv.slice(2);
if (mode === 'receive') receive(address, Number(port ?? 0));
else send(address, Number(port), Number(bytes), seed);
