import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeAnswer, encodeQuery } from '../../../src/wire/dns/message.js';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const QUERY = { id: 0x1234, name: 'a.example', type: 'A' as const };
const QUESTION = '0161 07 6578616d706c65 00 0001 0001';

describe('a question', () => {
  it('is a header, the name, and a record for longer answers', () => {
    expect(encodeQuery({ ...QUERY, edns: true })).toEqual(
      hex(`1234 0100 0001 0000 0000 0001 ${QUESTION} 00 0029 04d0 00000000 0000`),
    );
    expect(encodeQuery({ ...QUERY, edns: false })).toEqual(hex(`1234 0100 0001 0000 0000 0000 ${QUESTION}`));
  });
});

describe('an answer', () => {
  it('has addresses, and the least TTL', () => {
    const answer = decodeAnswer(
      hex(`1234 8180 0001 0002 0000 0000 ${QUESTION}
           c00c 0001 0001 0000003c 0004 c0000202
           c00c 0001 0001 0000001e 0004 c0000203`),
      QUERY,
    );
    expect(answer).toMatchObject({ rcode: 0, ttl: 30, isTruncated: false });
    expect(answer?.addresses.map((one) => [...one])).toEqual([
      [192, 0, 2, 2],
      [192, 0, 2, 3],
    ]);
  });

  it('follows an alias, and leaves out records of other names', () => {
    const answer = decodeAnswer(
      hex(`1234 8180 0001 0003 0000 0000 ${QUESTION}
           c00c 0005 0001 00000005 0004 0162 c00e
           c027 0001 0001 0000003c 0004 c0000202
           0163 c00e 0001 0001 00000001 0004 c0000209`),
      QUERY,
    );
    expect(answer?.addresses.map((one) => [...one])).toEqual([[192, 0, 2, 2]]);
    expect(answer?.ttl).toBe(5);
  });

  it('names the hosts of a service', () => {
    const answer = decodeAnswer(
      hex(`1234 8180 0001 0001 0000 0000 0161 07 6578616d706c65 00 0021 0001
           c00c 0021 0001 0000000a 000a 0001 0001 12b5 0162 c00e`),
      { ...QUERY, type: 'SRV' },
    );
    expect(answer?.services).toEqual([{ target: 'b.example', port: 4789 }]);
  });

  it('is none when it is of another question, or unsound', () => {
    const sound = hex(`1234 8180 0001 0001 0000 0000 ${QUESTION} c00c 0001 0001 0000003c 0004 c0000202`);
    expect(decodeAnswer(sound, { ...QUERY, id: 1 })).toBeUndefined();
    expect(decodeAnswer(sound, { ...QUERY, name: 'b.example' })).toBeUndefined();
    expect(decodeAnswer(sound, { ...QUERY, type: 'AAAA' })).toBeUndefined();
    for (let length = 0; length < sound.length; length++)
      expect(decodeAnswer(sound.subarray(0, length), QUERY)).toBeUndefined();
    // A pointer to itself, and an address of three bytes.
    expect(
      decodeAnswer(hex(`1234 8180 0001 0001 0000 0000 ${QUESTION} c01b 0001 0001 0000003c 0000`), QUERY),
    ).toBeUndefined();
    expect(
      decodeAnswer(hex(`1234 8180 0001 0001 0000 0000 ${QUESTION} c00c 0001 0001 0000003c 0003 c00002`), QUERY),
    ).toBeUndefined();
  });

  it('says that there is no such name, or that it was cut off', () => {
    expect(decodeAnswer(hex(`1234 8183 0001 0000 0000 0000 ${QUESTION}`), QUERY)).toMatchObject({
      rcode: 3,
      addresses: [],
    });
    expect(decodeAnswer(hex(`1234 8380 0001 0001 0000 0000 ${QUESTION}`), QUERY)).toMatchObject({ isTruncated: true });
    expect(decodeAnswer(hex('1234 8181 0000 0000 0000 0000'), QUERY)).toMatchObject({ rcode: 1 });
  });

  it('never throws, whatever the bytes are', () => {
    const sound = hex(
      `1234 8180 0001 0002 0000 0000 ${QUESTION} c00c 0005 0001 00000005 0004 0162 c00e c027 0001 0001 0000003c 0004 c0000202`,
    );
    const mutated = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 6 }).map((changes) => {
      const bytes = Uint8Array.from(sound);
      for (const [at, byte] of changes) bytes[at] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        const answer = decodeAnswer(bytes, QUERY);
        return answer === undefined || answer.addresses.every(({ length }) => length === 4);
      }),
      { numRuns: 20_000, seed: Number(process.env.OVERTAP_SEED ?? 1) },
    );
  });
});
