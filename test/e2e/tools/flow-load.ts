/**
 * Withdrawals under load: frames flow from guest to guest as fast as they can be written, a command is given that stops them, and none
 * that was sent after it had returned may arrive.
 *
 *   node flow-load.js CONTROL FROM TO OTHER TIMES CHANGE UNDO FRAME
 *
 * FROM, TO, OTHER: NETNS/IFNAME of guests; CHANGE: a request, as JSON [path, body]; UNDO: a list of them; FRAME: hex of a frame up to
 * its payload. Prints one JSON line: {"late": commands after which a frame was sent that arrived at TO, "frames": at TO, "elsewhere": at
 * OTHER, "offloaded": of the switch, "longest": ms that a command took}
 */
import { setImmediate as pause } from 'node:timers/promises';
import { createClient } from '../../../src/client/client.js';
import { type Capture, openCapture } from '../../../src/port/capture.js';

const BATCH = 16;
const PAYLOAD = 46;
/** Frames that the kernel has to carry before a command is given. */
const WARM = 2000;
const WARM_MS = 5000;
/** Written after each command. */
const AFTER = 400;

const [control, from, to, other, times, changeText, undoText, head] = process.argv.slice(2);
const open = (end: string): Capture => {
  const [netns, ifname] = end.split('/');
  return openCapture({ netns, ifname });
};
const sender = open(from);
const receiver = open(to);
const bystander = open(other);
const client = createClient(control);
const header = Buffer.from(head, 'hex');
const frame = Buffer.concat([header, Buffer.alloc(PAYLOAD)]);
const STAMP = header.length + 20;
frame[header.length] = 0x45;
frame[header.length + 9] = 1;

let latest = 0n;
let frames = 0;
let elsewhere = 0;

function read(): void {
  for (let bytes = receiver.read(); bytes !== null; bytes = receiver.read()) {
    // The VLAN tag may be on one side only.
    const stamp = Buffer.from(bytes).readBigUInt64BE(bytes.length - PAYLOAD + 20);
    if (stamp > latest) latest = stamp;
    frames++;
  }
  for (let bytes = bystander.read(); bytes !== null; bytes = bystander.read()) elsewhere++;
}

function pump(count: number): void {
  for (let i = 0; i < count; i++) {
    frame.writeBigUInt64BE(process.hrtime.bigint(), STAMP);
    try {
      sender.write(frame);
    } catch {
      // No room in the queue: the receiver is read first.
    }
    if (i % BATCH === BATCH - 1) read();
  }
  read();
}

type Request = Parameters<typeof client.post>;

async function giveWhilePumping(request: Request): Promise<bigint> {
  let returned = 0n;
  const given = client.post(...request).then(() => {
    returned = process.hrtime.bigint();
  });
  given.catch(() => undefined);
  while (returned === 0n) {
    pump(BATCH);
    await Promise.race([pause(), given]);
  }
  return returned;
}

async function carriedSoFar(): Promise<number> {
  const { links } = await client.get('/v1/stats');
  return Object.values(links).reduce((sum, link) => sum + (link.offloaded?.rx_packets ?? 0), 0);
}

/** Frames flow, and the kernel carries them. */
async function warm(): Promise<void> {
  const until = Date.now() + WARM_MS;
  const wanted = (await carriedSoFar()) + WARM;
  for (let count = 0; count < wanted; count = await carriedSoFar()) {
    for (const end = frames + WARM; frames < end; await pause()) {
      pump(BATCH);
      if (Date.now() > until) throw new Error(`${count} frames are carried, ${end - frames} do not arrive`);
    }
  }
}

async function settle(): Promise<void> {
  for (let quiet = 0; quiet < 3; ) {
    const before = frames + elsewhere;
    await new Promise((resolve) => setTimeout(resolve, 2));
    read();
    quiet = frames + elsewhere === before ? quiet + 1 : 0;
  }
}

const change = JSON.parse(changeText) as Request;
const undo = JSON.parse(undoText) as Request[];
let late = 0;
let carried = 0;
let longest = 0;
for (let i = 0; i < Number(times); i++) {
  await warm();
  const asked = process.hrtime.bigint();
  const returned = await giveWhilePumping(change);
  longest = Math.max(longest, Number((returned - asked) / 1_000_000n));
  pump(AFTER);
  await settle();
  if (latest > returned) late++;
  carried = frames;
  for (const request of undo) await client.post(...request);
}
console.log(JSON.stringify({ late, frames: carried, elsewhere, offloaded: await carriedSoFar(), longest }));
