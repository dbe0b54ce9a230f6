/**
 * A process that takes a switch over and fails on the way.
 *
 *   node half-taker.js SOCKET STEPS END [TARGET]
 *       asks for the switch as TARGET (default: the present one), goes through so many steps, prints {"at", "descriptors"}, then
 *       `die`s by SIGKILL, `close`s the connection, `hang`s, sends `junk`, or sends a `huge` length
 *
 * Steps: 0 accepted; 1 the plan and the descriptors have come; 2, 3 "prepared" said once, twice; 4 all has come while the switch
 * stands still, so that nobody forwards.
 */
import { encodeFrame, FrameReader, TAKE_OVER_TARGET } from '../../../src/control/handover/frames.js';
import { connectUnix, receiveRights, sendRights } from '../../../src/port/rights.js';

const [path, steps, end, target = TAKE_OVER_TARGET] = process.argv.slice(2);
const socket = connectUnix(path);
const buffer = Buffer.alloc(1 << 20);
const reader = new FrameReader(1 << 28);
let descriptors = 0;

function read(): Buffer {
  const got = receiveRights(socket, buffer, 20_000);
  if (got === null || got.length === 0) {
    process.stdout.write(`${JSON.stringify({ closed: true })}\n`);
    process.exit(1);
  }
  descriptors += got.fds.length;
  return Buffer.from(buffer.subarray(0, got.length));
}

/** Reads up to a frame of this type. */
function until(type: string): void {
  for (;;) {
    const frame = reader.next();
    if (frame === null) reader.push(read());
    else if (frame.type === type) return;
    else if (frame.type === 'fault') throw new Error(frame.payload.toString());
  }
}

sendRights(socket, Buffer.from(`CONNECT ${target} HTTP/1.1\r\n\r\n`));
let head = Buffer.alloc(0);
while (!head.includes('\r\n\r\n')) head = Buffer.concat([head, read()]);
if (!head.toString('latin1').startsWith('HTTP/1.1 200 ')) {
  process.stdout.write(`${JSON.stringify({ refused: head.toString() })}\n`);
  process.exit(0);
}
reader.push(head.subarray(head.indexOf('\r\n\r\n') + 4));
const WAY: readonly (() => void)[] = [
  () => until('state'),
  () => void sendRights(socket, encodeFrame('prepared')),
  () => {
    until('state');
    sendRights(socket, encodeFrame('prepared'));
  },
  () => until('state'),
];
for (const step of WAY.slice(0, Number(steps))) step();
process.stdout.write(`${JSON.stringify({ at: Number(steps), descriptors })}\n`, () => {
  if (end === 'die') process.kill(process.pid, 'SIGKILL');
  if (end === 'junk') sendRights(socket, Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  if (end === 'huge') sendRights(socket, Buffer.from([0xff, 0xff, 0xff, 0x7f, 5]));
  if (end === 'close') process.exit(0);
  setTimeout(() => undefined, 60_000);
});
