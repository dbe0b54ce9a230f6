/**
 * Labs of files by the command line: up, everything that `up` says to try, checks, shells, weather whose losses are counted exactly, down.
 * They have a folder of their own (OVERTAP_USER_FOLDER), so that other labs may be up meanwhile.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { describe as described, type Ended, Program, run } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import type { DirectionRow } from '../../src/lab/weather/protocol.js';
import { openCapture } from '../../src/port/capture.js';
import { readPcapng } from '../../src/wire/pcapng-reader.js';
import { cases } from '../long.js';
import { OVERTAP } from './switch.js';

const NAME = `t${process.pid}-file`;
const PREFIX = `ovt-${NAME}`;
const FOLDER = mkdtempSync(join(tmpdir(), 'overtap-labs-'));
const FILE = join(FOLDER, 'mine.yaml');
const LIMIT_MS = 90_000;
/** An EtherType for experiments (IEEE 802, table of local ones). */
const ETHERTYPE = 0x88b5;

const PROGRAM = ['env', `OVERTAP_USER_FOLDER=${FOLDER}`, process.execPath, OVERTAP];

function lab(...words: string[]): Promise<Ended> {
  return run([...PROGRAM, 'lab', ...words], { limitMs: LIMIT_MS });
}

async function done(...words: string[]): Promise<string> {
  const ended = await lab(...words);
  expect(ended.status, described(ended)).toBe(0);
  return ended.stdout;
}

const named = (): string[] => readdirSync('/run/netns').filter((name) => name.startsWith(PREFIX));

