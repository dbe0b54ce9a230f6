/**
 * The entry of this room: the labs by name or file, and the verbs of `overtap lab`. A lab reaches its switches only through their
 * control sockets, as any program would.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '../client/client.js';
import { OWN_FOLDER } from '../port/rootless.js';
import { checkLab, runLab } from './check.js';
import { allHold, type Finding, type Print } from './checks/findings.js';
import { loadLabFile } from './file/read.js';
import { templateOf } from './file/template.js';
import { labValue } from './values/lab-value.js';
import { type Grade, grade, type Original } from './grade.js';
import { findLab, labNameOf as nameOf, READY_LABS } from './find.js';
import type { Lab } from './lab.js';
import { bringUp, downLine, takeDown } from './lifecycle.js';
import { labsFolder, trustedLabsFolder } from './own-namespaces.js';
import { type LabSite, sendIntoLab, siteOf } from './page-site.js';
import type { LabEnvironment } from './setup/environment.js';
import { fileCopy, type LabState, labFolder, labsThatAreUp, loadState } from './setup/state.js';
import { askWeather } from './setup/weather.js';
import { enterShell, hasPlace } from './shell.js';
import { Interrupted, LabError } from './testbed/errors.js';
import { interruptible } from './testbed/wait.js';
import { graphOf } from './view/graph.js';
import { invitation } from './view/invitation.js';
import { guestImage } from './vm/guest-image.js';
import type { DirectionRow, WeatherRequest } from './weather/protocol.js';

export { isLabFile, READY_LABS as labs } from './find.js';
export { goRootless } from './own-namespaces.js';
export { parseWeather, weatherLines } from './weather/words.js';

const OVERTAP = fileURLToPath(new URL('../../bin/overtap', import.meta.url));

const ENVIRONMENT: LabEnvironment = {
  root: labsFolder(),
  switchCommand: [process.execPath, OVERTAP, 'run'],
  connect: connectInLab,
  image: (print, signal) => guestImage({ say: (line) => print(`download   ${line}`), signal }),
};

/** A client of a switch of a lab, which ends only by a fault, or by hand. */
export function connectInLab(socket: string): ReturnType<typeof createClient> {
  const [log, lab] = [socket.replace(/\.sock$/, '.log'), basename(dirname(socket))];
  const remedy = `it has ended: its log is ${log}; take the lab down and up again: overtap lab down ${lab}`;
  return createClient(socket, { deadlineMs: 3000, remedy });
}

/** A lab that is up. */
export interface LabUp {
  readonly name: string;
  readonly summary: string;
  /** Seconds; null: unknown. */
  readonly age: number | null;
}

/** The labs that are up, of this user. */
export function labsUp(): LabUp[] {
  const root = trustedLabsFolder();
  if (root === undefined) return [];
  return labsThatAreUp(root).map((name) => {
    const since = quietly(() => loadState(root, name)?.since);
    const ready = READY_LABS.find((lab) => lab.name === name);
    const summary = ready?.summary ?? quietly(() => loadLabFile(fileCopy(root, name)).summary) ?? '';
    return { name, summary, age: since === undefined ? null : Math.max(0, Math.round((Date.now() - since) / 1000)) };
  });
}

/** A damaged state is a lab that is up, all the same. */
function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The name of the lab that a word names. @throws LabError LAB_UNKNOWN, LAB_NAME_TAKEN; ConfigError */
export function labNameOf(word: string): string {
  return nameOf(word, trustedLabsFolder());
}

/**
 * The lab that is up and has a certain guest or link, where no name is given.
 * @throws LabError LAB_NOT_UP, LAB_UNKNOWN
 */
export async function labWith(place: string | undefined): Promise<string> {
  const up = labsUp().map(({ name }) => name);
  if (up.length === 0) throw new LabError('LAB_NOT_UP', 'no lab is up; bring one up: overtap lab up NAME');
  const having: string[] = [];
  for (const name of up)
    if (up.length === 1 || place === undefined || hasPlace(await labNamed(name), place)) having.push(name);
  const [only] = having;
  if (only !== undefined && having.length === 1) return only;
  const what = having.length === 0 ? `no lab that is up has "${place}"` : `${having.length} labs could be meant`;
  throw new LabError(
    'LAB_UNKNOWN',
    `${what}; name one: --lab ${(having.length === 0 ? up : having).join(' or --lab ')}`,
  );
}

/** The switches of a lab that is up. @throws LabError LAB_NOT_UP */
export function labSwitches(word: string): { host: string; socket: string }[] {
  const name = labNameOf(word);
  const state = loadState(ENVIRONMENT.root, name);
  if (state === null)
    throw new LabError('LAB_NOT_UP', `lab "${name}" is not up; build it with "overtap lab up ${word}"`);
  return state.switches.map(({ host, socket }) => ({ host, socket }));
}

function labNamed(word: string): Promise<Lab> {
  return findLab(word, trustedLabsFolder());
}

/**
 * Builds a lab and prints how to explore it. After a failure or an interrupt nothing is left of it.
 * @throws LabError LAB_UNKNOWN, LAB_IS_UP, LAB_NEEDS_ROOT, LAB_NAME_TAKEN, LAB_COMMAND_FAILED, LAB_SWITCH_FAILED,
 * LAB_TIMEOUT, LAB_INTERRUPTED (class Interrupted)
 */
