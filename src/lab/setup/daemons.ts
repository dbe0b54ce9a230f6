/**
 * Owns the daemons of a lab beside its switches, such as FRR's bgpd: finding, starting and ending them, and keeping them in the lab's state. A
 * daemon has a folder in that of the lab, and leaves nothing elsewhere. What it is told is up to the lab.
 */
import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, type Started, startDetached, stopProcess } from '../testbed/detached.js';
import { LabError } from '../testbed/errors.js';
import { must, run } from '../testbed/program.js';
import { inNamespace } from '../testbed/testbed.js';
import { waitUntil } from '../testbed/wait.js';
import type { LabEnvironment } from './environment.js';
import { type DaemonRecord, type LabState, labFolder, saveState } from './state.js';

const READY_LIMIT_MS = 20_000;

/** A program that a lab needs, and the package of Debian that has it. */
export interface Tool {
  readonly path: string;
  readonly package: string;
}

export interface Daemon {
  readonly name: string;
  readonly netns: string;
  /** What has to be installed. */
  readonly tools: readonly Tool[];
  /** Name of its folder, which daemons may share. */
  readonly folder: string;
  /** Whose folder it is, with a group of the same name; absent: root's. */
  readonly user?: string;
  /** Its configuration, in its folder. `-f` and the path of it are words of its command line, by which it is known. */
  readonly file: string;
  readonly text: string;
  /** The command line without `-f FILE`. @param folder its path */
  command(folder: string): readonly string[];
  /** A command in its namespace that ends with 0 once it answers. */
  question(folder: string): readonly string[];
}

/**
 * A daemon must not write to /run and /var/tmp: it has both to itself, in the mount namespace that `ip netns exec` makes. Its own folder,
 * which may be in /run, is bound to its place by the working directory, since mount(8) would resolve the path to the new, empty one.
 */
const ALONE =
  'cd "$1"; mount -t tmpfs -o size=1m,mode=755 none /run; mkdir -p "$1"; mount --no-canonicalize --bind . "$1"; ' +
  'mount -t tmpfs -o size=1m,mode=1777 none /var/tmp; cd /; shift; exec "$@"';

/** @throws LabError LAB_LACKS_TOOL with the packages that are missing */
export function needTools(
  lab: string,
  daemons: readonly Daemon[],
  isThere: (path: string) => boolean = existsSync,
): void {
  const missing = daemons.flatMap(({ tools }) => tools.filter(({ path }) => !isThere(path)));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => tool.package))].join(' ');
  const what = [...new Set(missing.map(({ path }) => path))].join(', ');
  const remedy = `apt-get install --no-install-recommends ${packages}`;
  throw new LabError('LAB_LACKS_TOOL', `lab ${lab} needs ${what}, which is missing here; on Debian: ${remedy}`);
}

/** Starts a daemon, records it in the state and waits until it answers. @throws LabError LAB_DAEMON_FAILED, LAB_TIMEOUT; Interrupted */
export async function startDaemon(
  daemon: Daemon,
  environment: LabEnvironment,
  state: LabState,
  signal?: AbortSignal,
): Promise<DaemonRecord> {
  const { name, netns, user } = daemon;
  const folder = join(labFolder(environment.root, state.lab), daemon.folder);
  const file = join(folder, daemon.file);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, daemon.text);
  if (user !== undefined) await giveTo(user, [folder, file]);
  const command = ['sh', '-ec', ALONE, 'sh', folder, ...daemon.command(folder), '-f', file];
  const record = {
    name,
    netns,
    file,
    command,
    question: [...daemon.question(folder)],
    log: join(folder, `${name}.log`),
  };
  return start({ ...record, pid: 0 }, environment, state, [], signal);
}

async function giveTo(user: string, paths: readonly string[]): Promise<void> {
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (which) => Number(await must(['id', which, user]))));
  for (const path of paths) chownSync(path, uid as number, gid as number);
  for (const path of paths) chmodSync(path, 0o755);
}

/** Starts a daemon again that a check has ended, and waits until it answers. No error if it is running. @param words further ones */
export async function daemonAgain(
  state: LabState,
  name: string,
  environment: LabEnvironment,
  words: readonly string[] = [],
  signal?: AbortSignal,
): Promise<void> {
  const record = recordOf(state, name);
  if (!isRunning(record.pid, record.file)) await start(record, environment, state, words, signal);
}

/** Ends a daemon. @returns how it ended */
export function endDaemon(
  { pid, file }: DaemonRecord,
  by: 'SIGTERM' | 'SIGKILL' = 'SIGTERM',
): Promise<'not running' | 'ended' | 'killed'> {
  return stopProcess(pid, file, by);
}

/** @throws RangeError */
export function recordOf({ daemons }: LabState, name: string): DaemonRecord {
  const record = daemons.find((one) => one.name === name);
  if (!record) throw new RangeError(`no daemon ${name} runs`);
  return record;
}

async function start(
  record: DaemonRecord,
  environment: LabEnvironment,
  state: LabState,
  words: readonly string[],
  signal: AbortSignal | undefined,
): Promise<DaemonRecord> {
  const { name, netns, command, log } = record;
  const started = await startDetached(netns, [...command, ...words], log);
  const fresh = { ...record, pid: started.pid };
  state.daemons = [...state.daemons.filter((one) => one.name !== name), fresh];
  saveState(environment.root, state);
  await waitUntil(() => answers(fresh, started), {
    what: `${name} answers: ${record.question.join(' ')}`,
    limitMs: READY_LIMIT_MS,
    everyMs: 50,
    signal,
  });
  return fresh;
}

async function answers({ name, netns, question, log }: DaemonRecord, started: Started): Promise<boolean> {
  const ending = started.ending();
  if (ending !== null) throw new LabError('LAB_DAEMON_FAILED', `${name} ${ending}; its log: ${log}`);
  return (await run(inNamespace(netns, question))).status === 0;
}
