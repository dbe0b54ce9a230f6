/**
 * Bounds of a configuration's value that comes without a text, over the control socket.
 *
 * Owns what every value must be before a schema looks at it: mappings, lists and scalars as JSON has them, not too deep
 * and not too many. The reader of YAML holds the same bounds by itself.
 */
import type { FaultList, Path } from './faults.js';

/** As for a file; a sound configuration is at most 10 deep. */
const MAX_DEPTH = 32;
/** A configuration of 1,000 links with all their options takes a tenth of it. */
const MAX_VALUES = 1_000_000;

/** Reports the first fault. It walks without recursion, so that no depth ends the stack. @returns whether there is none */
export function checkPlain(root: unknown, faults: FaultList): boolean {
  const pending: { value: unknown; path: Path }[] = [{ value: root, path: [] }];
  let count = 1;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value, path } = next;
    if (path.length > MAX_DEPTH) return refuse(path, `nested more than ${MAX_DEPTH} levels deep; write fewer`);
    if (!isPlain(value)) return refuse(path, 'expected a mapping, a list, text, a number, true, false or null');
    if (typeof value !== 'object' || value === null) continue;
    const children = Object.entries(value);
    count += children.length;
    if (count > MAX_VALUES) return refuse([], `there are more than ${MAX_VALUES} values; is it a configuration?`);
    for (const [key, child] of children) {
      const step = Array.isArray(value) ? Number(key) : key;
      if (key === '__proto__') return refuse([...path, key], 'this word cannot be a key; choose another');
      pending.push({ value: child, path: [...path, step] });
    }
  }
  return true;

  function refuse(path: Path, message: string): boolean {
    faults.at(path, message);
    return false;
  }
}

function isPlain(value: unknown): boolean {
  if (value === null || Array.isArray(value)) return true;
  if (typeof value !== 'object') return ['string', 'number', 'boolean', 'undefined'].includes(typeof value);
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
