/**
 * Every parser on frames that end at the end of memory: whatever is truncated, too long or points elsewhere, nothing is read
 * beyond the frame, nothing is thrown, and all returned offsets are inside.
 *
 * FUZZ_FRAMES and FUZZ_SEED change number and seed; the number here is a tenth of it.
 */
import { describe, expect, it } from 'vitest';
import { readNews } from '../../src/doctor/echo.js';
import { flowHash } from '../../src/encap/flow.js';
import { readFrame, readTunnel } from '../../src/lab/capture/observed-frame.js';
import { ARP_LENGTH, arpOperation, arpSenderAddress, arpTargetAddress, isArp4 } from '../../src/wire/arp.js';
import { decodeBpdu } from '../../src/wire/bpdu.js';
import { isDhcp4ServerMessage, isDhcp6ServerMessage, isDhcpPort } from '../../src/wire/dhcp.js';
import { ETHERNET_HEADER } from '../../src/wire/ethernet.js';
import { MESSAGE_NONE } from '../../src/wire/group-message.js';
import { ICMPV6_ERROR_LIMIT, mayTellTooBig, writeTooBig } from '../../src/wire/icmp-error.js';
import { igmpMessage, PROTOCOL_IGMP, readIgmp } from '../../src/wire/igmp.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, LAYOUT_WORDS, parseInner } from '../../src/wire/inner.js';
import { mldMessage, readMld } from '../../src/wire/mld.js';
import { isRouterAdvertisement4, isRouterAdvertisement6 } from '../../src/wire/mrd.js';
import { ND_NONE, ND_SOURCE_LINK, ND_TARGET_LINK, ndEnd, ndLinkAddress, ndMessage } from '../../src/wire/nd.js';
import { findPayload, TYPE_NONE } from '../../src/wire/payload.js';
import { isPimHello } from '../../src/wire/pim.js';
import { findUpper4, findUpper6, UPPER_FOUND, UPPER_LEAST, UPPER_WORDS } from '../../src/wire/upper-layer.js';
import { long } from '../long.js';
import { mutate } from './mutate.js';
import { Random } from './random.js';
import { makeSamples, type Sample } from './samples.js';

const FRAMES = Math.ceil(Number(process.env.FUZZ_FRAMES ?? long(10_000_000)) / 10);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** The frame begins here, so that an answer can be written before it. */
const START = 2048;
const HEADS = 200;
const EXTREMES = [0, 1, 0x7f, 0x80, 0xff];
/** So many of them in a byte of a sample; others in the next byte, and in the same one of the next sample. */
const VALUES = long(EXTREMES.length, 3);
/** Ends to which a message is read. */
const CUTS = long(500, 12);
let messages = 0;

const samples = makeSamples();
const buffer = new ArrayBuffer(START + 4096);
const ground = { bytes: new Uint8Array(buffer), view: new DataView(buffer) };
const layout = new Int32Array(LAYOUT_WORDS);
const MTUS = [0, 68, 576, 1280, 1450];

/** How often each parser has found something sound. */
const found = new Map<string, number>();

function note(what: string): void {
  found.set(what, (found.get(what) ?? 0) + 1);
}

/** Reads a frame of so many bytes at START by all parsers. @returns what is wrong; empty: nothing is */
function readAll(length: number): string {
  const view = new DataView(buffer, 0, START + length);
  const end = START + length;
  parseInner(view, START, length, layout);
  const [l3, kind, l4, protocol, l3End] = layout;
  if (l3End > end || l3 > l3End || l4 > l3End || (l4 !== 0 && l4 <= l3)) return `layout ${layout}`;
  if (kind !== 0 && l3 < START + ETHERNET_HEADER) return `layout ${layout}`;
  if (length >= ETHERNET_HEADER) flowHash(view, START, layout);
  if (kind === 4 && l4 !== 0) readMessages4(view, protocol);
  if (kind === 6 && l4 !== 0) readMessages6(view);
  readNeighbours(view, length);
  const fault = readPayload(view, length);
  if (fault !== '') return fault;
  const bytes = ground.bytes.subarray(START, end);
  if (readFrame(bytes) !== null) note('sighting');
  if (readTunnel(bytes).length > 0) note('tunnel sighting');
  if (decodeBpdu(bytes) !== null) note('bpdu');
  const packet = ground.bytes.subarray(Math.min(START + ETHERNET_HEADER, end), end);
  if (readNews(4, packet) !== null) note('news');
  if (readNews(6, packet.subarray(Math.min(40, packet.length))) !== null) note('news6');
  return tellTooBig(view);
}

function readMessages4(view: DataView, protocol: number): void {
  const l3 = layout[L3_OFFSET];
  const l4 = layout[L4_OFFSET];
  const end = layout[L3_END];
  if (isPimHello(view, l3, l4, end) && protocol === 103) note('pim');
  if (protocol !== PROTOCOL_IGMP) return;
  for (const finished of [true, false]) if (isRouterAdvertisement4(view, l3, l4, end, finished)) note('mrd');
  const kind = igmpMessage(view, l3, l4, end, false);
  if (kind === MESSAGE_NONE) return;
  note('igmp');
  igmpMessage(view, l3, l4, end, true);
  readIgmp(view, l3, l4, end);
  cutOff(l4, end, (cut) => readIgmp(new DataView(buffer, 0, cut), l3, l4, cut));
}

