import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { Rooms } from '../../src/cli/context.js';
import { SwitchUnreachable } from '../../src/client/client.js';
import type { CheckedDocument } from '../../src/config/load.js';
import { Interrupted } from '../../src/lab/testbed/errors.js';
import { parseWeather, weatherLines } from '../../src/lab/weather/words.js';
import { type CliResult, overtap, scratch } from './harness.js';

const folder = scratch();
afterAll(() => folder.remove());

/** A file of the scratch folder with this text. */
function file(name: string, text: string): string {
  writeFileSync(folder.file(name), text);
  return folder.file(name);
}

const GOOD = `name: host1
control: /run/overtap/host1.sock
bridges:
  br1:
    ports:
      tap1: { type: tap }
      tap2: { type: tap }
`;
const BAD = `name: host1
bridges:
  br1:
    colour: red
    ports:
      tap1: { type: tap, vlans: [{ vid: 4095 }] }
`;

describe('check', () => {
  it('says in one line that a file is right', async () => {
    const path = file('good.yaml', GOOD);
    expect(await overtap(['check', '-c', path])).toEqual({
      status: 0,
      out: `${path}: ok: 1 bridge, 2 ports\n`,
      err: '',
    });
    const json = await overtap(['check', '--config', path, '--json']);
    expect(json).toEqual({ status: 0, out: '{"ok":true,"faults":[]}\n', err: '' });
  });

  it('shows all faults, with status 2', async () => {
    const path = file('bad.yaml', BAD);
    const { status, out, err } = await overtap(['check', '-c', path]);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    const lines = err.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain(`${path}:4:5: bridges.br1.colour: `);
    expect(lines[1]).toContain(`${path}:6:`);
    expect(lines[1]).toContain(': bridges.br1.ports.tap1.vlans[0].vid: ');

    const json = await overtap(['check', '-c', path, '--json']);
    expect({ status: json.status, err: json.err }).toEqual({ status: 2, err: '' });
    expect(JSON.parse(json.out)).toMatchObject({
      ok: false,
      faults: [
        { file: path, line: 4, column: 5, path: 'bridges.br1.colour' },
        { file: path, line: 6, path: 'bridges.br1.ports.tap1.vlans[0].vid' },
      ],
    });
  });

  it('tells of a file that cannot be read', async () => {
    const path = folder.file('none.yaml');
    const { status, err } = await overtap(['check', '-c', path]);
    expect(status).toBe(2);
    expect(err).toContain(`${path}:1:1: `);
  });
});

describe('run', () => {
  /** Runs with a daemon that notes what it is given and ends with `status`. */
  async function run(argv: string[], status = 0, env = {}): Promise<{ result: CliResult; given: unknown[] }> {
    const given: unknown[] = [];
    const runDaemon = async ({ config }: CheckedDocument, { logLevel }: { logLevel: string }): Promise<number> => {
      given.push({ name: config.name, control: config.control, ports: config.bridges[0]?.ports.length, logLevel });
      return status;
    };
    const result = await overtap(['run', ...argv], env, { daemon: async () => ({ runDaemon }) });
    return { result, given };
  }

  it('hands the configuration to the daemon and ends as it does', async () => {
    const path = file('good.yaml', GOOD);
    const host1 = { name: 'host1', control: '/run/overtap/host1.sock', ports: 2, logLevel: 'info' };
    expect(await run(['-c', path])).toEqual({ result: { status: 0, out: '', err: '' }, given: [host1] });
    expect((await run(['-c', path], 1)).result.status).toBe(1);
    expect((await run(['-c', path, '--log-level', 'debug'])).given).toEqual([{ ...host1, logLevel: 'debug' }]);
  });

  it('lets -s, but not the environment, name another socket than the file', async () => {
    const path = file('good.yaml', GOOD);
    expect((await run(['-c', path, '-s', '/tmp/x.sock'])).given).toMatchObject([{ control: '/tmp/x.sock' }]);
    const env = { OVERTAP_CONTROL: '/tmp/y.sock' };
    expect((await run(['-c', path], 0, env)).given).toMatchObject([{ control: '/run/overtap/host1.sock' }]);
  });

  it('shows the faults that check shows, and starts nothing', async () => {
    const path = file('bad.yaml', BAD);
    const { result, given } = await run(['-c', path]);
    expect(given).toEqual([]);
    expect(result).toEqual(await overtap(['check', '-c', path]));
  });

  it('refuses an unknown log level', async () => {
    const { result, given } = await run(['-c', 'x', '--log-level', 'loud']);
    expect(given).toEqual([]);
    expect(result.status).toBe(2);
    expect(result.err).toBe(
      `overtap: option '--log-level <LEVEL>' argument 'loud' is invalid. Allowed choices are trace, debug, info, warn, error, fatal (see "overtap run --help")\n`,
    );
  });
});

