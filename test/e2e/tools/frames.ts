/**
 * Frames of the experimental EtherType, thousands a second, sent through a packet socket as if the host of the NIC had
 * sent them.
 *
 *   node frames.js IFNAME DESTINATION SOURCE COUNT RATE    prints {"sent", "ms", "steady"} at the end
 *
 * SOURCE: a MAC; or random:SEED:FIRST for COUNT different ones without a pattern, of which FIRST were sent before. RATE:
 * frames a second; after a pause that the machine made there are fewer, since what a NIC's queue has no room for is lost.
 *
 * `steady`: the milliseconds of each stretch in which neither this program nor the one that reads from the TAP was kept
 * waiting: in no 50 ms of it were less than half of the frames taken out that are due.
 */
import { readFileSync } from 'node:fs';
import { closeFd, type NativeError, openPacketSocket, writePacket } from '../../../src/native/binding.js';

const FRAME = 60;
/** Odd, and so a permutation of 32 bits by multiplication. */
const SCATTER = 0x9e3779b1;
/** A TAP holds a thousand. */
const BURST = 400;
const FULL = ['EAGAIN', 'ENOBUFS'];
/** How often it looks at what was taken out of the TAP, and how late it may come to that. */
const LOOK_MS = 40;
const LATE_MS = 50;

const [ifname, destination, source, ...numbers] = process.argv.slice(2);
const [count, rate] = numbers.map(Number);
const bytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');
const nap = (ms: number): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

const frame = Buffer.alloc(FRAME);
bytes(destination).copy(frame, 0);
frame.writeUInt16BE(0x88b5, 12);
const [kind, seed, first] = source.startsWith('random:') ? source.split(':') : ['one', '0', '0'];
if (kind === 'random')
  frame.writeUInt16BE(0x0600, 6); // Unicast, and locally administered.
else bytes(source).copy(frame, 6);

function put(fd: number): void {
  for (;;) {
    try {
      writePacket(fd, frame);
      return;
    } catch (error) {
      if (!FULL.includes((error as NativeError).code)) throw error;
      nap(1);
    }
  }
}

/** How many frames were taken out of the TAP so far: until then the kernel does not count them. */
const taken = (): number => Number(readFileSync(`/sys/class/net/${ifname}/statistics/tx_packets`, 'latin1'));

const fd = openPacketSocket({ ifname });
const start = performance.now();
let since = start;
let looked = { at: start, taken: taken() };
const steady: number[] = [];
let stretch = 0;

function look(at: number): void {
  const now = { at, taken: taken() };
  const ms = at - looked.at;
  const isSteady = ms <= LATE_MS && now.taken - looked.taken >= (rate * LOOK_MS) / 2000;
  looked = now;
  if (isSteady) stretch += ms;
  else endStretch();
}

function endStretch(): void {
  if (stretch > 0) steady.push(Math.floor(stretch));
  stretch = 0;
}

for (let number = 0; number < count; ) {
  nap(1);
  const now = performance.now();
  if (now - looked.at >= LOOK_MS) look(now);
  const due = Math.min(Math.round(((now - since) * rate) / 1000), BURST, count - number);
  if (due === 0) continue;
  since = now;
  for (const end = number + due; number < end; number++) {
    if (kind === 'random') frame.writeUInt32BE((Math.imul(number + Number(first), SCATTER) ^ Number(seed)) >>> 0, 8);
    put(fd);
  }
}
const ms = Math.round(performance.now() - start);
endStretch();
process.stdout.write(`${JSON.stringify({ sent: count, ms, steady })}\n`);
closeFd(fd);
