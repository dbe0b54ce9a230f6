/**
 * Rows that come and go while frames flow: each frame that the programs carry leaves by the device of its own row, also when the memory
 * of that row was given to another one meanwhile.
 *
 *   node flow-churn.js MS    in a namespace with cables g1-p1 to g3-p3, and u0-u1: u0 has 192.0.2.1, and a static neighbour 192.0.2.2
 *
 * A thread sends frames of one flow into p1 as fast as they can be written. Meanwhile its row, which leads to p2, and one of a flow that
 * nobody sends, which leads to p3, take turns. Before that, frames of a row into a tunnel, whose slot gets other headers behind its back.
 * Prints one JSON line: {"turns", "carried": of the flow, at p2, "astray": at p3, "vnis": of one frame each, as the row was written, with
 * other headers in its slot, and as the row was written with these; null: it did not come}
 */
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { type Capture, openCapture } from '../../../src/port/capture.js';
import * as F from '../../../src/port/flow-table.js';
import { flowTable, openFlowDevice, openFlowMaps } from '../../../src/port/native-flow-table.js';
import { openNetdev } from '../../../src/port/netdev.js';
import { openSenders } from '../../../src/port/underlay.js';

/** Turns between two readings of what came. */
const TURNS = 64;
const BATCH = 256;

const SENDER = [2, 0, 0, 0, 1, 1];
const RECEIVER = [2, 0, 0, 0, 2, 1];
const OTHER = [2, 0, 0, 0, 3, 1];
const VNIS = [42, 43];
const UDP_PORT = 4789;
/** Where the VNI of a datagram over IPv4 begins. */
const VNI_AT = 46;
const WAIT_MS = 100;

function frameTo(mac: number[]): Uint8Array {
  const frame = new Uint8Array(60);
  frame.set([...mac, ...SENDER, 8, 0, 0x45]);
  return frame;
}

function rowTo(mac: number[], slot: number, out: number): Int32Array {
  const words = new Int32Array(F.FLOW_WORDS);
  words[F.FLOW_DEVICE] = 1;
  new Uint8Array(words.buffer, F.FLOW_MACS * 4).set([...mac, ...SENDER]);
  words[F.FLOW_SLOT] = slot;
  words[F.FLOW_LONGEST] = 1514;
  words[F.FLOW_OUT] = out;
  return words;
}

function pump(stop: Int32Array): void {
  const guest = openCapture({ ifname: 'g1' });
  const frame = frameTo(RECEIVER);
  while (Atomics.load(stop, 0) === 0) {
    for (let i = 0; i < BATCH; i++) {
      try {
        guest.write(frame);
      } catch {
        // The queue is full.
      }
    }
  }
}

/** @returns the VNI of the datagram that a frame has become */
function sendInto(guest: Capture, wire: Capture): number | null {
  const frame = frameTo(OTHER);
  frame[23] = 1;
  guest.write(frame);
  while (wire.wait(WAIT_MS)) {
    const bytes = wire.read();
    if (bytes !== null && bytes[23] === 17 && bytes.length > VNI_AT + 4)
      return Buffer.from(bytes).readUIntBE(VNI_AT, 3);
  }
  return null;
}

function tunnel(table: F.FlowTable): (number | null)[] {
  const [guest, wire] = ['g1', 'u1'].map((ifname) => openCapture({ ifname }));
  const senders = openSenders({
    ...{ local: '192.0.2.1', range: [40_000, 40_999], count: F.OUTER_SOURCE_PORTS, seed: 0 },
    ...{ checksum: false, ttl: 64 },
  });
  const outer = (vni: number): number => {
    const words = new Int32Array(F.OUTER_WORDS);
    words.set([0, 0, 0xffff, 0xc0000202, UDP_PORT, vni, 0]);
    words.set(
      senders.map(({ port }) => port),
      F.OUTER_SOURCES,
    );
    const device = table.outer(0, senders[0].fd, words);
    if (device === 0) throw new Error('no route to the remote');
    return device;
  };
  const row = rowTo(OTHER, 0, outer(VNIS[0]));
  row[F.FLOW_OPERATION] = F.FLOW_ENCAPSULATE_IPV4;
  table.set(row);
  const vnis = [sendInto(guest, wire)];
  outer(VNIS[1]);
  vnis.push(sendInto(guest, wire));
  table.set(row);
  vnis.push(sendInto(guest, wire));
  table.remove(row);
  return vnis;
}

function churn(ms: number): void {
  const maps = openFlowMaps(1);
  const port = openNetdev({ ifname: 'p1', queues: 1, ring: false, host: false, force: false });
  const device = openFlowDevice(maps, 1, { ifname: 'p1' });
  const leads = [2, 3].map((number) => openFlowDevice(maps, number, { ifname: `p${number}` }).index);
  const table = flowTable(maps, 0);
  if (table.listen(port.fds[0], device.filter) !== 0) throw new Error('the socket takes no filter');
  const vnis = tunnel(table);
  const rows = [RECEIVER, OTHER].map((to, at) => rowTo(to, at, leads[at]));
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url), { workerData: stop });
  const [right, wrong] = ['g2', 'g3'].map((ifname) => openCapture({ ifname }));
  const arrived = (guest: typeof right): number => {
    let count = 0;
    for (let bytes = guest.read(); bytes !== null; bytes = guest.read()) if (bytes[0] === 2) count++;
    return count;
  };
  let turns = 0;
  let carried = 0;
  let astray = 0;
  for (const end = Date.now() + ms; Date.now() < end; ) {
    for (let i = 0; i < TURNS; i++, turns++) {
      for (const words of rows) {
        table.set(words);
        table.remove(words);
      }
    }
    carried += arrived(right);
    astray += arrived(wrong);
  }
  Atomics.store(stop, 0, 1);
  worker.once('exit', () => {
    console.log(JSON.stringify({ turns, carried, astray, vnis }));
    process.exit(0);
  });
}

if (isMainThread) churn(Number(process.argv[2]));
else pump(workerData as Int32Array);
