/** `apply` from any state to any document: the resulting state, the printed commands, and all-or-nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fdbChange, fdbDel } from '../../../src/cli/requests/fdb.js';
import { linkAdd, linkDel, linkSet } from '../../../src/cli/requests/link.js';
import { vlanChange, vlanSetting } from '../../../src/cli/requests/vlan.js';
import { ChangeRefused } from '../../../src/control/controls.js';
import { long } from '../../long.js';
import { checkAnswers, checkDevices, checkNumbers } from './compare-model.js';
import { Prober } from './frame-prober.js';
import { changeText, type Sequence, sequence, textOf } from './live-changes.js';
import { type Raw, Refused, readConfig } from './live-config.js';
import { document } from './live-documents.js';
import { type Change, Model } from './live-model.js';
import { faultOf } from './live-rules.js';
import { LiveSwitch } from './live-switch.js';
import { commandsOf, stated, travel, twin, withSwitches } from './reach-state.js';
import { carryOut } from './run-sequence.js';

/** Applies; another number with OVERTAP_APPLIES. */
const RUNS = Number(process.env.OVERTAP_APPLIES ?? long(200));
const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_121);
const TIMEOUT = 30_000 + RUNS * 200;

/** A way to a state, and a sound document to go to from there. */
const journey = fc
  .record({ way: sequence, target: document.filter((made) => faultOf(readConfig(made)) === null) })
  .filter(({ way }) => faultOf(readConfig(way.document)) === null)
  .map((one) => ({
    ...one,
    [fc.toStringMethod]: () => `\n${textOf(one.way)}\n    to ${JSON.stringify(one.target)}\n`,
  }));

// ---- The CLI's reading of a command

function wordsOf(line: string): string[] {
  return [...line.matchAll(/'((?:[^']|'\\'')*)'|(\S+)/g)].map(
    ([, quoted, bare]) => bare ?? quoted.replaceAll("'\\''", "'"),
  );
}

function read(line: string): Change {
  const [noun, verb, ...words] = wordsOf(line);
  switch (`${noun} ${verb}`) {
    case 'link add':
      return { kind: 'link', request: linkAdd(words) };
    case 'link set':
      return { kind: 'link', request: linkSet(words) };
    case 'link del':
      return { kind: 'link', request: linkDel(words) };
    case 'vlan add':
    case 'vlan del':
      return { kind: 'vlan', request: vlanChange(verb as 'add' | 'del', words) };
    case 'vlan set':
      return { kind: 'vlan', request: vlanSetting(words) };
    case 'fdb add':
    case 'fdb append':
    case 'fdb replace':
      return { kind: 'fdb', request: fdbChange(verb as 'add' | 'append' | 'replace', words) };
    case 'fdb del':
      return { kind: 'fdb', request: fdbDel(words) };
    default:
      throw new Error(`no command of this program: ${line}`);
  }
}

/** What the rules of a live switch have no words for: memberships of a port that belongs to no bridge. */
function hasWords(target: Raw): boolean {
  return Object.values((target.ports ?? {}) as Record<string, Raw>).every(({ vlans }) => vlans === undefined);
}

/** Without the entries of control programs: no file and no command of an operator takes those away. */
function withoutPrograms<T>(value: T): T {
  return JSON.parse(JSON.stringify(value, (key, one: unknown) => (key === 'extern_learn' ? undefined : one))) as T;
}

function check(run: (way: Sequence, target: Raw, made: LiveSwitch[]) => Promise<void>): Promise<void> {
  return fc.assert(
    fc.asyncProperty(journey, ({ way, target }) => withSwitches((made) => run(way, target, made))),
    { numRuns: RUNS, seed: SEED },
  );
}

describe('apply', () => {
  it(
    'leads to what a switch that is started with the document would be, and then has nothing to do',
    () =>
      check(async (given, wanted, made) => {
        const [way, target] = [withoutPrograms(given), withoutPrograms(wanted)];
        const { live, model, prober } = await travel(way);
        made.push(live);
        await commandsOf(live, target);
        model.change({ kind: 'apply', document: target });
        checkAnswers(live, model);
        checkDevices(live, model);
        checkNumbers(live, model);
        const fresh = await LiveSwitch.start(target, { workers: way.workers });
        made.push(fresh);
        expect(stated(live)).toEqual(stated(fresh));
        expect(await commandsOf(live, target)).toEqual([]);
        // With nothing learned, frames go the ways of a new switch.
        prober.probe(live, model);
        await carryOut(live, { kind: 'fdb', request: { op: 'flush' } });
        await commandsOf(live, target); // entries that have moved, or were flushed too, are put back
        const anew = new Model(target);
        for (const [name, mac] of model.tables.macs) anew.tables.macs.set(name, mac);
        new Prober(way.seed).probe(live, anew, 40);
      }),
    TIMEOUT,
  );

  it(
    'changes nothing when it only shows what it would do, and shows what it then does',
    () =>
      check(async (way, target, made) => {
        const { live, model } = await travel(way);
        made.push(live);
        const before = { document: live.document, lists: live.engines.lists.length };
        const shown = await commandsOf(live, target, true);
        expect(live.document).toBe(before.document);
        expect(live.engines.lists.length).toBe(before.lists);
        checkAnswers(live, model);
        checkDevices(live, model);
        checkNumbers(live, model);
        expect(await commandsOf(live, target)).toEqual(shown);
      }),
    TIMEOUT,
  );

  it(
    'prints commands that lead to the same, one by one',
    () =>
      check(async (given, wanted, made) => {
        if (!hasWords(wanted)) return;
        const [way, target] = [withoutPrograms(given), withoutPrograms(wanted)];
        const { live, changes } = await travel(way, false);
        made.push(live);
        const other = await twin(way, changes);
        made.push(other);
        const commands = await commandsOf(live, target);
        const story = `${changes.map(changeText).join('\n')}\nand then\n${commands.join('\n')}`;
        for (const command of commands) {
          try {
            await carryOut(other, read(command));
          } catch (error) {
            if (error instanceof ChangeRefused) expect.fail(`${story}\n\n"${command}" is refused: ${error.message}`);
            throw error;
          }
        }
        // A remote that comes or goes at run time is an entry, not an option.
        expect(stated(other, ['remotes']), story).toEqual(stated(live, ['remotes']));
      }),
    TIMEOUT,
  );

  it(
    'is done wholly or not at all, whichever device cannot be opened',
    () =>
      check(async (way, target, made) => {
        const { live, model, prober } = await travel(way);
        made.push(live);
        for (let failIn = 1; ; failIn++) {
          const before = { document: live.document, lists: live.engines.lists.length };
          live.devices.failed = false;
          live.devices.failIn = failIn;
          const refused = await commandsOf(live, target).then(
            () => false,
            (error: unknown) => {
              if (error instanceof ChangeRefused) return true;
              throw error;
            },
          );
          live.devices.failIn = 0;
          if (!live.devices.failed) {
            let isSound = true;
            try {
              model.change({ kind: 'apply', document: target });
            } catch (error) {
              if (!(error instanceof Refused)) throw error;
              isSound = false;
            }
            expect(refused).toBe(!isSound);
            checkAnswers(live, model);
            return;
          }
          expect(refused).toBe(true);
          expect(live.document).toBe(before.document);
          expect(live.engines.lists.length).toBe(before.lists);
          checkAnswers(live, model);
          checkDevices(live, model);
          checkNumbers(live, model);
          prober.probe(live, model);
        }
      }),
    TIMEOUT,
  );
});
