/**
 * BGP messages that a hostile neighbour could send: valid ones, mutated. Nothing is thrown, nothing is read beyond the message, what is
 * read can be written and read again, and the worst message of 64 KB takes little time.
 *
 * FUZZ_MESSAGES and FUZZ_SEED change number and seed.
 */
import { describe, expect, it } from 'vitest';
import { Framer } from '../../src/wire/bgp/framer.js';
import { decodeMessage, encodeNotification, encodeOpen, type Message } from '../../src/wire/bgp/message.js';
import { notificationWords } from '../../src/wire/bgp/notification.js';
import { EXTENDED_LIMIT, type SessionFormat } from '../../src/wire/bgp/session.js';
import type { Update } from '../../src/wire/bgp/update.js';
import { UpdateEncoder } from '../../src/wire/bgp/update-encode.js';
import { concatBytes, fromHex, toHex } from '../../src/wire/bytes.js';
import { long } from '../long.js';
import { FRR, GOBGP } from '../wire/bgp/captures.js';
import { updateOf, whole } from '../wire/bgp/reading.js';
import { Random } from './random.js';

const MESSAGES = Number(process.env.FUZZ_MESSAGES ?? long(10_000_000, 20_000));
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const SEEDS = long(5, 2);
const HEADER = 19;
/** Every so many messages what was read is written, and read again. */
const AGAIN = 8;
const EXTREMES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x10, 0x40, 0xc0, 14, 15, 25, 32, 48, 70, 128];

const REACH = '0019 46 04 c0000202 00 0311 0001c00002020002 00000000 20 c0000202';
/** Each attribute that is known, so that mutations meet its rules. */
const ALL = updateOf(
  `800e1c ${REACH} 400101 00 40020a 0202 0000fde9 fa56ea00 400304 c0000202 800404 00000001 400504 00000064 400600` +
    'c00708 0000fde9 c0000202 c00808 fde90001 fde90002 800904 c0000202 800a08 c0000202 c0000203' +
    'c01030 0002fde900000064 0102c00002020005 0202fa56ea000007 030c000000000008 060001000000 0005 06030200000000010608' +
    '0b0000000000 c01106 0201 fa56ea00 c01208 fa56ea00 c0000202 c01609 00 06 000064 c0000202 c0200c 0000fde9 00000001 00000002' +
    'c0fe02 0102 800f16 0019 46 0311 0001c00002020002 00000000 20 c0000203',
  '18 0a0000 20 0a000001',
  '10 0a00 00',
);
const samples = [...Object.values(FRR), ...Object.values(GOBGP)].map(fromHex);
samples.push(ALL, encodeNotification({ code: 6, subcode: 2, data: Uint8Array.of(3, 98, 121, 101) }));

const SESSIONS: SessionFormat[] = [true, false].flatMap((fourOctetAs) =>
  [true, false].map((isInternal) => ({ fourOctetAs, isInternal, maxLength: EXTENDED_LIMIT })),
);

/** Changes a message once to four times; most often its length is right afterwards, so that more than the header is tested. */
function mutate(random: Random, sample: Uint8Array): Uint8Array {
  let bytes: Uint8Array = sample.slice();
  for (let left = 1 + random.below(4); left > 0; left--) bytes = mutateOnce(random, bytes);
  if (bytes.length >= HEADER && !random.once(16)) {
    bytes.fill(0xff, 0, 16);
    bytes[16] = bytes.length >>> 8;
    bytes[17] = bytes.length;
    // The attributes end where the message ends.
    if (bytes[18] === 2 && bytes.length >= 23 && random.once(2)) {
      const gone = ((bytes[19] << 8) | bytes[20]) + 2;
      const left = bytes.length - HEADER - gone - 2;
      if (left >= 0) bytes.set([left >>> 8, left & 255], HEADER + gone);
    }
  }
  return bytes;
}

function mutateOnce(random: Random, bytes: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  switch (random.below(6)) {
    case 0:
      if (at < bytes.length) bytes[at] ^= 1 << random.below(8);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = random.pick(EXTREMES);
      return bytes;
    case 2: // a length or a count that is slightly wrong
      if (at < bytes.length) bytes[at] += random.once(2) ? 1 : -1;
      return bytes;
    case 3:
      return bytes.slice(0, at);
    case 4: {
      const inserted = new Uint8Array(1 + random.below(40));
      random.fill(inserted, 0, inserted.length);
      return concatBytes(bytes.subarray(0, at), inserted, bytes.subarray(at));
    }
    default: {
      // A part of another message, or of this one.
      const other = random.pick(samples);
      const from = random.below(other.length);
      const part = other.subarray(from, from + random.below(other.length - from + 1));
      return concatBytes(
        bytes.subarray(0, at),
        part,
        bytes.subarray(random.once(2) ? at : Math.min(bytes.length, at + part.length)),
      );
    }
  }
}

