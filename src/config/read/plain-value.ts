/**
 * Limits for the plain value of a configuration received over the control socket.
 *
 * Checked before any schema: only mappings, lists and scalars as in JSON, limited in depth and number. The YAML parser enforces
 * the same limits itself.
 */
import type { FaultList, Path } from './faults.js';

/** As for a file; a valid configuration has at most 10 levels. */
const MAX_DEPTH = 32;
/** A configuration of 1,000 links with all options uses a tenth of it. */
const MAX_VALUES = 1_000_000;

/** Reports the first fault. Not recursive, so no depth overflows the stack. @returns whether the value is within the limits */
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