function readMessages6(view: DataView): void {
  const l3 = layout[L3_OFFSET];
  const l4 = layout[L4_OFFSET];
  const end = layout[L3_END];
  if (layout[L4_PROTOCOL] !== 58) return;
  for (const finished of [true, false]) if (isRouterAdvertisement6(view, l3, l4, end, finished)) note('mrd6');
  if (mldMessage(view, l3, l4, end, false) === MESSAGE_NONE) return;
  note('mld');
  mldMessage(view, l3, l4, end, true);
  readMld(view, l3, l4, end);
  cutOff(l4, end, (cut) => readMld(new DataView(buffer, 0, cut), l3, l4, cut));
}

/** What reaches the control thread may be cut off: anywhere, over all messages; a long one is not read to each of its ends. */
function cutOff(l4: number, end: number, read: (cut: number) => void): void {
  const step = Math.max(3, Math.ceil((end - l4) / CUTS));
  for (let cut = l4 + (messages++ % step); cut < end; cut += step) read(cut);
}

/** ARP and neighbour discovery, wherever a tag or none would put them, whatever the type says. */
function readNeighbours(view: DataView, length: number): void {
  const end = START + length;
  for (const l3 of [START + ETHERNET_HEADER, START + ETHERNET_HEADER + 4]) {
    if (end - l3 < ARP_LENGTH) return;
    if (isArp4(view, l3, end - l3)) {
      note('arp');
      arpOperation(view, l3);
      arpSenderAddress(view, l3);
      arpTargetAddress(view, l3);
    }
    if (ndMessage(view, l3, end, false) === ND_NONE) continue;
    note('nd');
    ndMessage(view, l3, end, true);
    for (const type of [ND_SOURCE_LINK, ND_TARGET_LINK]) ndLinkAddress(view, l3 + 40, ndEnd(view, l3), type);
  }
}

/** What guards look for, behind tags and headers of any kind. @returns what is wrong; empty: nothing is */
function readPayload(view: DataView, length: number): string {
  const end = START + length;
  const payload = new Int32Array(2);
  const upper = new Int32Array(UPPER_WORDS);
  findPayload(view, START, length, payload);
  const [type, at] = payload;
  if (type !== TYPE_NONE && (at > end || at < START + ETHERNET_HEADER)) return `payload ${payload}`;
  for (const find of [findUpper4, findUpper6]) {
    const found = find(view, at, end, upper);
    if (found !== UPPER_FOUND) continue;
    note(`upper ${find === findUpper4 ? 4 : 6}`);
    const [offset, , upperEnd] = upper;
    if (upperEnd > end || offset + UPPER_LEAST > upperEnd || offset < at + 20) return `upper layer ${upper}`;
    for (const reads of [isDhcp4ServerMessage, isDhcp6ServerMessage, isDhcpPort]) reads(view, offset, upperEnd);
  }
  return '';
}

function tellTooBig(view: DataView): string {
  for (const mtu of MTUS) {
    if (!mayTellTooBig(view, layout, mtu)) continue;
    note(`too big ${layout[L3_KIND]}`);
    const length = writeTooBig(view, 0, layout, mtu);
    if (length > ICMPV6_ERROR_LIMIT) return `an error of ${length} bytes`;
  }
  return '';
}

function tryAll(length: number, what: string): void {
  let fault: string;
  try {
    fault = readAll(length);
  } catch (cause) {
    fault = (cause as Error).stack ?? String(cause);
  }
  if (fault === '') return;
  const hex = Buffer.from(buffer)
    .subarray(START, START + length)
    .toString('hex');
  expect.fail(`${what}: ${fault}\n  frame ${hex}`);
}

describe('every parser', { timeout: 300_000 }, () => {
  it('of every sample, cut off at every length', () => {
    for (const { bytes, name } of [...samples.usual, ...samples.control]) {
      ground.bytes.set(bytes, START);
      for (let length = 0; length <= Math.min(bytes.length, HEADS); length++)
        tryAll(length, `${name} of ${length} bytes`);
    }
  });

  it('of every sample, with each byte of its headers at its extremes', () => {
    for (const [number, { bytes, name }] of [...samples.usual, ...samples.control].entries()) {
      for (let at = 12; at < Math.min(bytes.length, 110); at++) {
        for (const [turn, value] of EXTREMES.entries()) {
          if ((number + at + turn) % EXTREMES.length >= VALUES) continue;
          ground.bytes.set(bytes, START);
          ground.bytes[START + at] = value;
          tryAll(bytes.length, `${name}, byte ${at} ${value}`);
        }
      }
    }
  });

  it(`of ${FRAMES} mutated ones (FUZZ_SEED=${SEED})`, () => {
    const random = new Random(SEED);
    for (let frame = 0; frame < FRAMES; frame++) {
      const sample: Sample = random.pick(random.once(2) ? samples.control : samples.usual);
      ground.bytes.set(sample.bytes, START);
      const length = mutate(random, ground, START, sample.bytes.length, sample);
      tryAll(length, `seed ${SEED}, frame ${frame}, ${sample.name}`);
    }
    console.log(`seed ${SEED}: ${[...found].map(([what, count]) => `${what} ${count}`).join(', ')}`);
    for (const what of [
      'igmp',
      'mld',
      'bpdu',
      'pim',
      'mrd',
      'mrd6',
      'nd',
      'arp',
      'news',
      'news6',
      'tunnel sighting',
      'too big 4',
      'too big 6',
    ]) {
      expect([...found.keys()], `no ${what} was found sound`).toContain(what);
    }
  });
});