/** What was read is a value without holes: written and read again, it is the same. */
function checkAgain(message: Message, session: SessionFormat): void {
  if (message.kind === 'notification') expect(typeof notificationWords(message.notification)).toBe('string');
  if (message.kind === 'open') {
    if (message.open.capabilities.unknown.length > 0 || message.open.capabilities.families.length > 8) return;
    const open = decodeMessage(encodeOpen(message.open), session);
    const plain = message.open.asn > 0xffff || message.open.capabilities.fourOctetAs !== undefined;
    if (plain) expect(open).toEqual(message);
  }
  if (message.kind === 'update' && message.result.verdict !== 'reset') checkUpdate(message.result.update, session);
}

function checkUpdate({ announced, attributes, withdrawn }: Update, session: SessionFormat): void {
  const encoder = new UpdateEncoder(session);
  const read = (messages: Uint8Array[]): Update[] =>
    messages.map((bytes) => {
      const decoded = decodeMessage(bytes, { ...session, isInternal: true });
      if (decoded.kind !== 'update' || decoded.result.verdict === 'reset') throw new Error(JSON.stringify(decoded));
      return decoded.result.update;
    });
  if (attributes !== null) {
    const again = read(encoder.announce(announced, { localPref: 1, ...attributes }));
    expect(again[0].attributes).toEqual({ localPref: 1, ...attributes });
    expect(again.flatMap((update) => update.announced)).toEqual(announced);
  }
  expect(read(encoder.withdraw(withdrawn)).flatMap((update) => update.withdrawn)).toHaveLength(withdrawn.length);
}

function fuzz(seed: number, count: number): Map<string, number> {
  const random = new Random(seed);
  const outcomes = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const bytes = mutate(random, random.pick(samples));
    const session = random.pick(SESSIONS);
    try {
      const message = decodeMessage(bytes, session);
      const outcome = message.kind === 'update' ? message.result.verdict : message.kind;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (i % AGAIN === 0) checkAgain(message, session);
    } catch (cause) {
      expect.fail(
        `seed ${seed}, message ${i}: ${(cause as Error).stack}\n  ${toHex(bytes)}\n  ${JSON.stringify(session)}`,
      );
    }
  }
  return outcomes;
}

describe('BGP messages', { timeout: 1_800_000 }, () => {
  it(`${MESSAGES} mutated ones, from seed ${SEED} on`, () => {
    for (let seed = SEED; seed < SEED + SEEDS; seed++) {
      const outcomes = fuzz(seed, Math.ceil(MESSAGES / SEEDS));
      console.log(`seed ${seed}: ${[...outcomes].map(([what, count]) => `${what} ${count}`).join(', ')}`);
      const all = ['fine', 'discard', 'withdraw', 'reset', 'open', 'notification', 'keepalive', 'refresh', 'fault'];
      expect([...outcomes.keys()]).toEqual(expect.arrayContaining(all));
    }
  });

  it('each sample, cut off at every length, and with each byte at its extremes', () => {
    for (const sample of samples) {
      for (let at = HEADER; at < sample.length; at++) {
        const cut = sample.slice(0, at);
        cut.set([at >>> 8, at & 255], 16);
        decodeMessage(cut, SESSIONS[0]);
        for (const value of EXTREMES) {
          const changed = sample.slice();
          changed[at] = value;
          checkAgain(decodeMessage(changed, SESSIONS[0]), SESSIONS[0]);
        }
      }
    }
  });

  it('streams of mutated ones: the framer holds one message at most', () => {
    const random = new Random(SEED);
    for (let stream = 0; stream < long(20_000, 200); stream++) {
      const framer = new Framer();
      framer.maxLength = random.once(2) ? EXTENDED_LIMIT : 4096;
      for (let i = 0; i < 20; i++) {
        const bytes = random.once(3) ? mutate(random, random.pick(samples)) : random.pick(samples);
        const cut = random.below(bytes.length + 1);
        for (const chunk of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
          framer.push(chunk, (message) => decodeMessage(message, SESSIONS[0]).kind !== 'fault');
          expect(framer.pending).toBeLessThan(framer.maxLength);
        }
      }
    }
  });

  it.each([
    ['2-byte routes', `900effa0 0019 46 04 c0000202 00`, '0000'],
    ['attributes that stand there twice', '', 'c0fe00'],
    ['route targets', 'd010ffa0', ''],
    ['AS numbers', '5002ffa0', '02ff'],
  ] as const)('64 KB of %s in bounded time', (_, head, unit) => {
    const body = new Uint8Array(EXTENDED_LIMIT - HEADER);
    const list = body.length - 4;
    body.set([0, 0, list >>> 8, list & 255, ...fromHex(head)]);
    const bytes = fromHex(unit);
    const random = new Random(SEED);
    for (let at = 4 + head.replace(/ /g, '').length / 2; at + 8 <= body.length; at += Math.max(bytes.length, 8)) {
      body.set([0, 2, 0, 1], at);
      if (bytes.length === 0) random.fill(body, at + 4, at + 8);
      else for (let i = 0; i + bytes.length <= 8; i += bytes.length) body.set(bytes, at + i);
    }
    const message = whole(2, body);
    const before = performance.now();
    for (let i = 0; i < 10; i++) decodeMessage(message, SESSIONS[0]);
    // Some milliseconds each; what is quadratic takes seconds.
    expect(performance.now() - before).toBeLessThan(5000);
  });
});