describe('lab', () => {
  type LabRoom = Awaited<ReturnType<Rooms['lab']>>;
  const calls: string[] = [];
  const step =
    <T>(verb: string, answer: T) =>
    async (name: string, print: (line: string) => void): Promise<T> => {
      calls.push(`${verb} ${name}`);
      print(`${verb}: ${name}`);
      if (name === 'broken') throw new Error('ip: not found; install iproute2');
      if (name === 'interrupted') throw new Interrupted('SIGINT');
      if (name === 'silent') throw new SwitchUnreachable('no switch answers on /x');
      return name === 'wrong' && typeof answer === 'boolean' ? (false as T) : answer;
    };
  let up: ReturnType<LabRoom['labsUp']> = [];
  const room: LabRoom = {
    gradeLab: async () => ({ isUp: false, solved: false }),
    labSwitches: () => [],
    connectInLab: () => {
      throw new Error('no lab is up');
    },
    labs: ['good', 'wrong', 'broken', 'silent', 'interrupted'].map((name) => ({ name, summary: `the ${name} one` })),
    labsUp: () => up,
    isLabFile: (word) => word.endsWith('.yaml'),
    labNameOf: (word) => word,
    labWith: async () => 'good',
    labShell: async (name, guest, command) => {
      throw new Error(`shell ${name} ${guest} ${command.join(' ')}`);
    },
    labGraph: async (word) => `<svg>${word}</svg>\n`,
    labNew: (name) => `${name}.yaml`,
    labWeather: async (name, request) => {
      calls.push(`weather ${name} ${JSON.stringify(request)}`);
      return [];
    },
    parseWeather,
    weatherLines,
    goRootless: () => undefined,
    labUp: step('up', undefined),
    labDown: step('down', undefined),
    labCheck: step('check', true),
    labRun: step('run', true),
    labSite: async () => ({ switches: [], guests: [] }),
    isInOwnNamespaces: () => false,
    sendInto: () => async () => undefined,
  };
  const lab = (...words: string[]): Promise<CliResult> => overtap(['lab', ...words], {}, { lab: async () => room });

  it('lists, also when nothing else is asked', async () => {
    const names = ['good', 'wrong', 'broken', 'silent', 'interrupted'];
    const out = names.map((name) => `${name.padEnd(11)}  the ${name} one\n`).join('');
    expect(await lab('list')).toEqual({ status: 0, out, err: '' });
    expect(await lab()).toEqual({ status: 0, out, err: '' });
    expect(JSON.parse((await lab('list', '--json')).out)).toEqual(room.labs);
  });

  it('says which are up, and for how long', async () => {
    up = [
      { name: 'good', summary: 'the good one', age: 7300 },
      { name: 'mine', summary: 'of a file', age: 61 },
    ];
    try {
      const { out } = await lab('list');
      expect(out.split('\n')[0]).toBe('good         up 2 h   the good one');
      expect(out.trimEnd().split('\n').at(-1)).toBe('mine         up 61 s  of a file');
      const rows: unknown[] = JSON.parse((await lab('list', '--json')).out);
      expect(rows[0]).toEqual({ name: 'good', summary: 'the good one', up: true, age: 7300 });
      expect(rows[1]).toEqual({ name: 'wrong', summary: 'the wrong one' });
      expect(await lab('down', 'mine')).toEqual({ status: 0, out: 'down: mine\n', err: '' });
    } finally {
      up = [];
    }
  });

  it('takes a file in place of a name, a guest, and the words of a weather', async () => {
    calls.length = 0;
    expect(await lab('up', 'x.yaml')).toEqual({ status: 0, out: 'up: x.yaml\n', err: '' });
    expect((await lab('shell', 'alice', '--', 'ip', '-br', 'a')).err).toBe('overtap: shell good alice ip -br a\n');
    expect((await lab('shell', 'alice', '--lab', 'mine')).err).toBe('overtap: shell mine alice \n');
    expect((await lab('graph', 'good')).out).toBe('<svg>good</svg>\n');
    await lab('weather', 'alice', 'loss', '1%', 'from', 'h1', '--lab', 'mine');
    const request = { op: 'set', link: 'alice', from: 'h1', weather: { loss: 0.01 }, clear: false };
    expect(calls).toEqual(['up x.yaml', `weather mine ${JSON.stringify(request)}`]);
    expect((await lab('up', 'good', '--lab', 'mine')).status).toBe(2);
  });

  it.each(['up', 'check', 'down', 'run'])('hands %s over and prints its lines', async (verb) => {
    calls.length = 0;
    expect(await lab(verb, 'good')).toEqual({ status: 0, out: `${verb}: good\n`, err: '' });
    expect(calls).toEqual([`${verb} good`]);
  });

  it('ends with 1 when a proof or a step fails, with 3 when its switch is silent', async () => {
    expect((await lab('check', 'wrong')).status).toBe(1);
    expect((await lab('run', 'wrong')).status).toBe(1);
    expect(await lab('up', 'broken')).toEqual({
      status: 1,
      out: 'up: broken\n',
      err: 'overtap: ip: not found; install iproute2\n',
    });
    expect((await lab('check', 'silent')).status).toBe(3);
  });

  it.each(['up', 'check', 'run'])('ends %s with 130 after Ctrl-C, as a shell reports SIGINT', async (verb) => {
    const err = 'overtap: interrupted by SIGINT\n';
    expect(await lab(verb, 'interrupted')).toEqual({ status: 130, out: `${verb}: interrupted\n`, err });
  });

  it('says which labs there are', async () => {
    calls.length = 0;
    const names = 'good, wrong, broken, silent, interrupted';
    const wrong: [string[], string][] = [
      [['up'], `"lab up" needs the name of a lab: ${names}`],
      [['up', 'x'], `unknown lab "x"; the labs are: ${names}; or give the path of a lab file`],
      [['down', 'goood'], 'unknown lab "goood"; did you mean "good"?'],
      [['up', 'good', 'more'], '"more" is one too many; usage: overtap lab up NAME'],
      [['list', 'good'], '"good" is one too many; usage: overtap lab list'],
      [
        ['start', 'good'],
        `"lab" has no command "start"; there is ${['list', 'up', 'check', 'down', 'run', 'shell', 'graph', 'weather', 'new'].map((verb) => `"overtap lab ${verb}"`).join(', ')}`,
      ],
    ];
    for (const [words, message] of wrong) {
      expect(await lab(...words)).toEqual({ status: 2, out: '', err: `overtap: ${message}\n` });
    }
    expect(calls).toEqual([]);
  });
});

describe('an error of the program itself', () => {
  it('is told as one, with its place', async () => {
    const daemon = async (): Promise<never> => {
      throw new TypeError('x is not a function');
    };
    const { status, err } = await overtap(['run', '-c', file('good.yaml', GOOD)], {}, { daemon });
    expect(status).toBe(1);
    expect(err).toMatch(/^overtap: internal error; please report it:\nTypeError: x is not a function\n {4}at /);
  });
});
