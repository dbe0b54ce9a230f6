/**
 * Parses YAML text to plain values, with the position of each value.
 *
 * Handles everything specific to YAML: syntax errors, duplicate keys, aliases, and limits against hostile files. Knows no keys
 * of the configuration.
 */
import { Composer, CST, type Document, isAlias, isMap, isScalar, isSeq, type Node, Parser, visit } from 'yaml';
import {
  ConfigError,
  type ConfigFault,
  formatPath,
  inOrder,
  type Locator,
  type Path,
  type Position,
} from './faults.js';

/** Maximum length in characters; a file with a thousand links needs a small part of it. */
export const MAX_TEXT = 4 * 1024 * 1024;
/**
 * Maximum depth; a valid file has at most 10 levels. The parser recurses, and its regular expressions abort the process on
 * stack overflow.
 */
const MAX_DEPTH = 32;
/** Maximum number of values that aliases may add. */
const MAX_ALIASED = 100_000;

export interface ConfigDocument {
  /** Plain objects (without a prototype), arrays and scalars. */
  value: unknown;
  locator: Locator;
}

/** Positions of a value and its key, and of nested values. */
interface Place {
  value: number;
  key: number;
  inside: Map<string | number, Place>;
}

export interface DocumentOptions {
  /** The keys that every such file has, for the message about an empty one. */
  first?: string;
  /** False: aliases are faults. */
  aliases?: boolean;
}

/**
 * Parses YAML 1.2 text.
 * @throws ConfigError with all syntax faults, or for an empty file
 */
export function readDocument(
  source: string,
  fileName: string,
  { first = '"bridges:"', aliases = true }: DocumentOptions = {},
): ConfigDocument {
  const text = source.replace(/^\uFEFF/, '');
  if (text.length > MAX_TEXT) {
    throw wholeFileError(fileName, `the file is longer than ${MAX_TEXT} characters; is it the right one?`);
  }
  const tokens = [...new Parser().parse(text)];
  const position = positionsIn(text);
  const faults: ConfigFault[] = [];
  const add = (offset: number, path: Path, message: string): void => {
    faults.push({ ...position(offset), path: formatPath(path), message });
  };
  const fail = (): never => {
    throw new ConfigError(fileName, inOrder(faults));
  };

  const deep = firstTooDeep(tokens);
  if (deep !== undefined) {
    add(deep, [], `nested more than ${MAX_DEPTH} levels deep; is it the right file?`);
    return fail();
  }
  const document = compose(tokens, text.length, add);
  if (faults.length > 0 || document === undefined) return fail();
  if (document.contents === null) throw wholeFileError(fileName, `the file is empty; give at least ${first}`);

  const reader = new ValueReader(document, add, aliases);
  const root: Place = { value: startOf(document.contents) ?? 0, key: 0, inside: new Map() };
  const value = reader.read(document.contents, [], root);
  if (faults.length > 0) return fail();
  return { value, locator: locatorFor(root, position) };
}

/**
 * Converts offsets to positions. The parser's own line counter misses lines where a key has a syntax error.
 */
