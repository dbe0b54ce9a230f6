import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { watchOutput } from '../../src/cli/broken-pipe.js';
import { COMMANDS, LATER_COMMANDS } from '../../src/cli/catalog.js';
import { overtap } from './harness.js';

/** Asserts one line on stderr, nothing on stdout, exit status 2. */
async function usageError(argv: string[], message: string): Promise<void> {
  const { status, out, err } = await overtap(argv);
  expect({ argv, status, out, err }).toEqual({ argv, status: 2, out: '', err: `overtap: ${message}\n` });
}

describe('help', () => {
  it('is what the program prints on its own', async () => {
    const alone = await overtap([]);
    expect(alone.status).toBe(0);
    expect(alone.err).toBe('');
    expect(alone.out).toContain('Usage: overtap [options] COMMAND ...');
    expect(alone.out).toContain('Exit status: 0 done; 1 refused by the switch; 2 usage or configuration; 3 no switch');
    expect(await overtap(['--help'])).toEqual(alone);
    expect(await overtap(['help'])).toEqual(alone);
  });

  it('lists the commands of this version only', async () => {
    const { out } = await overtap([]);
    for (const { name, summary } of COMMANDS) expect(out).toMatch(new RegExp(`^ {2}${name} +${summary}$`, 'm'));
    for (const name of LATER_COMMANDS) expect(out).not.toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
  });

  it.each(COMMANDS.map(({ name }) => name))('of %s has usage, the global options and an example', async (name) => {
    const help = await overtap([name, '--help']);
    expect(help.status).toBe(0);
    expect(help.err).toBe('');
    expect(help.out).toContain(`Usage: overtap ${name} `);
    expect(help.out).toContain('--json');
    expect(help.out).toMatch(/Examples?:\n {2}overtap /);
    expect(await overtap(['help', name])).toEqual(help);
  });

  it.each(['fdb', 'vlan', 'link', 'neigh', 'mdb', 'monitor', 'lab'])(
    'can be asked of %s in the manner of iproute2',
    async (name) => {
      expect(await overtap([name, 'help'])).toEqual(await overtap([name, '--help']));
    },
  );

  it('fits a terminal of 120 columns', async () => {
    for (const name of [...COMMANDS.map((spec) => spec.name), 'help']) {
      const { out } = await overtap(['help', name]);
      for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
    }
  });
});

describe('version', () => {
  it('is that of package.json', async () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await overtap(['--version'])).toEqual({ status: 0, out: `${manifest.version}\n`, err: '' });
  });
});

describe('usage errors', () => {
  it('names what was perhaps meant', async () => {
    await usageError(['fbd'], `unknown command 'fbd'; did you mean fdb? (see "overtap --help")`);
    await usageError(['fdb', '--jso'], `unknown option '--jso'; did you mean --json? (see "overtap fdb --help")`);
    await usageError(['zzz'], `unknown command 'zzz' (see "overtap --help")`);
    await usageError(['help', 'zzz'], `unknown command 'zzz' (see "overtap --help")`);
  });

  it('names what is missing or too much', async () => {
    await usageError(['run'], `required option '-c, --config <FILE>' not specified (see "overtap run --help")`);
    await usageError(['check', '-c'], `option '-c, --config <FILE>' argument missing (see "overtap check --help")`);
    await usageError(['-s', '', 'fdb'], '-s needs the path of a control socket');
    await usageError(['stats', 'a', 'b'], '"stats": "b" is one too many; it takes [dev LINK] [LINK]');
    await usageError(['fdb', 'show', 'state', 'stale'], '"state" takes dynamic, static, permanent or all, not "stale"');
    await usageError(['vlan', 'show', 'vid', '4095'], '"vid" takes a number from 1 to 4094, not "4095"');
    await usageError(['fdb', 'show', 'vni', '16777216'], '"vni" takes a number from 1 to 16777215, not "16777216"');
  });

  it.each(LATER_COMMANDS)('says that %s is not available', async (name) => {
    await usageError([name, 'add', '-c', 'x', '--dry-run', '--help'], `"${name}" is not available in this version`);
    await usageError(['help', name], `"${name}" is not available in this version`);
  });
});

describe('output that cannot be written', () => {
  it('is a fault for the end to tell, unless its reader has gone', () => {
    const stream = new EventEmitter();
    const output = watchOutput(stream);
    expect(stream.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))).toBe(true);
    expect(output.fault).toBeUndefined();
    const full = Object.assign(new Error('disk full'), { code: 'ENOSPC' });
    stream.emit('error', full);
    stream.emit('error', Object.assign(new Error('later'), { code: 'EIO' }));
    expect(output.fault).toBe(full);
  });
});
