/**
 * A switch under test: its process, its log, and what the command line shows of it, with types.
 */
import { fileURLToPath } from 'node:url';
import type { FdbRow, LinkRow, StatsAnswer, TunnelRow, VlanRow } from '../../src/api/api.js';
import { main } from '../../src/cli/program.js';
import { createClient } from '../../src/client/client.js';
import { describe, type Ended, type Program, run } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';

export const OVERTAP = fileURLToPath(new URL('../../bin/overtap', import.meta.url));
const READY_LIMIT_MS = 60_000;
/** A fifth of a second in which nothing changes. */
const READINGS_AT_REST = 10;

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [key: string]: unknown;
}

/** The command line that runs a switch. */
export function switchCommand(config: string): string[] {
  return [process.execPath, OVERTAP, 'run', '-c', config];
}

/** Runs a command of overtap to its end, as the program that users run. */
export function overtap(...words: string[]): Promise<Ended> {
  return run([process.execPath, OVERTAP, ...words]);
}

/**
 * Runs a command of overtap within this process, its words and its output being what `overtap` has. A start of Node
 * takes ten times as long as the command: this is for what a test reads or sets on its way, again and again.
 */
export async function command(...words: string[]): Promise<Ended> {
  const [stdout, stderr] = [new Printed(), new Printed()];
  const status = await main(words, { stdout, stderr, env: {} });
  return { status, signal: null, stdout: stdout.text, stderr: stderr.text };
}

class Printed {
  text = '';

  write(text: string): void {
    this.text += text;
  }
}

export class RunningSwitch {
  constructor(
    readonly program: Program,
    readonly control: string,
  ) {}

  /** Waits until every port forwards. */
  async ready(): Promise<void> {
    const isReady = (line: string): boolean => parseLog(line)?.msg === 'ready';
    await this.program.line('the switch logs "ready"', isReady, READY_LIMIT_MS);
  }

  /** The log so far. */
  log(): LogLine[] {
    return this.program.lines.flatMap((line) => parseLog(line) ?? []);
  }

  /** Waits for a line of the log. */
  logged(what: string, accept: (line: LogLine) => boolean): Promise<LogLine> {
    return until(`${what}; the log is:\n${this.program.lines.join('\n')}`, () => this.log().find(accept));
  }

  /** Parsed output of `overtap --json`; the words as on the command line, separated by blanks. */
  async json<T>(words: string): Promise<T> {
    const ended = await command('-s', this.control, '--json', ...words.split(' '));
    if (ended.status !== 0) throw new Error(`overtap ${words}: ${describe(ended)}`);
    return JSON.parse(ended.stdout) as T;
  }

  fdb(words = ''): Promise<FdbRow[]> {
    return this.json(`fdb show ${words}`.trimEnd());
  }

  links(): Promise<LinkRow[]> {
    return this.json('link show');
  }

  vlans(): Promise<VlanRow[]> {
    return this.json('vlan show');
  }

  tunnels(): Promise<TunnelRow[]> {
    return this.json('vlan tunnelshow');
  }

  stats(): Promise<StatsAnswer> {
    return this.json('stats');
  }

  /** Ends it with a signal. @returns how long that took, in milliseconds */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ ended: Ended; ms: number }> {
    return this.program.stop(signal);
  }
}

function parseLog(line: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'msg' in value ? (value as LogLine) : undefined;
  } catch {
    return undefined; // no line of the log
  }
}

/**
 * Frames in: received, and the copies that flooding made of them. Frames out: transmitted or dropped, each once. What ports
 * had counted that are no more is among either. The two are equal in a switch at rest.
 */
export function accounts(stats: StatsAnswer): { in: number; out: number } {
  const links = Object.values(stats.links);
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
  const { retired } = stats;
  return {
    in: sum(links.map((link) => link.rx_packets)) + retired.rx_packets + stats.replicated,
    out:
      sum(links.map((link) => link.tx_packets)) +
      retired.tx_packets +
      sum(Object.values(stats.drops).concat(Object.values(retired.drops))),
  };
}

/**
 * Reads the accounts until several readings agree, since frames may still be on their way. It asks the control socket itself: a
 * program that does so takes half a second to start, and nothing is asked for more often.
 */
export async function settledStats(sw: RunningSwitch): Promise<StatsAnswer> {
  const client = createClient(sw.control);
  let before = '';
  let equal = 0;
  return await until('the counters come to rest', async () => {
    const stats = await client.get('/v1/stats');
    const now = JSON.stringify(stats.links);
    equal = now === before ? equal + 1 : 0;
    before = now;
    return equal >= READINGS_AT_REST ? stats : undefined;
  });
}