function expectNothingLeft(): void {
  expect(named()).toEqual([]);
  expect(existsSync(join(FOLDER, 'lab'))).toBe(false);
  const running = readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${FOLDER}/lab/`);
    } catch {
      return false; // ended meanwhile
    }
  });
  expect(running).toEqual([]);
}

/** A lab of this test. @param rest below hosts */
function write(rest: string, hosts = 'h1: {}, h2: {}'): void {
  writeFileSync(FILE, `lab: ${NAME}\nsummary: of a test\nhosts: { ${hosts} }\n${rest}`);
}

afterEach(async () => {
  await lab('down', NAME);
});
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

test('a file is built, explored as it says, checked, and taken down', async () => {
  write(`guests:
  alice: { host: h1, address: 10.0.10.1/24, vlan: 10 }
  bob: { host: h2, address: 10.0.10.2/24, vlan: 10 }
  carol: { host: h2, address: 10.0.20.2/24, vlan: 20 }
weather:
  - { link: bob, delay: 2ms, jitter: 1ms }
  - { link: h1 }
checks:
  - ping:  { from: alice, to: bob }
  - not ping: { from: alice, to: carol }
  - broadcast once: { from: alice, to: [bob], not: [carol] }
  - wire carries: { at: h1, segments: [{ vni: 10, guests: [alice, bob] }] }
  - mtu: { is: 1450 }
  - { claim: the other way, fdb: { host: h1, via: h2, segments: [{ vni: 10, vlan: 10, guests: [bob] }] } }
  - tcp: { from: bob, to: alice, bytes: 300000 }
`);
  const up = await done('up', FILE);
  expect(up).toContain('  alice 10.0.10.1 ----- h1 192.0.2.1 ===+');
  expect(up).toContain('  bob    10.0.10.2/24 on eth0 (02:00:00:00:02:01), at h2');
  const tries = /Things to try:\n((?: {2}overtap .*\n)+)/.exec(up)?.[1]?.trim().split(/\n */) ?? [];
  expect(tries).toHaveLength(5);
  await Promise.all(
    tries.map(async (line) => {
      const ended = await run([...PROGRAM, ...line.split(' ').slice(1)], { limitMs: LIMIT_MS });
      expect(ended.status, `${line}: ${described(ended)}`).toBe(0);
    }),
  );

  const check = await done('check', NAME);
  expect(check.match(/^ok/gm)).toHaveLength(8);
  expect(check).toContain('ok     the other way: 02:00:00:00:02:01 vlan 10 vni 10 dst 192.0.2.2');
  expect(await done('list')).toMatch(new RegExp(`^${NAME} +up \\d+ s +of a test$`, 'm'));
  expect(await done('graph', NAME)).toContain('vxlan0: VLAN 10 in VNI 10, 20 in VNI 20</text>');
  expect((await lab('up', FILE)).stderr).toContain('up already');

  expect(await done('shell', 'alice', '--', 'ip', '-br', 'address')).toContain('10.0.10.1/24');
  expect(await done('shell', 'bob', '--', 'sh', '-c', 'echo $OVERTAP_CONTROL')).toBe(`${FOLDER}/lab/${NAME}/h2.sock\n`);
  expect((await lab('shell', 'alice', '--', 'sh', '-c', 'exit 7')).status).toBe(7);
  const typed = ['sh', '-c', `echo 'exit 5' | ${PROGRAM.join(' ')} lab shell alice`];
  const interactive = await run(typed, { limitMs: LIMIT_MS });
  expect(interactive.status, described(interactive)).toBe(5);
  expect(interactive.stderr).toContain(`[alice@${NAME}]`);
  expect((await lab('shell', 'eve')).stderr).toContain('there are alice, bob, carol, h1, h2');

  await expectSight();
  expect(await done('down', FILE)).toBe(`lab ${NAME} is down; nothing is left\n`);
  expectNothingLeft();
});

/** All switches of the lab at once: what `log` and `capture` show of pings from alice to bob, by time, at both. */
async function expectSight(): Promise<void> {
  const path = join(FOLDER, 'lab.pcapng');
  const filter = ['ip', '10.0.10.2'];
  const watch = (...words: string[]): Promise<Ended> => run([...PROGRAM, ...words], { limitMs: LIMIT_MS });
  let isOver = false;
  const both = Promise.all([
    watch('log', '--json', '--lab', NAME, '-n', '24', ...filter),
    watch('capture', '--lab', NAME, '-w', path, '-c', '48', ...filter),
  ]).finally(() => {
    isOver = true;
  });
  while (!isOver) await done('shell', 'alice', '--', 'ping', '-c', '2', '-i', '0.2', '10.0.10.2');
  const [log, captured] = await both;
  expect([log.status, captured.status], `${described(log)} ${described(captured)}`).toEqual([0, 0]);

  const rows = log.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogRow);
  expect(rows).toHaveLength(24);
  expect(new Set(rows.map((row) => row.switch))).toEqual(new Set(['h1', 'h2']));
  const times = rows.map(({ time }) => time);
  expect(times).toEqual([...times].sort());
  const ways = rows.map((row) => `${row.switch} ${row.ingress?.port} ${row.copies.map(({ port }) => port).join()}`);
  // What h1 sends into the tunnel comes out of it at h2.
  expect(ways[ways.indexOf('h1 alice vxlan0') + 1]).toBe('h2 vxlan0 bob');
  expect(ways[ways.indexOf('h2 bob vxlan0') + 1]).toBe('h1 vxlan0 alice');

  const blocks = [...readPcapng(readFileSync(path))];
  const names = blocks.flatMap((block) => (block.type === 'interface' ? [block.name] : []));
  for (const name of ['h1/alice', 'h1/vxlan0/192.0.2.2', 'h2/vxlan0/192.0.2.1', 'h2/bob'])
    expect(names).toContain(name);
  const packets = blocks.flatMap((block) => (block.type === 'packet' ? [block] : []));
  expect(packets).toHaveLength(48);
  const stamps = packets.map(({ time = 0n }) => time);
  expect(stamps).toEqual([...stamps].sort((one, other) => Number(one - other)));
  expect(new Set(packets.map((packet) => names[packet.interface]?.split('/')[0]))).toEqual(new Set(['h1', 'h2']));
}

interface LogRow {
  time: string;
  switch: string;
  ingress?: { port: string };
  copies: { port: string }[];
}

/** The rows of a direction of the link alice. */
async function direction(from: string): Promise<DirectionRow> {
  const rows = JSON.parse(await done('weather', '--json')) as DirectionRow[];
  return rows.find((row) => row.from === from) as DirectionRow;
}

/** Whether a frame is one of this test, and its number. */
function numberIn(frame: Uint8Array): number | null {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  return frame.length >= 18 && view.getUint16(12) === ETHERTYPE ? view.getUint32(14) : null;
}

test('losses and copies are exactly those that the weather counts', async () => {
  write(
    `guests:
  alice: { host: h1, address: 10.0.0.1/24 }
  bob: { host: h1, address: 10.0.0.2/24 }
weather: [{ link: alice, limit: 20000 }]
`,
    'h1: {}',
  );
  await done('up', FILE);
  // Without IPv6 their kernels send nothing by themselves.
  const silence = 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6';
  for (const guest of ['alice', 'bob']) await done('shell', guest, '--', 'sh', '-c', silence);
  const words = 'clear loss 25% duplicate 10% delay 5ms limit 20000 seed 3';
  await done('weather', 'alice', ...words.split(' '), 'from', 'h1');
  const before = (await direction('h1')).counts;
  expect((await direction('alice')).weather.loss).toBe(0);

  const at = openCapture({ netns: `${PREFIX}-alice`, ifname: 'eth0', promiscuous: false });
  const from = openCapture({ netns: `${PREFIX}-bob`, ifname: 'eth0', promiscuous: false });
  const count = 300;
  let [all, own] = [0, 0];
  // Frames to alice, of anybody: her own have her MAC as source. A socket's buffer holds about 300.
  const read = (): void => {
    for (let frame = at.read(); frame !== null; frame = at.read()) {
      if (frame.subarray(6, 12).join() === '2,0,0,0,1,1') continue;
      all++;
      if (numberIn(frame) !== null) own++;
    }
  };
  try {
    for (let i = 0; i < count; i++) {
      const frame = new Uint8Array(60);
      frame.set([2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 2]);
      new DataView(frame.buffer).setUint16(12, ETHERTYPE);
      new DataView(frame.buffer).setUint32(14, i);
      from.write(frame);
      if (i % 50 === 49)
        await until('a part of the frames is over', async () => {
          read();
          const { received, waiting } = (await direction('h1')).counts;
          return received - before.received > i && waiting === 0;
        });
    }
    const gone = (await direction('h1')).counts;
    read();
    const since = (key: keyof typeof gone): number => gone[key] - before[key];
    expect(all).toBe(since('sent'));
    expect(since('received') + since('duplicated')).toBe(since('lost') + since('sent'));
    expect(since('queue_full') + since('undelivered')).toBe(0);
    expect(own).toBe(all);
    expect(since('received')).toBe(count);
    expect(since('lost')).toBeGreaterThan(35);
    expect(since('duplicated')).toBeGreaterThan(5);
  } finally {
    at.close();
    from.close();
  }
});

const UNDERLAYS = [
  ['pair', 'h1: {}, h2: {}', 'h1'],
  ['routed', 'h1: {}, h2: {}, h3: {}', 'h3'],
  ['segment', 'h1: {}, h2: {}, h3: {}', 'h3'],
] as const;

test.each(cases(UNDERLAYS, 0))('weather on an underlay link: %s', async (underlay, hosts, link) => {
  write(
    `underlay: ${underlay}
guests:
  alice: { host: h1, address: 10.0.0.1/24 }
  bob: { host: ${link === 'h1' ? 'h2' : link}, address: 10.0.0.2/24 }
weather: [{ link: ${link}, delay: 1ms, rate: 100mbit }]
checks:
  - ping:
  - broadcast once: { from: alice, copies: true }
  - mtu: { is: 1450 }
  - tcp: { from: alice, to: bob, bytes: 1000000 }
`,
    hosts,
  );
  const ran = await done('run', FILE);
  expect(ran).toContain('5 of 5 claims proved');
  expectNothingLeft();
});

test('Ctrl-C while the switches start leaves nothing, not the weather either', async () => {
  write('guests: { alice: { host: h1, address: 10.0.0.1/24 } }\nweather: [{ link: alice }, { link: h1 }]\n');
  const running = new Program([...PROGRAM, 'lab', 'up', FILE]);
  await running.line('weather', (line) => line.startsWith('weather '), LIMIT_MS);
  const { ended } = await running.stop('SIGINT', LIMIT_MS);
  expect(ended.status, described(ended)).toBe(130);
  expectNothingLeft();
});

test('faults of a file are shown with line and column, status 2, and nothing is made', async () => {
  write('guests: { alice: { host: h3, address: 10.0.0.1/24 } }\nchecks: [{ pong: }]\n');
  const ended = await lab('up', FILE);
  expect([ended.status, ended.stdout]).toEqual([2, '']);
  expect(ended.stderr).toBe(
    `${FILE}:4:26: guests.alice.host: there is no host "h3"; there are h1, h2\n` +
      `${FILE}:5:12: checks[0].pong: unknown check "pong"; did you mean "ping"?\n`,
  );
  writeFileSync(FILE, 'lab: two-bridges\nhosts: { h1: {} }\n');
  expect((await lab('up', FILE)).stderr).toContain('two-bridges is the name of a ready lab');
  expectNothingLeft();
});
