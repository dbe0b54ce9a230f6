import { existsSync } from 'node:fs';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { addNamespace, namespaceExists } from '../../../src/lab/testbed/namespaces.js';
import { must, Program, run } from '../../../src/lab/testbed/program.js';
import { sweep, Testbed } from '../../../src/lab/testbed/testbed.js';
import { until } from '../../../src/lab/testbed/wait.js';
import { needRoot } from '../lab-support.js';

const PREFIX = 'ott';
let bed: Testbed;

beforeAll(needRoot);
afterEach(() => bed?.takeDown());

describe('a test bed', () => {
  test('removes its namespaces, programs and folder', async () => {
    bed = new Testbed(PREFIX);
    const name = bed.nameOf('a');
    await bed.addNamespace(name);
    const { folder } = bed;
    const program = bed.start(name, ['sleep', '1000']);
    expect(await bed.run(name, ['cat', '/proc/sys/net/ipv6/conf/all/disable_ipv6'])).toBe('1\n');
    expect(namespaceExists(name)).toBe(true);
    await bed.takeDown();
    expect(namespaceExists(name)).toBe(false);
    expect(existsSync(folder)).toBe(false);
    expect(program.running).toBe(false);
  });

  test('runs nothing once it is interrupted', async () => {
    bed = new Testbed(PREFIX, { signal: AbortSignal.abort('SIGINT') });
    await expect(bed.addNamespace(bed.nameOf('a'))).rejects.toMatchObject({ code: 'LAB_INTERRUPTED' });
    expect(() => bed.start(bed.nameOf('a'), ['true'])).toThrow(/interrupted by SIGINT/);
  });

  test('sweep removes the remains of ended runs, and nothing else', async () => {
    const ended = new Program(['true']);
    const { pid } = ended;
    await ended.ended;
    bed = new Testbed(PREFIX);
    const [left, own] = [`${PREFIX}-${pid}-left`, bed.nameOf('own')];
    await addNamespace(left);
    await bed.addNamespace(own);
    await sweep(PREFIX);
    expect([namespaceExists(left), namespaceExists(own)]).toEqual([false, true]);
  });
});

describe('a program', () => {
  test('has lines, an end and errors', async () => {
    const program = new Program(['sh', '-c', 'echo one; echo two >&2; sleep 1000'], { ownSession: true });
    expect(await program.line('a line', () => true)).toBe('one');
    await expect(program.line('another', (line) => line === 'two', 10)).rejects.toThrow('another: not within 0.01 s');
    const { ended } = await program.stop('SIGTERM');
    expect(ended).toMatchObject({ status: null, signal: 'SIGTERM', stdout: 'one\n', stderr: 'two\n' });
    program.signal('SIGKILL');
    await expect(program.line('another', () => false)).rejects.toThrow(/the program ended first/);
  });

  test('that ignores the signal is killed with its children', async () => {
    const program = new Program(['sh', '-c', 'trap "" TERM; echo ready; sleep 1000'], { ownSession: true });
    await program.line('it is ready', (line) => line === 'ready');
    await program.end();
    expect((await program.ended).signal).toBe('SIGKILL');
  });

  test('has a time limit', async () => {
    await expect(new Program(['sleep', '1000'], { ownSession: true }).toEnd(20)).rejects.toThrow(/not within 0.02 s/);
    await expect(run(['sleep', '1000'], { limitMs: 20 })).rejects.toMatchObject({ code: 'LAB_TIMEOUT' });
  });

  test('ends at once when the work is interrupted, with its children', async () => {
    const controller = new AbortController();
    const mark = `1000.${process.pid}`;
    const running = must(['sh', '-c', `sleep ${mark}; true`], { signal: controller.signal });
    const lives = async (): Promise<boolean> => (await run(['pgrep', '-f', `^sleep ${mark}$`])).status === 0;
    await until('the child runs', lives);
    controller.abort('SIGINT');
    await expect(running).rejects.toMatchObject({ code: 'LAB_INTERRUPTED' });
    await until('the child has ended', async () => !(await lives()));
  });

  test('that does not exist is named in the error, also in a shell', async () => {
    await expect(must(['overtap-no-such-program'])).rejects.toThrow('`overtap-no-such-program` command is missing');
    const inShell = must(['sh', '-c', 'ip2 netns add x'], { name: 'ip netns add x' });
    await expect(inShell).rejects.toThrow('ip netns add x: the `ip2` command is missing');
  });
});

test('the lines of much output take no more memory than the output', async () => {
  const before = process.memoryUsage().heapUsed;
  const program = new Program([
    process.execPath,
    '-e',
    `process.stdout.write(('x'.repeat(79) + '\\n').repeat(250_000))`,
  ]);
  const { stdout } = await program.ended;
  expect(program.lines.length).toBe(250_000);
  expect(stdout.length).toBe(20_000_000);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(500_000_000);
});
