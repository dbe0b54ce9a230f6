/**
 * Owns a lab's folder under /run/overtap-lab, or in the user's folder: configuration files, logs and sockets of its switches, the
 * folders of its virtual machines and daemons, and state.json, which lists everything that `up` created. `down` removes exactly that, even after
 * a crash. It never touches namespaces or processes itself.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder } from '../../port/folder.js';
import { LabError } from '../testbed/errors.js';

const LAB_NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** One switch that `up` started. */
export interface SwitchRecord {
  /** The host's name, such as `h1`. */
  readonly host: string;
  readonly netns: string;
  readonly pid: number;
  readonly config: string;
  readonly socket: string;
  readonly log: string;
}

/** One virtual machine that `up` started. */
export interface MachineRecord {
  readonly name: string;
  readonly netns: string;
  readonly pid: number;
  /** Its files: console, log, socket. */
  readonly folder: string;
  /** What starts it, in its namespace. */
  readonly command: readonly string[];
}

/** One daemon that `up` started. */
export interface DaemonRecord {
  readonly name: string;
  readonly netns: string;
  readonly pid: number;
  /** Its configuration, a word of its command line that no other process has. */
  readonly file: string;
  /** What starts it, in its namespace. */
  readonly command: readonly string[];
  /** A command in its namespace that ends with 0 once it answers. */
  readonly question: readonly string[];
  readonly log: string;
}

export interface LabState {
  readonly lab: string;
  /** A namespace is listed before it is created: `down` ignores a missing one, but would leave an unlisted one behind. */
  namespaces: string[];
  switches: SwitchRecord[];
  machines: MachineRecord[];
  daemons: DaemonRecord[];
  /** The process of the links with weather, and the file that it was started with. */
  weather?: { readonly pid: number; readonly plan: string };
  /** When `up` began, in milliseconds since 1970; absent in the state of an earlier version. */
  readonly since?: number;
}

export interface SwitchFiles {
  readonly config: string;
  readonly socket: string;
  readonly log: string;
}

/** The folder of one lab. */
export function labFolder(root: string, lab: string): string {
  return join(root, lab);
}

/** The copy of the file of a lab that is up: it is read when only the name is given. */
export function fileCopy(root: string, lab: string): string {
  return join(labFolder(root, lab), 'lab.yaml');
}

/** Names of the labs that are up, or that a crash has left. */
export function labsThatAreUp(root: string): string[] {
  try {
    return readdirSync(root)
      .filter((name) => LAB_NAME.test(name))
      .sort();
  } catch {
    return []; // there is no such folder
  }
}

/** Paths of the files of a host's switch. */
export function switchFiles(root: string, lab: string, host: string): SwitchFiles {
  const folder = labFolder(root, lab);
  return {
    config: join(folder, `${host}.yaml`),
    socket: join(folder, `${host}.sock`),
    log: join(folder, `${host}.log`),
  };
}

/** The record of a machine. @throws RangeError */
export function recordOf(machines: readonly MachineRecord[], name: string): MachineRecord {
  const record = machines.find((one) => one.name === name);
  if (!record) throw new RangeError(`no virtual machine ${name} runs`);
  return record;
}

/** The folder of a virtual machine, in that of its lab. */
export function machineFolder(lab: string, machine: string): string {
  return join(lab, machine);
}

/**
 * Claims the lab's folder. Of two processes that try at the same time, only one succeeds.
 * @throws LabError LAB_IS_UP
 */
export function claimState(root: string, lab: string): LabState {
  const folder = labFolder(root, lab);
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o755 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new LabError(
      'LAB_IS_UP',
      `lab ${lab} is up already (${folder}); take it down first: overtap lab down ${lab}`,
    );
  }
  const state: LabState = { lab, namespaces: [], switches: [], machines: [], daemons: [], since: Date.now() };
  saveState(root, state);
  return state;
}

/** Writes state.json atomically: a crash leaves the old or the new file, never half of it. */
export function saveState(root: string, state: LabState): void {
  const file = join(labFolder(root, state.lab), 'state.json');
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

/**
 * Reads the state of a lab; null if the lab is not up.
 * @throws LabError LAB_NOT_DOWN when the state file is damaged
 */
export function loadState(root: string, lab: string): LabState | null {
  const folder = labFolder(root, lab);
  let text: string;
  try {
    text = readFileSync(join(folder, 'state.json'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return stateOfBareFolder(folder, lab);
    throw error;
  }
  try {
    // A version without virtual machines, or daemons, had no list of them.
    const state: unknown = { machines: [], daemons: [], ...JSON.parse(text) };
    if (isLabState(state)) return state;
  } catch {
    // Invalid JSON gets the same message as JSON that is no state.
  }
  throw new LabError(
    'LAB_NOT_DOWN',
    `${folder}/state.json is damaged; delete the lab's namespaces and ${folder} by hand`,
  );
}

/** Deletes the lab's folder, and after the last lab the folder around it, and that of the user, if they are empty. */
export function removeState(root: string, lab: string): void {
  rmSync(labFolder(root, lab), { recursive: true, force: true });
  removeIfEmpty(root);
  if (dirname(root) !== '/run') removeIfEmpty(dirname(root));
}

/** The last lines of a log, or a note that it is empty or missing. */
export function lastLines(file: string, count: number): string[] {
  try {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    return lines[0] === '' ? ['(the log is empty)'] : lines.slice(-count);
  } catch {
    return ['(there is no log)'];
  }
}

/** A folder without state.json is left by a crash right after claiming it: nothing else exists yet. */
function stateOfBareFolder(folder: string, lab: string): LabState | null {
  return existsSync(folder) ? { lab, namespaces: [], switches: [], machines: [], daemons: [] } : null;
}

function isLabState(value: unknown): value is LabState {
  if (typeof value !== 'object' || value === null) return false;
  const { lab, namespaces, switches, machines, daemons, weather } = value as Partial<LabState>;
  return (
    typeof lab === 'string' &&
    (weather === undefined || (isPid(weather.pid) && typeof weather.plan === 'string')) &&
    Array.isArray(namespaces) &&
    namespaces.every((name) => typeof name === 'string') &&
    Array.isArray(switches) &&
    switches.every(({ pid, config }) => isPid(pid) && typeof config === 'string') &&
    Array.isArray(machines) &&
    machines.every(({ pid, folder, command }) => isPid(pid) && typeof folder === 'string' && Array.isArray(command)) &&
    Array.isArray(daemons) &&
    daemons.every(({ pid, file, command }) => isPid(pid) && typeof file === 'string' && Array.isArray(command))
  );
}

const isPid = (value: unknown): boolean => Number.isInteger(value) && Number(value) > 1;

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && ['ENOTEMPTY', 'ENOENT', 'EBUSY'].includes(String(error.code))))
      throw error;
  }
}
