/**
 * The words of `link add`, `link set` and `link del` as requests. Pure: it reads words and throws usage errors; the words
 * of options are those of the configuration's table.
 */
import type { LinkRequest } from '../../api/api.js';
import { LINK_TYPES, type LinkType } from '../../config/options/kinds.js';
import type { OptionScope } from '../../config/options/table.js';
import { LINK_WORDS, type Options, takeOption, unknownWord, WordFault } from '../../config/options/words.js';
import { nearest } from '../../values/did-you-mean.js';
import { UsageError } from '../errors.js';

/** The parsed words of a command, before the check that it is complete. */
interface Said {
  name?: string;
  type?: OptionScope;
  /** null: `nomaster`. */
  master?: string | null;
  options: Options;
}

const ADD = `link add NAME type ${LINK_TYPES.join('|')} [OPTIONS]`;
const SET = 'link set NAME [up|down] [master BR|nomaster] [type TYPE OPTIONS]';

/** @throws UsageError */
export function linkAdd(words: readonly string[]): LinkRequest {
  const { name, type, master, options } = read('link add', words, LINK_TYPES, ['name', 'dev']);
  if (name === undefined) throw new UsageError(`"link add" needs a name: ${ADD}`);
  if (type === undefined) throw new UsageError(`"link add" needs a type: ${ADD}`);
  const belongs = typeof master === 'string' ? { master } : {};
  return { op: 'add', name, type: type as LinkType, ...belongs, ...some(options) };
}

/** @throws UsageError */
export function linkSet(words: readonly string[]): LinkRequest {
  const { name, master, options } = read('link set', words, [...LINK_TYPES, 'bridge_slave'], ['dev']);
  if (name === undefined) throw new UsageError(`"link set" needs a name: ${SET}`);
  if (master === undefined && Object.keys(options).length === 0) {
    throw new UsageError(`"link set" says nothing to change: ${SET}`);
  }
  return { op: 'set', name, ...(master === undefined ? {} : { master }), ...some(options) };
}

/** Takes `link del [dev] NAME [type TYPE]`; a type is only checked to be one, as the name says which link is meant. @throws UsageError */
export function linkDel(words: readonly string[]): LinkRequest {
  const { name, master, options } = read('link del', words, LINK_TYPES, ['dev']);
  if (name === undefined) throw new UsageError('"link del" needs a name: link del NAME');
  if (master !== undefined || Object.keys(options).length > 0) {
    throw new UsageError('"link del" takes a name alone: link del NAME');
  }
  return { op: 'del', name };
}

const some = (options: Options): { options?: Options } => (Object.keys(options).length === 0 ? {} : { options });

/** Reads all words. @param types what may follow `type`; @param naming words that announce the name */
function read(
  command: string,
  words: readonly string[],
  types: readonly OptionScope[],
  naming: readonly string[],
): Said {
  const said: Said = { options: {} };
  try {
    for (let at = 0; at < words.length; ) at = readOne(said, words, at, types, naming);
  } catch (error) {
    if (error instanceof WordFault) throw new UsageError(`"${command}": ${error.message}`);
    throw error;
  }
  return said;
}

/** Reads what begins at `words[at]`. @returns where the next begins */
function readOne(
  said: Said,
  words: readonly string[],
  at: number,
  types: readonly OptionScope[],
  naming: readonly string[],
): number {
  const word = words[at] ?? '';
  const value = words[at + 1];
  const scope = said.type ?? 'link';
  const taken = takeOption(scope, words, at, said.options);
  if (taken !== undefined) return taken;
  if (word === 'master' || word === 'nomaster') {
    if (said.master !== undefined) throw new WordFault(`"${word}" is one too many: a port has one master`);
    if (word === 'nomaster') said.master = null;
    else said.master = need(value, 'master BR');
    return at + (word === 'master' ? 2 : 1);
  }
  if (word === 'type') {
    if (said.type !== undefined) throw new WordFault(`"type" is one too many: it is "${said.type}" already`);
    said.type = linkType(need(value, `type ${types.join('|')}`), types);
    return at + 2;
  }
  const announced = naming.includes(word);
  if (said.name === undefined && (announced || (said.type === undefined && word !== ''))) {
    said.name = announced ? need(value, `${word} NAME`) : word;
    return at + (announced ? 2 : 1);
  }
  if (announced) throw new WordFault(`"${word}" is one too many: the link is "${said.name}" already`);
  throw unknownWord(scope, word, said.type === undefined ? LINK_WORDS : ['master', 'nomaster', 'default']);
}

function need(value: string | undefined, usage: string): string {
  if (value === undefined || value === '') {
    throw new WordFault(`"${usage.split(' ')[0]}" needs a value: ${usage}`);
  }
  return value;
}

function linkType(word: string, types: readonly OptionScope[]): OptionScope {
  const type = types.find((candidate) => candidate === word);
  if (type !== undefined) return type;
  const near = nearest(word, types);
  const hint = near === undefined ? `there is ${types.join(', ')}` : `did you mean "${near}"?`;
  throw new WordFault(`there is no type "${word}"; ${hint}`);
}
