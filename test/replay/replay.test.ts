/** Captures through a switch in memory: what it sends, when, and what differs from what was expected. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Document } from '../../src/config/edit/tree.js';
import { buildFrame } from '../../src/frames/build.js';
import { describeFrame } from '../../src/frames/describe.js';
import { fillFrame } from '../../src/frames/fill.js';
import { parseFrame } from '../../src/frames/parse.js';
import { CaptureError, capturedFrame, capturedFrames } from '../../src/replay/capture-file.js';
import { decapsulated, encapsulated } from '../../src/replay/outer.js';
import { runReplay } from '../../src/replay/run.js';
import { concatBytes, fromHex, toHex } from '../../src/wire/bytes.js';
import { interfaceBlock, OUTBOUND, packetBlock, sectionBlock } from '../../src/wire/pcapng.js';

const START = 1_700_000_000_000_000_000n;
const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';

const DOCUMENT: Document = {
  bridges: {
    br1: {
      ageing_time: 10,
      ports: {
        tap1: { type: 'tap', netns: 'none-of-this-host' },
        tap2: { type: 'qemu', listen: '/nowhere/tap2.sock' },
        vxlan0: { type: 'vxlan', local: '192.0.2.1', id: 100, remotes: ['192.0.2.2'] },
      },
    },
  },
};

const frame = (text: string): Uint8Array => buildFrame(fillFrame(parseFrame(text), { macOf: () => undefined })).bytes;
const fromRemote = (inner: Uint8Array): Uint8Array =>
  encapsulated(
    { port: '', frame: inner, remote: { address: '192.0.2.1', udpPort: 4789, vni: 100 } },
    { type: 'vxlan', dstport: 4789, local: '192.0.2.2' },
  );

/** A capture of frames at ports, each so many milliseconds after the start. */
function capture(frames: readonly (readonly [port: string, ms: number, bytes: Uint8Array])[]): Uint8Array {
  const ports = [...new Set(frames.map(([port]) => port))];
  return concatBytes(
    sectionBlock({}),
    ...ports.map((name) => interfaceBlock({ name, linkType: 1, snaplen: 0 })),
    ...frames.map(([port, ms, data]) =>
      packetBlock({ interface: ports.indexOf(port), time: START + BigInt(ms) * 1_000_000n, data, length: data.length }),
    ),
  );
}

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-replay-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);

async function replayed(
  given: Uint8Array,
  options: { expect?: string; write?: string; ndjson?: boolean; port?: string } = {},
) {
  writeFileSync(at('in.pcapng'), given);
  const lines: string[] = [];
  const notes: string[] = [];
  const status = await runReplay(DOCUMENT, at('in.pcapng'), {
    ndjson: false,
    ...options,
    line: (text) => lines.push(text),
    warn: (text) => notes.push(text),
  });
  return { status, lines, notes };
}

const ping = frame(`src ${A} dst ${B} icmp echo`);
const pong = frame(`src ${B} dst ${A} ip 10.0.0.2 > 10.0.0.1 icmp echo-reply`);

