/**
 * Numbered UDP datagrams in several flows, to see whether each flow keeps its order.
 *
 *   node order.js receive ADDRESS PACE FLOWS COUNT ANSWERS
 *       prints {"port"}, then, once nothing comes any more: {"received", "late", "twice", "flows"}. With ANSWERS above 0,
 *       every datagram whose number is a multiple of it is answered, so that the flow has a way back.
 *   node order.js send ADDRESS PACE PORT FLOWS COUNT
 *       prints {"sent", "answers"} a while after the last datagram and the last answer
 *
 * `late`: datagrams that came after one of a higher number of their flow. `flows`: those with anything received.
 *
 * PACE: path of a Unix socket, by which the receiver tells how many it has. No switch and no NIC is on that way, so that a
 * flow without answers has no way back. The sender keeps to it, since the queue of a NIC and the buffer of a socket hold
 * some hundreds, and lose the rest while a busy machine lets nobody read them.
 */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const BYTES = 200;
/** After the last datagram, for those that come twice; while some are missing nothing comes for longer on a busy machine. */
const IDLE_MS = 1500;
const MISSING_MS = 5000;
/** Datagrams of a flow in one go, and the pause after a go of all flows. */
const BURST = 8;
const PAUSE_MS = 2;
/** So many datagrams may be on their way: a socket's buffer of 208 KiB, the default, holds them. */
const ON_THE_WAY = 256;
/** The receiver tells its count as often as this. */
const TOLD_EVERY = 32;

const print = (value: object): unknown => process.stdout.write(`${JSON.stringify(value)}\n`);
const [mode, address, pace, ...numbers] = process.argv.slice(2);

async function receive(flows: number, count: number, answers: number): Promise<void> {
  const highest = new Int32Array(flows).fill(-1);
  const seen = Array.from({ length: flows }, () => new Uint8Array(count));
  const result = { received: 0, late: 0, twice: 0, flows: 0 };
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  let sender: Socket | undefined;
  const server = createServer((connection) => {
    sender = connection.on('error', () => undefined);
  }).listen(pace);
  await once(server, 'listening');
  let idle: NodeJS.Timeout | undefined;
  const end = (): void => {
    result.flows = highest.filter((number) => number >= 0).length;
    print(result);
    socket.close();
    server.close();
    sender?.destroy();
  };
  socket.on('message', (message, from) => {
    const flow = message.readUInt32BE(0);
    const number = message.readUInt32BE(4);
    if (seen[flow][number] === 1) result.twice++;
    else result.received++;
    seen[flow][number] = 1;
    if (number < highest[flow]) result.late++;
    else highest[flow] = number;
    if (answers > 0 && number % answers === 0) socket.send(message, from.port, from.address);
    if (result.received % TOLD_EVERY === 0) sender?.write(`${result.received}\n`);
    clearTimeout(idle);
    idle = setTimeout(end, result.received === flows * count ? IDLE_MS : MISSING_MS);
  });
  socket.bind({ address, port: 0 }, () => print({ port: socket.address().port }));
}

/** The receiver's count, of the last whole line that came. */
async function follow(): Promise<{ told: { count: number }; close: () => void }> {
  const connection = createConnection(pace).setEncoding('utf8');
  await once(connection, 'connect');
  const told = { count: 0 };
  let text = '';
  connection.on('data', (more: string) => {
    const lines = (text + more).split('\n');
    text = lines.pop() ?? '';
    if (lines.length > 0) told.count = Number(lines.at(-1));
  });
  return { told, close: () => connection.destroy() };
}

async function send(port: number, flows: number, count: number): Promise<void> {
  let answers = 0;
  const { told, close } = await follow();
  const sockets = await Promise.all(
    Array.from({ length: flows }, async () => {
      const socket = createSocket('udp4').on('message', () => answers++);
      await new Promise<void>((resolve) => socket.connect(port, address, resolve));
      return socket;
    }),
  );
  let sent = 0;
  /** Whether the receiver has come near; so many that were lost are the end of it. */
  const hasRoom = async (): Promise<boolean> => {
    const since = performance.now();
    while (sent + BURST * flows - told.count > ON_THE_WAY) {
      if (performance.now() - since > MISSING_MS) return false;
      await delay(1);
    }
    return true;
  };
  for (let number = 0; number < count && (await hasRoom()); number += BURST) {
    const sends: Promise<unknown>[] = [];
    for (let i = number; i < Math.min(number + BURST, count); i++)
      for (const [flow, socket] of sockets.entries()) {
        const message = Buffer.alloc(BYTES);
        message.writeUInt32BE(flow, 0);
        message.writeUInt32BE(i, 4);
        sends.push(new Promise((resolve) => socket.send(message, resolve)));
      }
    await Promise.all(sends);
    sent += sends.length;
    await delay(PAUSE_MS);
  }
  close();
  for (let before = -1; before !== answers; ) {
    before = answers;
    await delay(IDLE_MS);
  }
  print({ sent, answers });
  for (const socket of sockets) socket.close();
}

const [first, second, third] = numbers.map(Number);
if (mode === 'receive') await receive(first, second, third);
else await send(first, second, third);
