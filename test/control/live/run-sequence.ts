/**
 * Applies the same changes to a switch and its model, and compares them after each. A refused change must give a reason and
 * have no effect; an accepted one must reach the engines in one list.
 */
import { expect } from 'vitest';
import type { WritePath, WriteRoutes } from '../../../src/api/routes.js';
import { ConfigError } from '../../../src/config/load.js';
import { ChangeRefused } from '../../../src/control/controls.js';
import { HttpRefusal } from '../../../src/control/http/http-refusal.js';
import { readRequest } from '../../../src/control/http/read-request.js';
import { checkAnswers, checkDevices, checkNothingLeft, checkNumbers } from './compare-model.js';
import { Prober } from './frame-prober.js';
import { aimed } from './likely-change.js';
import { changeText, type Sequence } from './live-changes.js';
import { type Raw, Refused } from './live-config.js';
import { EMPTY } from './live-documents.js';
import { type Change, Model } from './live-model.js';
import { LiveSwitch } from './live-switch.js';

/** Reads a request as the control socket does. @throws ChangeRefused */
function read<P extends WritePath>(path: P, request: unknown): WriteRoutes[P]['request'] {
  try {
    return readRequest(path, request);
  } catch (error) {
    if (error instanceof HttpRefusal) throw new ChangeRefused(error.message, 'invalid');
    throw error;
  }
}

/** Has a switch carry out a change. */
export async function carryOut(live: LiveSwitch, change: Change): Promise<number | undefined> {
  const { controls } = live;
  switch (change.kind) {
    case 'link':
      await controls.link(read('/v1/links', change.request));
      return undefined;
    case 'vlan':
      await controls.vlan(read('/v1/vlans', change.request));
      return undefined;
    case 'fdb':
      return (await controls.fdb(read('/v1/fdb', change.request)))?.removed;
    case 'apply':
      await controls.apply({ config: change.document });
      return undefined;
  }
}

/** What became of a change; a refusal as its message. */
async function outcomeOf(
  live: LiveSwitch,
  change: Change,
): Promise<{ removed?: number | undefined; refusal?: string }> {
  try {
    return { removed: await carryOut(live, change) };
  } catch (error) {
    if (!(error instanceof ChangeRefused)) throw error;
    if (error.message.trim() === '') throw new Error('a change is refused without a word');
    return { refusal: error.message };
  }
}

/** A change; `failIn` and `wrong` as of a step. */
export interface Attempt {
  change: Change;
  failIn?: number;
  wrong?: boolean;
}

/** What may follow on a change that remotes go with. */
const PARTING = new Set(['group', 'group-del', 'routers', 'flush', 'remote-free']);

/** One change on both sides. @returns whether it was carried out */
export async function changeBoth(live: LiveSwitch, model: Model, one: Attempt): Promise<boolean> {
  const { devices, engines } = live;
  const before = { document: live.document, config: live.model.config, lists: engines.lists.length };
  devices.failIn = one.failIn ?? 0;
  devices.failed = false;
  devices.missed = false;
  const waited = new Set(devices.waiting);
  model.look();
  const { refusal, removed } = await outcomeOf(live, one.change);
  devices.failIn = 0;
  if (live.broken !== null) throw live.broken;
  const lists = engines.lists.length - before.lists;
  let reason = devices.failed ? 'a device fails' : one.wrong === true ? 'it is wrong' : undefined;
  // A file may name what is not there, a command may not.
  if (devices.missed && one.change.kind !== 'apply') reason ??= 'a device is not there';
  let expected: number | undefined;
  try {
    if (reason === undefined) expected = model.change(one.change);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    reason = error.message;
  }
  if ((refusal === undefined) !== (reason === undefined))
    expect.fail(
      refusal === undefined
        ? `is done, and should be refused: ${reason}`
        : `should be done, and is refused: ${refusal}`,
    );
  if (refusal === undefined)
    devices.waiting = new Set([...devices.waiting].filter((name) => model.config.ports.has(name)));
  else devices.waiting = waited;
  model.tables.waiting = devices.waiting;
  if (refusal !== undefined) {
    if (live.document !== before.document) expect.fail('a refused change has changed the document');
    if (live.model.config !== before.config) expect.fail('a refused change has changed the configuration');
    if (lists > 0) expect.fail('a refused change has reached the engines');
  }
  const more = engines.lists.slice(before.lists + 1).flat();
  if (more.some(({ op }) => !PARTING.has(op))) expect.fail(`the change reached the engines in ${lists} lists`);
  if (removed !== expected) expect.fail(`removed ${removed} entries, and ${expected} match`);
  return refusal === undefined;
}

export interface Tally {
  changes: number;
  refused: number;
}

/** Takes switch and model through a sequence, and then everything away. */
export async function runSequence({ document, workers, steps, seed }: Sequence, tally?: Tally): Promise<void> {
  const pair = await startBoth(document, workers);
  if (pair === null) return;
  const { live, model } = pair;
  const prober = new Prober(seed);
  const log: string[] = [];
  const check = (): void => {
    checkAnswers(live, model);
    checkDevices(live, model);
    checkNumbers(live, model);
    prober.probe(live, model);
  };
  const attempt = async (one: Attempt): Promise<void> => {
    const note = one.failIn === undefined || one.failIn === 0 ? '' : `   (opening number ${one.failIn} fails)`;
    log.push(changeText(one.change) + note);
    const isDone = await changeBoth(live, model, one);
    if (!isDone) log.push(`${log.pop()}   (refused)`);
    if (tally === undefined) return;
    tally.changes++;
    if (!isDone) tally.refused++;
  };
  try {
    check();
    for (const one of steps) {
      if (one.kind === 'change') {
        await attempt({ ...one, change: aimed(one.change, one.aim, model) });
      } else {
        log.push(`(${one.seconds} s pass)`);
        live.wait(one.seconds);
        model.wait(one.seconds);
      }
      check();
    }
    checkAnswers(live, model);
    await attempt({ change: { kind: 'apply', document: EMPTY } });
    check();
    checkNothingLeft(live);
    live.recycle();
  } catch (error) {
    if (error instanceof Error) error.message = `${storyOf(document, workers, log)}\n${error.message}`;
    throw error;
  } finally {
    live.stop();
  }
}

/** What was done, as somebody would have typed it; the last is what failed. */
export function storyOf(document: Raw, workers: number, log: readonly string[]): string {
  const head = `overtap run: ${JSON.stringify(document)}, ${workers} engine${workers === 1 ? '' : 's'}`;
  return ['failed after', head, ...log].join('\n      ');
}

/** A switch and its model with one document; null: both refuse it. */
export async function startBoth(
  document: Raw,
  workers: number,
  absent: ReadonlySet<string> = new Set(),
): Promise<{ live: LiveSwitch; model: Model } | null> {
  let model: Model | null = null;
  let live: LiveSwitch | null = null;
  try {
    model = new Model(document);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
  try {
    live = await LiveSwitch.start(document, { workers, absent });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (model !== null) expect.fail(`at the start: should be taken, and is refused: ${error.message}`);
  }
  if (live === null || model === null) {
    if (live !== null) expect.fail('at the start: the document should be refused');
    return null;
  }
  model.tables.waiting = live.devices.waiting;
  return { live, model };
}