describe('replay', () => {
  it('floods, learns from both sides, and forgets by the times of the capture', async () => {
    const given = capture([
      ['tap1', 0, ping],
      ['vxlan0', 5, fromRemote(pong)],
      ['tap1', 6, ping],
      ['tap1', 20_000, ping], // B is forgotten after ten seconds
    ]);
    expect(await replayed(given, { write: at('out.pcapng') })).toMatchObject({
      status: 0,
      notes: ['4 frames in, 6 sent'],
    });
    const sent = [...capturedFrames(at('out.pcapng'))];
    expect(sent.map(({ port, time = 0n }) => [port, Number((time - START) / 1_000_000n)])).toEqual([
      ['tap2', 0],
      ['vxlan0', 0],
      ['tap1', 5],
      ['vxlan0', 6],
      ['tap2', 20_000],
      ['vxlan0', 20_000],
    ]);
    expect(toHex(sent[0].bytes)).toBe(toHex(ping));
    expect(toHex(sent[2].bytes)).toBe(toHex(pong));
    expect(describeFrame(sent[1].bytes)).toContain('ip 192.0.2.1 > 192.0.2.2 df udp 49152 > 4789 len 106');
    expect(toHex(decapsulated(sent[1].bytes, { type: 'vxlan', dstport: 4789 })?.inner ?? ping.subarray(1))).toBe(
      toHex(ping),
    );
  });

  it('has the same output each time, byte for byte', async () => {
    const given = capture([
      ['tap1', 0, frame(`src ${A} arp who-has 10.0.0.2`)],
      ['tap2', 1, frame(`src ${B} arp who-has 10.0.0.1`)],
      ['vxlan0', 400_000, fromRemote(pong)],
    ]);
    await replayed(given, { write: at('one') });
    await replayed(given, { write: at('two') });
    expect(readFileSync(at('one')).equals(readFileSync(at('two')))).toBe(true);
  });

  it('finds the first difference, and tells what led to it', async () => {
    const given = capture([
      ['tap1', 0, ping],
      ['tap1', 1, frame('src 01:00:00:00:00:01 icmp')],
    ]);
    await replayed(given, { write: at('out.pcapng') });
    expect(await replayed(given, { expect: at('out.pcapng') })).toMatchObject({ status: 0, lines: [] });
    writeFileSync(at('other.pcapng'), capture([['tap2', 0, pong]]));
    const { status, lines } = await replayed(given, { expect: at('other.pcapng') });
    expect(status).toBe(1);
    expect(lines.slice(0, 4)).toEqual([
      'Frame 1: frame 1 of port tap2 differs.',
      `  expected  ${describeFrame(pong)}`,
      `  sent      ${describeFrame(ping)}`,
      'What frame 1 met at tap1:',
    ]);
    expect(lines.at(-1)).toBe('  =           flooded');
    writeFileSync(at('more.pcapng'), capture([['tap1', 0, pong]]));
    writeFileSync(at('in.pcapng'), capture([]));
    const missing = await replayed(capture([]), { expect: at('more.pcapng') });
    expect(missing.lines.slice(0, 3)).toEqual([
      'The capture has ended: frame 1 of port tap1 differs.',
      `  expected  ${describeFrame(pong)}`,
      '  sent      no further frame',
    ]);
  });

  it('prints a line of JSON for each frame, and counts what it leaves out', async () => {
    const cut = packetBlock({ interface: 0, time: START, data: ping.subarray(0, 20), length: ping.length });
    const given = concatBytes(
      capture([
        ['tap1', 0, frame('src 01:00:00:00:00:01 icmp')],
        ['eth7', 0, ping],
        ['vxlan0', 1, ping],
      ]),
      cut,
    );
    const { lines, notes } = await replayed(given, { ndjson: true });
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        frame: 1,
        time: '1700000000.000000000',
        port: 'tap1',
        verdict: 'dropped',
        reason: 'source_mac_invalid',
        sent: [],
      },
      {
        frame: 2,
        time: '1700000000.000000000',
        skipped: 'there is no port eth7; name the port of its frames by -i',
        sent: [],
      },
      {
        frame: 3,
        time: '1700000000.001000000',
        skipped: 'it is no datagram to UDP port 4789; at vxlan0 frames are taken with their outer headers alone',
        sent: [],
      },
      { frame: 4, time: '1700000000.001000000', skipped: 'the capture has cut it to 20 bytes', sent: [] },
    ]);
    expect(notes[0]).toBe('4 frames in, 0 sent');
    await expect(replayed(given, { port: 'tap9' })).rejects.toThrow('-i: the configuration has no port tap9; it has');
  });
});

describe('interfaces that are no ports', () => {
  it('have a reason that fits: remotes, ports of a lab, names that lead nowhere', async () => {
    const { notes } = await replayed(
      capture([
        ['vxlan0/192.0.2.2', 0, ping],
        ['vxlan0/192.0.2.2', 1, pong],
        ['h1/tap1', 2, ping],
        ['h1/vxlan0/192.0.2.2', 3, ping],
        ['', 4, ping],
      ]),
    );
    expect(notes).toEqual([
      '5 frames in, 0 sent',
      '2 frames left out: vxlan0/192.0.2.2 is a remote, whose frames lack their outer headers; at vxlan0 frames are taken with their outer headers alone',
      '1 frame left out: there is no port h1/tap1; capture the switch h1 alone, without --lab',
      '1 frame left out: there is no port h1/vxlan0/192.0.2.2; capture the switch h1 alone, without --lab',
      '1 frame left out: there is no port ; name the port of its frames by -i',
    ]);
  });

  it('are told up to a bound', async () => {
    const many = Array.from({ length: 60 }, (_, n) => [`x${n}`, 0, ping] as const);
    const { notes } = await replayed(capture(many));
    expect(notes).toHaveLength(52);
    expect(notes.at(-1)).toBe('10 frames left out: other reasons');
  });
});

