/** Frames survive any cut of the stream; what is torn, too long or unknown is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeFrame,
  encodeJson,
  encodeWords,
  FRAME,
  FrameError,
  FrameReader,
  type FrameType,
  jsonOf,
  wordsOf,
} from '../../../src/control/handover/frames.js';

const MOST = 4096;
const type = fc.constantFrom(...(Object.keys(FRAME) as FrameType[]));
const frames = fc.array(fc.tuple(type, fc.uint8Array({ maxLength: 300 })), { minLength: 1, maxLength: 12 });

function readAll(reader: FrameReader): [FrameType, number[]][] {
  const read: [FrameType, number[]][] = [];
  for (let frame = reader.next(); frame !== null; frame = reader.next()) read.push([frame.type, [...frame.payload]]);
  return read;
}

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 700 })), (sent, cuts) => {
        const stream = Buffer.concat(sent.map(([name, payload]) => encodeFrame(name, payload)));
        const reader = new FrameReader(MOST);
        const read: [FrameType, number[]][] = [];
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          if (at >= stream.length) break;
          reader.push(Buffer.from(stream.subarray(at, at + cut)));
          at += cut;
          read.push(...readAll(reader));
        }
        expect(read).toEqual(sent.map(([name, payload]) => [name, [...payload]]));
      }),
    );
  });

  it('that are cut off give nothing, and no frame of what came before is lost', () => {
    fc.assert(
      fc.property(frames, fc.nat(), (sent, cut) => {
        const pieces = sent.map(([name, payload]) => encodeFrame(name, payload));
        const stream = Buffer.concat(pieces);
        const length = cut % stream.length;
        const reader = new FrameReader(MOST);
        reader.push(stream.subarray(0, length));
        let whole = 0;
        for (let end = 0; whole < pieces.length && end + pieces[whole].length <= length; whole++)
          end += pieces[whole].length;
        expect(readAll(reader)).toHaveLength(whole);
      }),
    );
  });

  it('of any bytes are refused or wait, and never hold more than they may', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const reader = new FrameReader(16);
        reader.push(Buffer.from(bytes));
        try {
          for (const [, payload] of readAll(reader)) expect(payload.length).toBeLessThanOrEqual(16);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
    );
  });

  it('are bounded before they have come', () => {
    const reader = new FrameReader(MOST);
    const head = encodeFrame('plan', new Uint8Array(0));
    head.writeUInt32LE(MOST + 1, 0);
    reader.push(head);
    expect(() => reader.next()).toThrow('more than 4096');
  });

  it('of JSON and words are checked', () => {
    const frameOf = (bytes: Buffer) => {
      const reader = new FrameReader(MOST);
      reader.push(bytes);
      return reader.next() as NonNullable<ReturnType<FrameReader['next']>>;
    };
    expect(jsonOf(frameOf(encodeJson('plan', { a: [1] })))).toEqual({ a: [1] });
    expect(() => jsonOf(frameOf(encodeFrame('plan', Buffer.from('{'))))).toThrow('no JSON');
    const words = Int32Array.of(1, -2, 3, 0x7fffffff);
    expect(wordsOf(frameOf(encodeWords('entries', words)), 2)).toEqual(words);
    expect(() => wordsOf(frameOf(encodeWords('entries', words)), 3)).toThrow('within a row');
    expect(() => wordsOf(frameOf(encodeFrame('entries', Buffer.alloc(7))), 1)).toThrow('within a row');
  });
});
