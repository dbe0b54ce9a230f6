/** Blocks of capture files in literal bytes, in both byte orders; malformed files; files in pieces. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex } from '../../src/wire/bytes.js';
import {
  INBOUND,
  interfaceBlock,
  LINK_ETHERNET,
  MAX_TEXT,
  OUTBOUND,
  type Packet,
  packetBlock,
  sectionBlock,
  statisticsBlock,
} from '../../src/wire/pcapng.js';
import {
  MAX_BLOCK,
  MAX_COMMENTS,
  type PcapngBlock,
  PcapngError,
  PcapngReader,
  readPcapng,
} from '../../src/wire/pcapng-reader.js';

const SECTION = '0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000';
const INTERFACE = '01000000 28000000 0100 0000 00000400 0200 0400 74617031 0900 0100 09000000 0000 0000 28000000';
const DATA = '020000000002 020000000001 0800';

const read = (hex: string): PcapngBlock[] => [...readPcapng(fromHex(hex))];
const faultOf = (hex: string): string => {
  try {
    read(hex);
  } catch (error) {
    if (error instanceof PcapngError) return error.message;
    throw error;
  }
  return 'none';
};

describe('a block is written', () => {
  it('section header', () => {
    expect(toHex(sectionBlock({}))).toBe(toHex(fromHex(SECTION)));
    expect(toHex(sectionBlock({ application: 'overtap 1' }))).toBe(
      toHex(
        fromHex(
          '0a0d0d0a 30000000 4d3c2b1a 0100 0000 ffffffffffffffff 0400 0900 6f7665727461702031000000 00000000 30000000',
        ),
      ),
    );
  });

  it('interface description', () => {
    expect(toHex(interfaceBlock({ name: 'tap1', linkType: LINK_ETHERNET, snaplen: 262_144 }))).toBe(
      toHex(fromHex(INTERFACE)),
    );
  });

  it('enhanced packet, with every option', () => {
    const packet: Packet = {
      interface: 1,
      time: 0x0123456789abcdefn,
      data: fromHex(DATA),
      length: 1514,
      flags: OUTBOUND,
      dropCount: 3,
      packetId: 0x100000002n,
      comments: ['a=b'],
    };
    const hex =
      '06000000 5c000000 01000000 67452301 efcdab89 0e000000 ea050000 020000000002020000000001 08000000' +
      '0100 0300 613d6200 0200 0400 02000000 0400 0800 0300000000000000 0500 0800 0200000001000000 0000 0000 5c000000';
    expect(toHex(packetBlock(packet))).toBe(toHex(fromHex(hex)));
  });

  it('enhanced packet without options has none, not an empty list of them', () => {
    const hex = '06000000 20000000 00000000 00000000 00000000 00000000 3c000000 20000000';
    expect(toHex(packetBlock({ interface: 0, data: new Uint8Array(0), length: 60 }))).toBe(toHex(fromHex(hex)));
  });

  it('interface statistics', () => {
    const hex =
      '05000000 40000000 02000000 01000000 02000000 0300 0800 0100000003000000' +
      '0400 0800 0500000000000000 0500 0800 0600000000000000 0000 0000 40000000';
    const statistics = { interface: 2, time: 0x100000002n, end: 0x100000003n, received: 5, dropped: 6 };
    expect(toHex(statisticsBlock(statistics))).toBe(toHex(fromHex(hex)));
  });

  it('a text that is too long is cut off, so that its length fits 16 bits', () => {
    const [, , packet] = [
      ...readPcapng(
        concatBytes(
          fromHex(SECTION + INTERFACE),
          packetBlock({ interface: 0, data: new Uint8Array(0), length: 0, comments: ['€'.repeat(70_000)] }),
        ),
      ),
    ];
    expect(packet).toMatchObject({ comments: ['€'.repeat(MAX_TEXT)] });
  });
});

describe('a file is read', () => {
  it('in big endian, with times in microseconds, the default', () => {
    const file =
      '0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c' +
      '00000001 00000014 0001 0000 00000000 00000014' +
      '00000006 00000030 00000000 00000001 00000002 00000002 0000003c aabb0000 0002 0004 00000001 0000 0000 00000030';
    expect(read(file)).toEqual([
      { type: 'section' },
      { type: 'interface', index: 0, linkType: 1, snaplen: 0 },
      {
        type: 'packet',
        interface: 0,
        time: 0x100000002n * 1000n,
        data: fromHex('aabb'),
        length: 60,
        flags: INBOUND,
      },
    ]);
  });

  it.each([
    ['10^-3', '0900 0100 03000000', 5_000_000n],
    ['2^-10', '0900 0100 8a000000', (5n * 1_000_000_000n) / 1024n],
    ['seconds', '0900 0100 00000000', 5_000_000_000n],
    ['an offset of an hour back', '0e00 0800 f0f1ffffffffffff', 5000n - 3_600_000_000_000n],
  ])('with times in %s', (_name, option, time) => {
    const length = (20 + fromHex(option).length).toString(16);
    const packet = '06000000 20000000 00000000 00000000 05000000 00000000 00000000 20000000';
    const file = `${SECTION} 01000000 ${length}000000 0100 0000 00000000 ${option} ${length}000000 ${packet}`;
    expect(read(file)[2]).toMatchObject({ time });
  });

  it('with simple packets, cut off at the limit of the first interface, and obsolete ones', () => {
    const file =
      `${SECTION} 01000000 14000000 0100 0000 02000000 14000000` +
      '03000000 14000000 3c000000 aabb0000 14000000' +
      '02000000 24000000 0000 ffff 00000000 01000000 01000000 3c000000 cc000000 24000000';
    expect(read(file).slice(2)).toEqual([
      { type: 'packet', interface: 0, data: fromHex('aabb'), length: 60 },
      { type: 'packet', interface: 0, time: 1000n, data: fromHex('cc'), length: 60 },
    ]);
  });

  it('whose second section begins with interfaces of its own; unknown blocks and options are passed over', () => {
    const unknown = '0a000000 10000000 deadbeef 10000000';
    const option = '01000000 20000000 0100 0000 00000000 b90b 0300 01020300 0000 0000 20000000';
    const blocks = read(`${SECTION} ${INTERFACE} ${unknown} ${SECTION} ${option}`);
    expect(blocks.map((block) => [block.type, 'index' in block ? block.index : -1])).toEqual([
      ['section', -1],
      ['interface', 0],
      ['other', -1],
      ['section', -1],
      ['interface', 0],
    ]);
  });
});

describe('a malformed file is refused with the place of the fault', () => {
  const block = (type: string, length: string, rest: string) => `${SECTION} ${INTERFACE} ${type} ${length} ${rest}`;
  it.each([
    ['empty', '', 'byte 0: the file is empty'],
    ['another format', 'd4c3b2a1 02000400 00000000 00000000', 'byte 0: this is no pcapng file'],
    ['no byte-order mark', '0a0d0d0a 1c000000 00000000 01000000', 'byte 0: a section header without'],
    ['a block of 8 bytes', block('06000000', '08000000', '00000000'), 'byte 68: a block of 8 bytes'],
    ['a block of 13 bytes', block('06000000', '0d000000', '00000000'), 'byte 68: a block of 13 bytes'],
    ['a block of 4 GiB', block('06000000', 'fcffffff', '00000000'), `to ${MAX_BLOCK}`],
    ['two lengths', block('0a000000', '0c000000', '10000000'), 'begins with length 12 and ends with 16'],
    ['cut off', block('0a000000', '10000000', '00000000'), 'byte 68: the file ends within a block, 12 bytes'],
    [
      'data longer than its block',
      block('06000000', '20000000', `${'00'.repeat(12)} 01000000 00000000 20000000`),
      'needed',
    ],
    ['data of 4 GiB', block('06000000', '20000000', `${'00'.repeat(12)} ffffffff 00000000 20000000`), 'needed'],
    ['an unknown interface', block('06000000', '20000000', `07${'00'.repeat(19)} 20000000`), 'interface 7'],
    ['a simple packet before an interface', `${SECTION} 03000000 10000000 00000000 10000000`, 'interface 0'],
    ['a packet without a head', block('06000000', '10000000', '00000000 10000000'), 'needed'],
    ['an option past the end', block('01000000', '18000000', '01000000 00000000 0200 0500 18000000'), 'needed'],
    ['time in 10^-100', block('01000000', '1c000000', '01000000 00000000 0900 0100 64000000 1c000000'), '10^-100'],
  ])('%s', (_name, file, fault) => {
    expect(faultOf(file)).toContain(fault);
  });
});

const packets = fc.array(
  fc.record(
    {
      interface: fc.nat(2),
      time: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      data: fc.uint8Array({ maxLength: 200 }),
      length: fc.nat(0xffffffff),
      flags: fc.nat(0xffffffff),
      packetId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      dropCount: fc.nat(),
      comments: fc.array(fc.string({ unit: 'binary', minLength: 1, maxLength: 50 }), { minLength: 1, maxLength: 3 }),
    },
    { requiredKeys: ['interface', 'time', 'data', 'length'] },
  ),
  { maxLength: 20 },
);

const seed = Number(process.env.OVERTAP_SEED ?? 15);

describe(`any packets (seed ${seed})`, () => {
  const heads = ['a', 'b', 'c'].map((name) => interfaceBlock({ name, linkType: LINK_ETHERNET, snaplen: 0 }));

  it('are read as they were written, whatever the pieces', () => {
    const property = fc.property(
      packets,
      fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1 }),
      (all, sizes) => {
        const file = concatBytes(sectionBlock({ os: 'Linux' }), ...heads, ...all.map(packetBlock));
        const reader = new PcapngReader();
        const found: PcapngBlock[] = [];
        for (let at = 0, turn = 0; at < file.length; turn++) {
          const size = sizes[turn % sizes.length];
          reader.push(file.subarray(at, at + size));
          at += size;
          for (let block = reader.next(); block !== undefined; block = reader.next()) found.push(block);
        }
        reader.end();
        expect(found.slice(4)).toEqual(all.map((packet) => ({ type: 'packet', ...packet })));
      },
    );
    fc.assert(property, { seed, numRuns: 300 });
  });

  it('with changed bytes are read or refused, never more than that', () => {
    const change = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 });
    const property = fc.property(packets, change, fc.nat(), (all, changes, cut) => {
      const file = concatBytes(sectionBlock({}), ...heads, ...all.map(packetBlock));
      for (const [at, value] of changes) file[at % file.length] = value;
      const kept = file.subarray(0, file.length - (cut % 8));
      try {
        for (const block of readPcapng(kept)) {
          if (block.type === 'packet') expect(block.data.length).toBeLessThanOrEqual(file.length);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(PcapngError);
      }
    });
    fc.assert(property, { seed, numRuns: 2000 });
  });
});

describe('options without an end', () => {
  it.each([
    ['a section', 0x0a0d0d0a, 28],
    ['an interface', 1, 20],
    ['a packet', 6, 32],
    ['statistics', 5, 24],
  ])('%s with thirty thousand comments has a few of them', (_what, code, head) => {
    const length = head + 4 * 30_000;
    const block = new Uint8Array(length);
    const view = new DataView(block.buffer);
    for (const at of [4, length - 4]) view.setUint32(at, length, true);
    view.setUint32(0, code, true);
    if (code === 0x0a0d0d0a) view.setUint32(8, 0x1a2b3c4d, true);
    for (let at = head - 4; at < length - 4; at += 4) view.setUint16(at, 1, true);
    const heads = [sectionBlock({}), interfaceBlock({ linkType: LINK_ETHERNET, snaplen: 0 })];
    const [last] = [...readPcapng(concatBytes(...heads, block))].slice(-1);
    expect(last).toMatchObject({ comments: Array.from({ length: MAX_COMMENTS }, () => '') });
  });
});