describe('packets that a port sent', () => {
  const sent = (port: string, ms: number, data: Uint8Array): Uint8Array =>
    concatBytes(
      interfaceBlock({ name: port, linkType: 1, snaplen: 0 }),
      packetBlock({
        ...{ interface: port === 'tap1' ? 0 : 1, time: START + BigInt(ms) * 1_000_000n, data, length: data.length },
        flags: OUTBOUND,
      }),
    );

  it('come from no guest: they are left out, except those of a tunnel, which its peer receives', async () => {
    const given = concatBytes(sectionBlock({}), sent('tap1', 0, pong), sent('vxlan0', 1, fromRemote(pong)));
    const { lines, notes } = await replayed(given, { ndjson: true });
    expect(lines.map((line) => (JSON.parse(line) as { skipped?: string; verdict?: string }).skipped)).toEqual([
      'tap1 sent it',
      undefined,
    ]);
    expect(notes).toEqual(['2 frames in, 2 sent', '1 frame left out: tap1 sent it']);
  });

  it("are taken in at a port that is named for them: the capture is then the other end's", async () => {
    const guest = concatBytes(
      sectionBlock({}),
      interfaceBlock({ name: 'eth0', linkType: 1, snaplen: 0 }),
      packetBlock({ interface: 0, time: START, data: ping, length: ping.length, flags: OUTBOUND }),
    );
    expect((await replayed(guest, { port: 'tap1' })).notes).toEqual(['1 frame in, 2 sent']);
  });
});

describe('capture files', () => {
  const record = '00f15365' + '40420f00' + '0e000000' + '0e000000' + '02000000000b02000000000a88b5';

  it('are read in the old format too, in both byte orders', () => {
    writeFileSync(at('le.pcap'), fromHex(`d4c3b2a1020004000000000000000000ffff000001000000${record}`));
    const old = [...capturedFrames(at('le.pcap'))].map(({ bytes, ...rest }) => ({
      ...rest,
      bytes: Uint8Array.from(bytes),
    }));
    expect(old).toEqual([
      {
        number: 1,
        bytes: fromHex(record.slice(32)),
        length: 14,
        time: 1_700_000_000n * 1_000_000_000n + 1_000_000_000n,
      },
    ]);
    const big = `6553f100000000050000000e0000000e${record.slice(32)}`;
    writeFileSync(at('be.pcap'), fromHex(`a1b23c4d0002000400000000000000000000ffff00000001${big}`));
    expect([...capturedFrames(at('be.pcap'))][0].time).toBe(1_700_000_000_000_000_005n);
  });

  it('say what is wrong with them', () => {
    writeFileSync(at('cut.pcap'), fromHex(`d4c3b2a1020004000000000000000000ffff000001000000${record.slice(0, -2)}`));
    expect(() => [...capturedFrames(at('cut.pcap'))]).toThrow('cut.pcap: byte 24: the file ends within frame 1');
    writeFileSync(at('text'), 'no capture at all, but some text');
    expect(() => [...capturedFrames(at('text'))]).toThrow('this is neither a pcapng nor a pcap file');
    expect(() => [...capturedFrames(at('none'))]).toThrow(CaptureError);
    writeFileSync(at('one.pcapng'), capture([['tap1', 0, ping]]));
    expect(() => capturedFrame(at('one.pcapng'), 2)).toThrow('there is no frame 2; it has 1');
  });

  it('are not read from what has no end', () => {
    expect(() => [...capturedFrames('/dev/zero')]).toThrow('/dev/zero: this is neither a pcapng nor a pcap file');
  });

  it('may come from a pipe, in pieces of any size', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    const given = capture([0, 1, 2].map((ms) => ['tap1', ms, ping]));
    writeFileSync(at('whole'), given);
    const writer = spawn('dd', [`if=${at('whole')}`, `of=${at('pipe')}`, 'bs=7'], { stdio: 'ignore' });
    const ended = new Promise((resolve) => writer.once('exit', resolve));
    expect([...capturedFrames(at('pipe'))].map(({ number }) => number)).toEqual([1, 2, 3]);
    await ended;
  });
});
