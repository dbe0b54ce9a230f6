/**
 * The hash slots by which a remote is found: the rows of the table of remotes, its slots, and how the two hang together.
 *
 *   word of a row   0 .. 3    4               5              6         7
 *                   +---------+---------------+--------------+---------+---------------------------+
 *                   | address | UDP port,     | vxlan port   | version | next with the same address|
 *                   |         | FINDABLE      |              |         | and port; next free row   |
 *                   +---------+---------------+--------------+---------+---------------------------+
 *
 * Open addressing with linear probing at a load of one half at most. A slot that is freed stays a tombstone only as long
 * as the search for another remote passes over it, so adding and removing for ever leaves searches short.
 *
 * **One slot a key.** Remotes with one vxlan port and address stand in a chain, such as one that an engine has met and one that
 * was configured since; the slot names the one that came last, and the next takes its place when it is removed. Searches
 * meanwhile find the one or the other, never nothing.
 *
 * **Other threads** look up at any time. A row is compared between two looks at its version, since it may be given to
 * another address meanwhile. What changes rows and slots is called with the table's lock held.
 *
 * Owns rows and slots. It never decides which number a remote gets: `remotes.ts` does.
 */

/** Words of a row; 32 bytes, so that none straddles two cache lines. */
export const ROW = 8;
export const UDP_PORT = 4;
export const OWNER = 5;
const VERSION = 6;
/** The next remote of the chain, or of the list of free numbers; 0: none. */
export const LINK = 7;
/** In the word of the UDP port: a slot's chain holds the remote. */
const FINDABLE = 0x10000;

export const SLOTS = 131_072;
const EMPTY = 0;
const TOMBSTONE = -1;

/** @returns where the remote's chain hangs, or the empty slot at the end of the search */
function slotOf(rows: Int32Array, slots: Int32Array, row: number): number {
  let slot = homeOf(rows, row);
  for (;;) {
    const holder = slots[slot];
    if (holder === EMPTY || (holder !== TOMBSTONE && isSameKey(rows, holder * ROW, row))) return slot;
    slot = (slot + 1) & (SLOTS - 1);
  }
}

/** The remote of `port` with this address, or 0 (hot). One bounded search; takes no lock. */
export function search(
  rows: Int32Array,
  slots: Int32Array,
  port: number,
  a0: number,
  a1: number,
  a2: number,
  a3: number,
): number {
  let slot = hash(port, a0, a1, a2, a3);
  for (;;) {
    const remote = Atomics.load(slots, slot);
    if (remote === EMPTY) return 0;
    if (remote !== TOMBSTONE && isOf(rows, remote * ROW, port, a0, a1, a2, a3)) return remote;
    // Where the slot has just passed on to the next of its chain, that one is looked at.
    if (Atomics.load(slots, slot) === remote) slot = (slot + 1) & (SLOTS - 1);
  }
}

/** Whether a row has this key. One that is being given to another address has neither's. */
export function isOf(
  rows: Int32Array,
  row: number,
  port: number,
  a0: number,
  a1: number,
  a2: number,
  a3: number,
): boolean {
  const version = Atomics.load(rows, row + VERSION);
  const same =
    rows[row + 3] === a3 &&
    rows[row + OWNER] === port &&
    rows[row + 2] === a2 &&
    rows[row + 1] === a1 &&
    rows[row] === a0;
  return same && (version & 1) === 0 && Atomics.load(rows, row + VERSION) === version;
}

/** Whether a slot's chain holds the remote. */
export function isFindable(rows: Int32Array, row: number): boolean {
  return (rows[row + UDP_PORT] & FINDABLE) !== 0;
}

/** The UDP port in a row; 0: the row is free. */
export function udpPortIn(rows: Int32Array, row: number): number {
  return rows[row + UDP_PORT] & 0xffff;
}

/** Changes where frames to a remote are sent to; it stays as findable as it was. */
export function setUdpPort(rows: Int32Array, row: number, udpPort: number): void {
  Atomics.store(rows, row + UDP_PORT, (rows[row + UDP_PORT] & FINDABLE) | udpPort);
}