export async function labUp(word: string, print: Print): Promise<void> {
  const lab = await labNamed(word);
  const state = await interruptible((signal) => bringUp(lab, ENVIRONMENT, print, signal));
  for (const line of invitation(lab, state)) print(line);
}

/**
 * Checks a lab that is up, one line per claim.
 * @returns whether at least one claim was proved and none failed
 * @throws LabError LAB_UNKNOWN, LAB_NOT_UP, LAB_AGENT_FAILED, LAB_INTERRUPTED (class Interrupted; the lab stays up)
 */
export async function labCheck(word: string, print: Print): Promise<boolean> {
  const lab = await labNamed(word);
  const findings: Finding[] = [];
  try {
    await interruptible((signal) =>
      checkLab(lab, { environment: ENVIRONMENT, print, signal, findings, staysUp: true }),
    );
  } catch (error) {
    if (error instanceof Interrupted) print(`lab ${lab.name} stays up; take it down: overtap lab down ${lab.name}`);
    throw error;
  }
  return allHold(findings);
}

/**
 * Judges a lab that is up by checks that are not in its file, for exercises.
 * @throws LabError LAB_AGENT_FAILED, LAB_INTERRUPTED (class Interrupted; the lab stays up)
 */
export function gradeLab(name: string, original: Original, print: Print): Promise<Grade> {
  return interruptible((signal) => grade(name, original, { environment: ENVIRONMENT, print, signal }));
}

/**
 * Removes everything that `labUp` made. A signal does not stop it. No error if the lab is not up.
 * @throws LabError LAB_UNKNOWN, LAB_NOT_DOWN
 */
export async function labDown(word: string, print: Print): Promise<void> {
  const name = labNameOf(word);
  const wasUp = await interruptible(() => takeDown(name, ENVIRONMENT, print));
  print(wasUp ? downLine(name) : `lab ${name} is not up`);
}

/**
 * Up, check and down in one run; down also after a failure or an interrupt.
 * @returns whether every claim was proved
 * @throws LabError LAB_UNKNOWN, those of `labUp`, LAB_NOT_DOWN
 */
export async function labRun(word: string, print: Print): Promise<boolean> {
  const lab = await labNamed(word);
  return interruptible((signal) => runLab(lab, ENVIRONMENT, print, signal));
}

/**
 * Switches and guests of a lab that is up, for the live page.
 * @throws LabError LAB_UNKNOWN, LAB_NOT_UP
 */
export async function labSite(name: string): Promise<LabSite> {
  const lab = await labNamed(name);
  return siteOf(stateOf(lab.name), lab.topology, ENVIRONMENT);
}

/** A function that sends a frame into a port of a lab. It throws LabError LAB_NOT_UP, and when the frame cannot be sent. */
export function sendInto(
  name: string,
): (at: { readonly switch: string; readonly port: string }, frame: Uint8Array, times: number) => Promise<void> {
  return async (at, frame, times) => {
    const { topology } = await labNamed(name);
    const by = process.geteuid?.() === 0 ? 'nic' : 'switch';
    return sendIntoLab(stateOf(name), topology, { ...ENVIRONMENT, by }, at, frame, times);
  };
}

/** The state of a lab that is up. @throws LabError LAB_NOT_UP */
function stateOf(name: string): LabState {
  const state = loadState(ENVIRONMENT.root, name);
  if (state === null)
    throw new LabError('LAB_NOT_UP', `lab ${name} is not up; bring it up first: overtap lab up ${name}`);
  return state;
}

/** Whether this process is in namespaces of an ordinary user's labs, whose network a browser does not reach. */
export const isInOwnNamespaces = (): boolean => process.env[OWN_FOLDER] !== undefined;

/** Replaces this process by a shell or command at a guest. @throws LabError LAB_NOT_UP, LAB_UNKNOWN; NativeError */
export async function labShell(name: string, guest: string, command: readonly string[]): Promise<never> {
  return enterShell(await labNamed(name), stateOf(name), guest, command);
}

/** A drawing of a lab as SVG, whether it is up or not. @throws LabError LAB_UNKNOWN, LAB_NAME_TAKEN; ConfigError */
export async function labGraph(word: string): Promise<string> {
  return graphOf(await labNamed(word));
}

/** Shows or changes the weather of a lab's links. @throws LabError LAB_NOT_UP, LAB_COMMAND_FAILED, LAB_TIMEOUT */
export async function labWeather(name: string, request: WeatherRequest): Promise<readonly DirectionRow[]> {
  const { weather } = stateOf(name);
  if (weather === undefined) {
    const remedy = `give its file "weather: [{ link: LINK }]", and take it down and up again`;
    throw new LabError('LAB_COMMAND_FAILED', `no link of lab ${name} has weather: ${remedy}`);
  }
  return (await askWeather(labFolder(ENVIRONMENT.root, name), request)).rows ?? [];
}

/** Writes the file of an example lab into the present folder. @returns its name @throws LabError LAB_NAME_TAKEN */
export function labNew(name: string): string {
  const valid = labValue.labName.safeParse(name);
  if (!valid.success) throw new LabError('LAB_UNKNOWN', valid.error.issues[0]?.message ?? '');
  if (READY_LABS.some((lab) => lab.name === name))
    throw new LabError('LAB_NAME_TAKEN', `${name} is the name of a ready lab; choose another`);
  const file = `${name}.yaml`;
  if (existsSync(file)) throw new LabError('LAB_NAME_TAKEN', `${file} is there already; choose another name`);
  writeFileSync(file, templateOf(name), { flag: 'wx' });
  return file;
}
