/**
 * Clients of a control socket that mean harm: as many connections at all times, of these kinds by turns: idle, one that never ends
 * its header, one that sends a byte a second, a body without end, a reader of large answers that reads nothing, and one that hangs
 * up at once. A connection that the switch closes is made anew.
 *
 *   node control-clients.mjs SOCKET COUNT SECONDS    ends by itself after so many seconds, or with SIGTERM
 *
 * Prints {"begun"} at first, and at the end a line of JSON: connections made, the most at one time, refusals, what was
 * closed by the switch, and answers by status.
 */
import { createConnection } from 'node:net';

const [path, count, seconds] = process.argv.slice(2);
const AGAIN_MS = 500;
const HANG_UP_MS = 300;
const PIECE = Buffer.alloc(64 * 1024, 'x');
const GET = 'GET /v1/fdb HTTP/1.1\r\nHost: x\r\n\r\n';

const told = { connected: 0, most: 0, refused: 0, closed: 0, statuses: {} };
let open = 0;
let isOver = false;

/** What each does once it is connected. @returns what is to be done when the connection ends */
const kinds = [
  () => undefined,
  (socket) => socket.write('GET /v1/links HTTP/1.1\r\nHost: x\r\nX-Half: '),
  (socket) => {
    const text = 'GET /v1/stats HTTP/1.1\r\nHost: a-slow-one\r\nX-Padding: 0123456789\r\n\r\n';
    let at = 0;
    const timer = setInterval(() => socket.write(text[at++ % text.length]), 1000);
    return () => clearInterval(timer);
  },
  (socket) => {
    socket.write(
      'POST /v1/apply HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    const send = () => socket.write(`${PIECE.length.toString(16)}\r\n${PIECE.toString('latin1')}\r\n`);
    socket.on('drain', () => setTimeout(() => socket.writable && send(), 20));
    send();
  },
  (socket) => {
    socket.pause();
    socket.write(GET.repeat(50));
  },
  (socket) => {
    socket.write(GET);
    const timer = setTimeout(() => socket.destroy(), HANG_UP_MS);
    return () => clearTimeout(timer);
  },
];

function begin(number) {
  let end;
  let connected = false;
  const socket = createConnection(path, () => {
    connected = true;
    told.connected++;
    open++;
    told.most = Math.max(told.most, open);
    end = kinds[number % kinds.length](socket);
  });
  socket.on('data', (data) => {
    const status = /^HTTP\/1\.1 (\d{3})/.exec(data.toString('latin1', 0, 12))?.[1];
    if (status !== undefined) told.statuses[status] = (told.statuses[status] ?? 0) + 1;
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    if (typeof end === 'function') end();
    if (connected) {
      open--;
      told.closed++;
    } else told.refused++;
    if (!isOver) setTimeout(() => isOver || begin(number), AGAIN_MS);
  });
}

function finish() {
  isOver = true;
  process.stdout.write(`${JSON.stringify(told)}\n`, () => process.exit(0));
}

process.on('SIGTERM', finish);
setTimeout(finish, Number(seconds) * 1000);
for (let number = 0; number < Number(count); number++) begin(number);
console.log(JSON.stringify({ begun: Number(count) }));