/** Fills a row that no slot leads to. The remote is not findable. */
export function fillRow(
  rows: Int32Array,
  row: number,
  port: number,
  words: ArrayLike<number>,
  at: number,
  udpPort: number,
): void {
  const version = rows[row + VERSION];
  Atomics.store(rows, row + VERSION, version + 1);
  for (let word = 0; word < 4; word++) Atomics.store(rows, row + word, words[at + word]);
  Atomics.store(rows, row + OWNER, port);
  Atomics.store(rows, row + UDP_PORT, udpPort);
  Atomics.store(rows, row + LINK, 0);
  Atomics.store(rows, row + VERSION, version + 2);
}

/** Makes a row nobody's; its address stays, so that a listing that is being made does not show another one. */
export function expire(rows: Int32Array, row: number): void {
  Atomics.store(rows, row + UDP_PORT, 0);
  Atomics.add(rows, row + VERSION, 2);
}

/** Odd while the row is being written, and another one whenever it was. */
export function versionIn(rows: Int32Array, row: number): number {
  return Atomics.load(rows, row + VERSION);
}

/** Makes a filled row findable: by a slot of its own, the first tombstone on its way, or in place of one with its address. */
export function publish(rows: Int32Array, slots: Int32Array, remote: number): void {
  const row = remote * ROW;
  const slot = slotOf(rows, slots, row);
  rows[row + UDP_PORT] |= FINDABLE;
  const holder = slots[slot];
  if (holder !== EMPTY) {
    rows[row + LINK] = holder;
    Atomics.store(slots, slot, remote);
    return;
  }
  rows[row + LINK] = 0;
  let at = homeOf(rows, row);
  while (at !== slot && slots[at] !== TOMBSTONE) at = (at + 1) & (SLOTS - 1);
  Atomics.store(slots, at, remote);
}

/** Makes a remote not findable any more; another one with its port and address is found in its place. */
export function withdraw(rows: Int32Array, slots: Int32Array, remote: number): void {
  const row = remote * ROW;
  const slot = slotOf(rows, slots, row);
  const next = rows[row + LINK];
  rows[row + UDP_PORT] &= ~FINDABLE;
  rows[row + LINK] = 0;
  let before = slots[slot];
  if (before === remote) {
    if (next !== 0) Atomics.store(slots, slot, next);
    else free(rows, slots, slot, homeOf(rows, row));
    return;
  }
  while (rows[before * ROW + LINK] !== remote) before = rows[before * ROW + LINK];
  rows[before * ROW + LINK] = next;
}

/** Only the searches that led from `home` to the slot end with it; the tombstones on their way may have lost their purpose. */
function free(rows: Int32Array, slots: Int32Array, slot: number, home: number): void {
  Atomics.store(slots, slot, TOMBSTONE);
  for (let at = slot; ; at = (at - 1) & (SLOTS - 1)) {
    if (slots[at] === TOMBSTONE && !isCrossed(rows, slots, at)) Atomics.store(slots, at, EMPTY);
    if (at === home) return;
  }
}

/** True when the search for some remote passes over this slot. */
function isCrossed(rows: Int32Array, slots: Int32Array, slot: number): boolean {
  for (let distance = 1; distance < SLOTS; distance++) {
    const at = (slot + distance) & (SLOTS - 1);
    const remote = slots[at];
    if (remote === EMPTY) return false;
    if (remote === TOMBSTONE) continue;
    if (((at - homeOf(rows, remote * ROW)) & (SLOTS - 1)) >= distance) return true;
  }
  return false;
}

/** Whether two rows have one vxlan port and one address. */
function isSameKey(rows: Int32Array, one: number, other: number): boolean {
  return rows[one + OWNER] === rows[other + OWNER] && isSameAddress(rows, one, other);
}

export function isSameAddress(rows: Int32Array, one: number, other: number): boolean {
  return (
    rows[one] === rows[other] &&
    rows[one + 1] === rows[other + 1] &&
    rows[one + 2] === rows[other + 2] &&
    rows[one + 3] === rows[other + 3]
  );
}

function homeOf(rows: Int32Array, row: number): number {
  return hash(rows[row + OWNER], rows[row], rows[row + 1], rows[row + 2], rows[row + 3]);
}

function hash(port: number, a0: number, a1: number, a2: number, a3: number): number {
  let h = Math.imul(a3 ^ Math.imul(port + 1, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ a2 ^ (h >>> 15), 0xc2b2ae35);
  h = Math.imul(h ^ a1 ^ a0 ^ (h >>> 13), 0x27d4eb2f);
  return (h ^ (h >>> 16)) & (SLOTS - 1);
}
