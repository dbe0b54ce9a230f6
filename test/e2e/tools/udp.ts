/**
 * UDP for the tests.
 *
 *   node udp.js echo ADDRESS                prints {"port"}, sends back whatever comes
 *   node udp.js ask ADDRESS PORT SIZE COUNT sends datagrams one after the other, prints {"equal", "different", "lost"}
 *   node udp.js stream ADDRESS PORT SIZE    sends until it is killed; prints {"streaming": true} after the first ones
 */
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';

const ANSWER_MS = 2000;
const BURST = 32;

const print = (value: object): unknown => process.stdout.write(`${JSON.stringify(value)}\n`);
const [mode, address, port, size, count] = process.argv.slice(2);
const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');

function payload(number: number): Buffer {
  const seed = createHash('sha512').update(`datagram ${number}`).digest();
  return Buffer.alloc(Number(size), seed);
}

function echo(): void {
  socket.on('message', (message, from) => socket.send(message, from.port, from.address));
  socket.bind({ address, port: 0 }, () => print({ port: socket.address().port }));
}

/** The answer to one datagram, or null when none came in time. */
function ask(message: Buffer): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => done(null), ANSWER_MS);
    const done = (answer: Buffer | null): void => {
      clearTimeout(timer);
      socket.removeAllListeners('message');
      resolve(answer);
    };
    socket.on('message', done);
    socket.send(message, Number(port), address);
  });
}

async function askAll(): Promise<void> {
  const result = { equal: 0, different: 0, lost: 0 };
  for (let number = 0; number < Number(count); number++) {
    const message = payload(number);
    const answer = await ask(message);
    if (answer === null) result.lost++;
    else if (message.equals(answer)) result.equal++;
    else result.different++;
  }
  print(result);
  socket.close();
}

function stream(): void {
  const message = payload(0);
  let sent = 0;
  // Refusals by ICMP, or a NIC that is no more, are no reason to end.
  socket.on('error', () => undefined);
  const burst = (): void => {
    let left = BURST;
    for (let i = 0; i < BURST; i++) {
      socket.send(message, Number(port), address, () => {
        if (--left === 0) setImmediate(burst);
      });
    }
    if (sent === 0) print({ streaming: true });
    sent += BURST;
  };
  burst();
}

if (mode === 'echo') echo();
else if (mode === 'ask') await askAll();
else stream();
