/**
 * The reference loop of the guard (guard.ts): a turn of a switch that does nothing but parse, hash, look up and write a command,
 * for the same frames. It uses a processor as the engine does (bytes of an arena, typed arrays, a hash table, branches), so that the
 * ratio of the two depends little on the machine. **It never changes**: every recorded ratio refers to it.
 */

const FRAMES = 256;
const SLOT = 2048;
const ROWS = 1 << 16;
const ROW_WORDS = 8;
const COMMAND_WORDS = 16;
const MULTIPLIER = 0x9e3779b1;

/** @returns a function that does one turn; its result is a sum that depends on all of its work */
export function makeReference(): () => number {
  const arena = new Uint8Array(FRAMES * SLOT);
  const words = new Int32Array(arena.buffer);
  const table = new Int32Array(ROWS * ROW_WORDS);
  const commands = new Int32Array(FRAMES * COMMAND_WORDS);
  for (let i = 0; i < FRAMES; i++) fillFrame(arena, i);
  for (let i = 0; i < FRAMES; i++) insert(table, arena, i * SLOT);
  return () => turn(arena, words, table, commands);
}

/** Number of frames of a turn. */
export const REFERENCE_FRAMES = FRAMES;

function fillFrame(arena: Uint8Array, i: number): void {
  const at = i * SLOT;
  arena.set([2, 0, 0, 2, i & 63, 1, 2, 0, 0, 1, i & 63, 1, 8, 0, 0x45, 0, 0, 50], at);
  arena.set([64, 17, 0, 0, 10, 0, 1, i & 63, 10, 0, 2, 1, 4, i & 63, 0, 7, 0, 30], at + 22);
}

function hash(high: number, low: number): number {
  const mixed = Math.imul(high ^ Math.imul(low, MULTIPLIER), MULTIPLIER);
  return (mixed ^ (mixed >>> 15)) & (ROWS - 1);
}

function insert(table: Int32Array, arena: Uint8Array, at: number): void {
  const high = (arena[at] << 8) | arena[at + 1];
  const low = (arena[at + 2] << 24) | (arena[at + 3] << 16) | (arena[at + 4] << 8) | arena[at + 5];
  let row = hash(high, low);
  while (table[row * ROW_WORDS + 2] !== 0) {
    if (table[row * ROW_WORDS] === high && table[row * ROW_WORDS + 1] === low) return;
    row = (row + 1) & (ROWS - 1);
  }
  table.set([high, low, 1, 7], row * ROW_WORDS);
}

function find(table: Int32Array, high: number, low: number): number {
  for (let row = hash(high, low), tries = 0; tries < 16; tries++, row = (row + 1) & (ROWS - 1)) {
    const at = row * ROW_WORDS;
    if (table[at + 2] === 0) return -1;
    if (table[at] === high && table[at + 1] === low) return at;
  }
  return -1;
}

/** A flow hash over addresses and ports, byte by byte, as a parser reads them. */
function flowOf(arena: Uint8Array, at: number): number {
  let sum = arena[at + 23];
  for (let i = 26; i < 38; i++) sum = Math.imul(sum ^ arena[at + i], 0x01000193);
  return sum ^ (sum >>> 13);
}

function turn(arena: Uint8Array, words: Int32Array, table: Int32Array, commands: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < FRAMES; i++) {
    const at = i * SLOT;
    const type = (arena[at + 12] << 8) | arena[at + 13];
    if (type !== 0x0800 || (arena[at + 6] & 1) !== 0) continue;
    const high = (arena[at] << 8) | arena[at + 1];
    const low = (arena[at + 2] << 24) | (arena[at + 3] << 16) | (arena[at + 4] << 8) | arena[at + 5];
    const found = find(table, high, low);
    if (found < 0) continue;
    table[found + 4] = i;
    const out = i * COMMAND_WORDS;
    commands[out] = table[found + 3];
    commands[out + 1] = at;
    commands[out + 2] = 64;
    commands[out + 3] = 32768 + (flowOf(arena, at) & 16383);
    words[(at >> 2) + 500] = low;
    sum = (sum + commands[out + 3]) | 0;
  }
  return sum;
}
