/** The benchmark on two machines, which are two network namespaces here. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Result } from '../../src/bench/path/types.js';
import { addAddress, addNamespace, addVeth, deleteNamespace, NETNS_DIR } from '../../src/lab/testbed/namespaces.js';
import { describe as describeEnd, type Ended, must, Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';

const BENCH = fileURLToPath(new URL('../../dist/bundle/bench.js', import.meta.url));
const NEAR = `ote-${process.pid}-near`;
const FAR = `ote-${process.pid}-far`;
const ADDRESS = '192.0.2.2:7000';

/** Runs the benchmark in a "machine", in whose network it is at home. */
function start(netns: string, ...words: string[]): Program {
  return new Program(['nsenter', `--net=${NETNS_DIR}/${netns}`, process.execPath, BENCH, ...words]);
}

describe('the benchmark on two machines', () => {
  const folder = mkdtempSync(join(tmpdir(), 'overtap-peer-'));
  let far: Program;
  let token: string;

  beforeAll(async () => {
    for (const netns of [NEAR, FAR]) await addNamespace(netns, { ipv6: false });
    await addVeth({ netns: NEAR, ifname: 'eth0' }, { netns: FAR, ifname: 'eth0' });
    await addAddress({ netns: NEAR, ifname: 'eth0' }, '192.0.2.1/24');
    await addAddress({ netns: FAR, ifname: 'eth0' }, '192.0.2.2/24');
    far = start(FAR, 'far-end', '--listen', ADDRESS);
    await until('the far end listens', () => far.errors.includes('--token '), 20_000);
    const printed = /^on the other machine: overtap bench --peer 192\.0\.2\.2:7000 --token ([0-9a-f]{32})$/m;
    token = printed.exec(far.errors)?.[1] ?? '';
  });

  afterAll(async () => {
    await far?.end('SIGINT');
    for (const netns of [NEAR, FAR]) await deleteNamespace(netns);
    rmSync(folder, { recursive: true, force: true });
  });

  const near = async (...words: string[]): Promise<Ended> => {
    const program = start(NEAR, '--quick', '--peer', ADDRESS, ...words);
    try {
      return await program.ended;
    } finally {
      await program.end('SIGTERM');
    }
  };

  it('refuses a wrong token, and whatever is no request', async () => {
    const ended = await near('--token', '0'.repeat(32));
    expect(ended.status, describeEnd(ended)).toBe(1);
    expect(ended.stderr).toContain('overtap bench: the far end: the token is wrong');
    const say = `const s = require('net').connect(7000, '192.0.2.2', () => s.write(process.argv[1] + '\\n')); s.pipe(process.stdout)`;
    const answer = (text: string): Promise<string> =>
      must(['nsenter', `--net=${NETNS_DIR}/${NEAR}`, process.execPath, '-e', say, text]);
    expect(await answer('{"op":"attach","variant":"floor"}')).toBe('{"error":"the token is wrong"}\n');
    expect(await answer(`{"op":"attach","variant":"floor; reboot"}`)).toBe('{"error":"no such request"}\n');
    expect(await answer('x'.repeat(5000))).toBe('{"error":"the other end sent too long a line"}\n');
    expect(await answer('nonsense')).toBe('{"error":"no such request"}\n');
  });

  it.each(cases(['floor', 'overtap'], 1))('measures %s from guest to guest, and leaves nothing', async (variant) => {
    const file = join(folder, `${variant}.json`);
    const words = ['--token', token, '--variants', variant, '--only', 'frames,latency', '--json', file];
    const ended = await near(...words);
    expect(existsSync(file), describeEnd(ended)).toBe(true);
    const { samples, failures } = JSON.parse(readFileSync(file, 'utf8')) as Result;
    expect(failures).toEqual([]);
    expect(samples.map(({ column, measure }) => `${column} ${measure}`)).toEqual([
      'P frames64',
      'P p50',
      'P p99',
      'P p99.9',
    ]);
    for (const { value } of samples) expect(value).toBeGreaterThan(0);
    expect(ended.stdout).toMatch(/^Two machines: /m);
    expect(readdirSync(NETNS_DIR).filter((name) => name.includes('overtap-bench-'))).toEqual([]);
    for (const netns of [NEAR, FAR]) {
      const links = JSON.parse(await must(['ip', '-json', '-n', netns, 'link'])) as { ifname: string }[];
      expect(links.map(({ ifname }) => ifname)).toEqual(['lo', 'eth0']);
    }
  });
});
