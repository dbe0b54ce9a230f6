/**
 * Numbered UDP datagrams in several flows, to see whether each flow keeps its order.
 *
 *   node order.mjs receive ADDRESS FLOWS COUNT ANSWERS
 *       prints {"port"}, then, once all came or nothing comes any more: {"received", "late", "twice", "flows"}. With
 *       ANSWERS above 0, every datagram whose number is a multiple of it is answered, so that the flow has a way back.
 *   node order.mjs send ADDRESS PORT FLOWS COUNT    prints {"sent", "answers"} a while after the last datagram
 *
 * `late`: datagrams that came after one of a higher number of their flow. `flows`: those with anything received.
 */
import { createSocket } from 'node:dgram';

const BYTES = 200;
const IDLE_MS = 1500;
/** Datagrams of a flow in one go, and the pause after a go of all flows. */
const BURST = 8;
const PAUSE_MS = 2;

const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const [mode, address, ...numbers] = process.argv.slice(2);

function receive(flows, count, answers) {
  const highest = new Int32Array(flows).fill(-1);
  const seen = Array.from({ length: flows }, () => new Uint8Array(count));
  const result = { received: 0, late: 0, twice: 0, flows: 0 };
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  let idle;
  const end = () => {
    result.flows = highest.filter((number) => number >= 0).length;
    print(result);
    socket.close();
  };
  socket.on('message', (message, from) => {
    const flow = message.readUInt32BE(0);
    const number = message.readUInt32BE(4);
    clearTimeout(idle);
    idle = setTimeout(end, IDLE_MS);
    if (seen[flow][number] === 1) result.twice++;
    else result.received++;
    seen[flow][number] = 1;
    if (number < highest[flow]) result.late++;
    else highest[flow] = number;
    if (answers > 0 && number % answers === 0) socket.send(message, from.port, from.address);
  });
  socket.bind({ address, port: 0 }, () => print({ port: socket.address().port }));
}

async function send(port, flows, count) {
  let answers = 0;
  const sockets = await Promise.all(
    Array.from(
      { length: flows },
      () =>
        new Promise((resolve) => {
          const socket = createSocket('udp4');
          socket.on('message', () => answers++);
          socket.connect(port, address, () => resolve(socket));
        }),
    ),
  );
  for (let number = 0; number < count; number += BURST) {
    const sends = [];
    for (let i = number; i < Math.min(number + BURST, count); i++)
      for (const [flow, socket] of sockets.entries()) {
        const message = Buffer.alloc(BYTES);
        message.writeUInt32BE(flow, 0);
        message.writeUInt32BE(i, 4);
        sends.push(new Promise((resolve) => socket.send(message, resolve)));
      }
    await Promise.all(sends);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS / 3));
  print({ sent: flows * count, answers });
  for (const socket of sockets) socket.close();
}

if (mode === 'receive') receive(...numbers.map(Number));
else await send(...numbers.map(Number));
