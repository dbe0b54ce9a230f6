/** Reads the list `checks` of a lab file: each item is one check word with its values, and may have a `claim`. */
import { z } from 'zod';
import { type Rows, settingsOf, shapeOf } from '../../config/options/option.js';
import { decodeObject } from '../../config/read/decode.js';
import type { FaultList, Path } from '../../config/read/faults.js';
import { nearest } from '../../values/did-you-mean.js';
import { quote } from '../../values/show.js';
import { expected, mapping } from '../../values/value.js';
import { CHECK_WORDS } from '../checks/words/index.js';
import type { CheckOf } from '../checks/words/word.js';
import { labValue } from '../values/lab-value.js';
import type { Notes } from './notes.js';

const CLAIM = labValue.line('a claim', 200);
const ITEM = mapping('a check word to its values, such as ping: { from: a, to: b }');

/** @returns the checks whose word is known */
export function readChecks(items: readonly unknown[], faults: FaultList, notes: Notes): CheckOf[] {
  return items.flatMap((item, i) => readCheck(item, ['checks', i], faults, notes) ?? []);
}

function readCheck(item: unknown, path: Path, faults: FaultList, notes: Notes): CheckOf | undefined {
  const body = ITEM.safeParse(item);
  if (!body.success) {
    faults.at(path, body.error.issues[0]?.message ?? '');
    return undefined;
  }
  const { claim: given, ...rest } = body.data;
  const claim = CLAIM.optional().safeParse(given);
  if (!claim.success) faults.at([...path, 'claim'], claim.error.issues[0]?.message ?? '');
  const [name, ...more] = Object.keys(rest);
  const word = CHECK_WORDS.find((one) => one.word === name);
  if (name === undefined || more.length > 0)
    faults.at(
      path,
      `a check has one word, this has ${more.length === 0 ? 'none' : `${more.length + 1}`}; begin each with a dash`,
    );
  else if (word === undefined) faults.atKey([...path, name], unknownWord(name));
  if (word === undefined || more.length > 0) return undefined;
  const before = faults.count;
  const args = readArgs(word.rows, rest[word.word], [...path, word.word], faults);
  if (args === undefined) return undefined;
  const isWhole = faults.count === before;
  const fault = isWhole ? word.fault(args) : undefined;
  if (fault !== undefined) faults.at([...path, word.word], fault);
  const check = { word, args, claim: isWhole ? (claim.data ?? word.claim(args)) : '' };
  notes.add(check, path, !isWhole);
  return check;
}

function unknownWord(name: string): string {
  const words = CHECK_WORDS.map(({ word }) => word);
  const near = nearest(name, words);
  return `unknown check ${quote(name)}; ${near === undefined ? `there are ${words.join(', ')}` : `did you mean ${quote(near)}?`}`;
}

/** The valid values with their defaults; items of lists are read by the rows. undefined: it is no mapping. */
function readArgs(rows: Rows, raw: unknown, path: Path, faults: FaultList): Record<string, unknown> | undefined {
  const schema = z.strictObject(shapeOf(rows), { error: expected('a mapping of values') });
  const decoded = decodeObject(schema, raw ?? {}, path, faults);
  if (decoded === undefined) return undefined;
  const args: Record<string, unknown> = settingsOf(rows, decoded.given);
  for (const [key, { items }] of Object.entries(rows)) {
    const list = args[key];
    if (items === undefined || !Array.isArray(list)) continue;
    args[key] = list.flatMap((item: unknown, i) => {
      const at = [...path, key, i];
      if (!(items instanceof z.ZodType)) return readArgs(items, item, at, faults) ?? [];
      const result = items.safeParse(item);
      if (!result.success) faults.at(at, result.error.issues[0]?.message ?? '');
      return result.success ? [result.data] : [];
    });
    if (list.length === 0) faults.at([...path, key], 'the list is empty; name at least one, or leave it out');
  }
  return args;
}
