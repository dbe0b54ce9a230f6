/**
 * Numbered UDP datagrams at a steady rate, counted one by one where they arrive.
 *
 *   node steady.js receive ADDRESS
 *       prints {"port"}; then, a while after the sender's last word: {"sent", "received", "late", "twice", "gap",
 *       "noRoom"} and ends
 *   node steady.js send ADDRESS PORT RATE    RATE in datagrams a second
 *       prints {"sending": true} with the first one; SIGTERM ends it, with a last word to the receiver: {"sent"}
 *
 * `late`: datagrams that came after one of a higher number. `gap`: the longest time without one, in
 * milliseconds. `noRoom`: datagrams that the namespace's sockets had no room for meanwhile.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const BYTES = 200;
const MOST = 4_000_000;
/** In place of a number: the next word is how many were sent. */
const LAST_WORD = 0xffffffff;
const LAST_WORDS = 5;
/** Stragglers have as long after the last word. */
const QUIET_MS = 400;
const STEP_MS = 2;
/** After a pause that the machine made, so many at once at most: a guest's NIC holds a thousand frames. */
const BURST = 64;

const print = (value: object): unknown => process.stdout.write(`${JSON.stringify(value)}\n`);
const [mode, address, port, rate] = process.argv.slice(2);

/** UDP RcvbufErrors of this namespace. */
function receiveErrors(): number {
  const lines = readFileSync('/proc/self/net/snmp', 'latin1')
    .split('\n')
    .filter((line) => line.startsWith('Udp:'));
  const [names, values] = lines.map((line) => line.split(' '));
  return Number(values[names.indexOf('RcvbufErrors')]);
}

function receive(): void {
  const seen = new Uint8Array(MOST);
  const result = { sent: 0, received: 0, late: 0, twice: 0, gap: 0, noRoom: 0 };
  const before = receiveErrors();
  let last: number | undefined;
  let highest = -1;
  let isOver = false;
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  const end = (): void => {
    result.noRoom = receiveErrors() - before;
    print(result);
    socket.close();
  };
  socket.on('message', (message) => {
    const number = message.readUInt32BE(0);
    if (number === LAST_WORD) {
      result.sent = message.readUInt32BE(4);
      if (!isOver) setTimeout(end, QUIET_MS);
      isOver = true;
      return;
    }
    const now = performance.now();
    result.gap = Math.max(result.gap, Math.round(now - (last ?? now)));
    last = now;
    if (seen[number] === 1) result.twice++;
    else result.received++;
    seen[number] = 1;
    if (number < highest) result.late++;
    else highest = number;
  });
  socket.bind({ address, port: 0 }, () => print({ port: socket.address().port }));
}

async function send(): Promise<void> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.connect(Number(port), address, resolve));
  const put = (first: number, second = 0): Promise<void> =>
    new Promise((resolve, reject) => {
      const message = Buffer.alloc(BYTES);
      message.writeUInt32BE(first, 0);
      message.writeUInt32BE(second, 4);
      socket.send(message, (error) => (error ? reject(error) : resolve()));
    });
  let sent = 0;
  let isOver = false;
  process.on('SIGTERM', () => {
    isOver = true;
  });
  await put(sent++);
  print({ sending: true });
  let since = performance.now();
  let before = sent;
  while (!isOver) {
    await delay(STEP_MS);
    const due = before + ((performance.now() - since) * Number(rate)) / 1000 - sent;
    await Promise.all(Array.from({ length: Math.min(Math.floor(due), BURST, MOST - sent) }, () => put(sent++)));
    if (due > BURST) {
      since = performance.now();
      before = sent;
    }
  }
  for (let words = 0; words < LAST_WORDS; words++) {
    await delay(QUIET_MS / LAST_WORDS / 2);
    await put(LAST_WORD, sent);
  }
  print({ sent });
  socket.close();
}

if (mode === 'receive') receive();
else await send();
