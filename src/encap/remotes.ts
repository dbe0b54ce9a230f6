/**
 * The VTEPs a switch knows: one row per (vxlan port, address), in shared memory so that the control thread can
 * name a remote that the engine learned. Rows are never moved or reused while the switch runs; the row's index
 * is the remote's identity everywhere (FDB destinations, flood lists, the Nic's address table, counters).
 *
 * Addresses are four big-endian words, IPv4 mapped into ::ffff:0:0/96. Index 0 means "no remote".
 * Rows 1..STATIC_REMOTES-1 are numbered by the control thread, the rest by the engine (`accept_vteps: any`).
 */

export const MAX_REMOTES = 65_536;
/** First index that the engine numbers itself. */
export const STATIC_REMOTES = 32_768;

const ROW = 8;
const ADDRESS = 0;
const UDP_PORT = 4;
const OWNER = 5;
const SLOTS = 131_072;

export class RemoteTable {
  readonly memory: SharedArrayBuffer;
  private readonly rows: Int32Array;
  /** Hash slots holding remote indexes; only the engine's instance fills them. */
  private readonly slots = new Int32Array(SLOTS);
  private nextLearned = STATIC_REMOTES;

  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(MAX_REMOTES * ROW * 4);
    this.rows = new Int32Array(this.memory);
  }

  /** The remote of `port` with this address, or 0. One bounded probe sequence. */
  find(port: number, a0: number, a1: number, a2: number, a3: number): number {
    const { rows, slots } = this;
    let slot = hash(port, a0, a1, a2, a3);
    for (;;) {
      const remote = slots[slot];
      if (remote === 0) return 0;
      const row = remote * ROW;
      if (
        rows[row + 3] === a3 &&
        rows[row + OWNER] === port &&
        rows[row + 2] === a2 &&
        rows[row + 1] === a1 &&
        rows[row] === a0
      ) {
        return remote;
      }
      slot = (slot + 1) & (SLOTS - 1);
    }
  }

  /** Fills row `remote`. With `known`, datagrams from that address to that port are from this remote from now on. */
  add(remote: number, port: number, address: ArrayLike<number>, udpPort: number, known: boolean): void {
    const row = remote * ROW;
    for (let word = 0; word < 4; word++) this.rows[row + ADDRESS + word] = address[word];
    this.rows[row + UDP_PORT] = udpPort;
    this.rows[row + OWNER] = port;
    if (!known) return;
    let slot = hash(port, address[0], address[1], address[2], address[3]);
    while (this.slots[slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
    this.slots[slot] = remote;
  }

  /** The next index for a VTEP that the engine itself comes to know; 0 when there is no room left. */
  nextIndex(): number {
    return this.nextLearned < MAX_REMOTES ? this.nextLearned++ : 0;
  }

  /** Word `index` (0-3) of the remote's address. */
  word(remote: number, index: number): number {
    return this.rows[remote * ROW + ADDRESS + index];
  }

  /** Whether two remotes are one VTEP: the same address, whatever UDP port frames are sent to. */
  isSameVtep(one: number, other: number): boolean {
    const { rows } = this;
    const a = one * ROW;
    const b = other * ROW;
    return (
      rows[a] === rows[b] && rows[a + 1] === rows[b + 1] && rows[a + 2] === rows[b + 2] && rows[a + 3] === rows[b + 3]
    );
  }

  udpPort(remote: number): number {
    return this.rows[remote * ROW + UDP_PORT];
  }

  /** The remotes of a port that the engine came to know by itself. For listings, by any thread. */
  *learned(port: number): Generator<number> {
    for (let remote = STATIC_REMOTES; remote < MAX_REMOTES && this.udpPort(remote) !== 0; remote++) {
      if (this.rows[remote * ROW + OWNER] === port) yield remote;
    }
  }
}

function hash(port: number, a0: number, a1: number, a2: number, a3: number): number {
  let h = Math.imul(a3 ^ Math.imul(port + 1, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ a2 ^ (h >>> 15), 0xc2b2ae35);
  h = Math.imul(h ^ a1 ^ a0 ^ (h >>> 13), 0x27d4eb2f);
  return (h ^ (h >>> 16)) & (SLOTS - 1);
}