function positionsIn(text: string): (offset: number) => Position {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    // The last line starting at or before the offset.
    let low = 0;
    for (let high = starts.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

/** The only fault of a file that cannot be parsed at all. */
export function wholeFileError(fileName: string, message: string): ConfigError {
  return new ConfigError(fileName, [{ line: 1, column: 1, path: formatPath([]), message }]);
}

type AddFault = (offset: number, path: Path, message: string) => void;

function compose(tokens: CST.Token[], length: number, add: AddFault): Document | undefined {
  // Duplicate keys are reported while converting, where the position of the first one is known.
  const composer = new Composer({ version: '1.2', uniqueKeys: false, prettyErrors: false });
  const [first, second] = [...composer.compose(tokens, true, length)] as Document[];
  if (first === undefined) return undefined;
  for (const error of [...first.errors, ...first.warnings])
    add(error.pos[0], [], `${error.message}; mend the YAML here`);
  if (second !== undefined) add(second.range?.[0] ?? 0, [], 'a second YAML document begins here; keep one');
  if (first.directives?.yaml.explicit && first.directives.yaml.version !== '1.2') {
    add(
      0,
      [],
      `the file says it is YAML ${first.directives.yaml.version}; it is read as YAML 1.2: remove the %YAML line`,
    );
  }
  return first;
}

/** Offset of the first token nested deeper than MAX_DEPTH. Not recursive, since it protects against recursion. */
function firstTooDeep(tokens: readonly CST.Token[]): number | undefined {
  const pending = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { token, depth } = next;
    if (depth > MAX_DEPTH) return token.offset;
    if (token.type === 'document' && token.value !== undefined) pending.push({ token: token.value, depth });
    if (!CST.isCollection(token)) continue;
    for (const item of token.items) {
      for (const child of [item.key, item.value]) {
        if (child !== null && child !== undefined) pending.push({ token: child, depth: depth + 1 });
      }
    }
  }
  return undefined;
}

/** Converts nodes to plain values and records their positions. */
class ValueReader {
  /** The target of each alias: the last anchor with its name before it. */
  private readonly targets = new Map<Node, Node>();
  /** Collections under conversion, to detect an alias inside its own anchor. */
  private readonly open = new Set<Node>();
  private aliased = 0;
  private exhausted = false;

  constructor(
    document: Document,
    private readonly add: AddFault,
    private readonly aliases: boolean,
  ) {
    const anchors = new Map<string, Node>();
    visit(document, {
      Node: (_key, node) => {
        if (isAlias(node)) {
          const target = anchors.get(node.source);
          if (target !== undefined) this.targets.set(node, target);
        } else if ('anchor' in node && typeof node.anchor === 'string') {
          anchors.set(node.anchor, node);
        }
      },
    });
  }

  read(node: unknown, path: Path, place: Place, inAlias = false): unknown {
    if (inAlias && !this.countAliased(place, path)) return null;
    if (isAlias(node)) return this.readAlias(node, path, place);
    if (isScalar(node)) return node.value;
    if (!isMap(node) && !isSeq(node)) return null;
    if (path.length > MAX_DEPTH) {
      this.add(place.value, path, `aliases nest values more than ${MAX_DEPTH} levels deep; write fewer`);
      return null;
    }
    if (this.open.has(node)) {
      this.add(place.value, path, 'this alias stands inside what it refers to; write the value out');
      return null;
    }
    this.open.add(node);
    const value = isMap(node)
      ? this.readMap(node.items, path, place, inAlias)
      : node.items.map((item, i) => this.readChild(item, undefined, i, path, place, inAlias));
    this.open.delete(node);
    return value;
  }

  private readMap(
    pairs: readonly { key: unknown; value: unknown }[],
    path: Path,
    place: Place,
    inAlias: boolean,
  ): unknown {
    // Without a prototype, keys of the file cannot collide with inherited properties.
    const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const pair of pairs) {
      const key = this.keyText(pair.key);
      const keyOffset = startOf(pair.key) ?? startOf(pair.value) ?? place.value;
      if (key === undefined) {
        this.add(keyOffset, path, 'expected a name before the colon, found a list or mapping; write plain text');
      } else if (key === '__proto__') {
        // YAML libraries silently drop this key as a protection; here it is reported.
        this.add(keyOffset, [...path, key], 'this word cannot be a key; choose another');
      } else if (Object.hasOwn(out, key)) {
        this.add(keyOffset, [...path, key], 'this key is given twice; remove one of the two');
      } else {
        out[key] = this.readChild(pair.value, keyOffset, key, path, place, inAlias);
      }
    }
    return out;
  }

  private readChild(
    node: unknown,
    keyOffset: number | undefined,
    step: string | number,
    path: Path,
    parent: Place,
    inAlias: boolean,
  ): unknown {
    const start = isEmptyScalar(node) ? undefined : startOf(node);
    const value = start ?? keyOffset ?? startOf(node) ?? parent.value;
    const place: Place = { value, key: keyOffset ?? value, inside: new Map() };
    parent.inside.set(step, place);
    return this.read(node, [...path, step], place, inAlias);
  }

  private readAlias(node: Node & { source: string }, path: Path, place: Place): unknown {
    const target = this.targets.get(node);
    if (!this.aliases) {
      this.add(place.value, path, 'this file may have no aliases; write the value out');
      return null;
    }
    if (target === undefined) {
      this.add(place.value, path, `no anchor &${node.source} stands before this alias; add it or write the value out`);
      return null;
    }
    return this.read(target, path, place, true);
  }

  private countAliased(place: Place, path: Path): boolean {
    if (++this.aliased <= MAX_ALIASED) return true;
    if (!this.exhausted) this.add(place.value, path, `aliases add more than ${MAX_ALIASED} values; write fewer`);
    this.exhausted = true;
    return false;
  }

  /** A plain key keeps its spelling, so that a link may be called 1 or 0x10. */
  private keyText(key: unknown): string | undefined {
    const node = isAlias(key) ? this.targets.get(key) : key;
    if (node === null || node === undefined) return '';
    if (!isScalar(node)) return undefined;
    return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
  }
}

function isEmptyScalar(node: unknown): boolean {
  return isScalar(node) && node.value === null && (node.source ?? '') === '';
}

function startOf(node: unknown): number | undefined {
  const isNode = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node);
  return isNode ? node.range?.[0] : undefined;
}

function locatorFor(root: Place, position: (offset: number) => Position): Locator {
  const find = (path: Path): { place: Place; found: boolean } => {
    let place = root;
    for (const step of path) {
      const next = place.inside.get(step);
      if (next === undefined) return { place, found: false };
      place = next;
    }
    return { place, found: true };
  };
  return {
    value(path) {
      const { place, found } = find(path);
      return position(found ? place.value : place.key);
    },
    key(path) {
      return position(find(path).place.key);
    },
  };
}
