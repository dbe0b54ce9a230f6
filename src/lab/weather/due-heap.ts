/** Frames by the time at which they leave; those of one time in the order in which they came. A binary heap. */
interface Waiting {
  readonly due: number;
  readonly serial: number;
  readonly frame: Uint8Array;
}

const isBefore = (a: Waiting, b: Waiting): boolean => a.due < b.due || (a.due === b.due && a.serial < b.serial);

export class DueHeap {
  readonly #heap: Waiting[] = [];
  #serial = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** Time of the first; Infinity: there is none. */
  get due(): number {
    return this.#heap[0]?.due ?? Number.POSITIVE_INFINITY;
  }

  push(due: number, frame: Uint8Array): void {
    const item = { due, serial: this.#serial++, frame };
    let at = this.#heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#heap[parent] as Waiting;
      if (!isBefore(item, above)) break;
      this.#heap[at] = above;
      at = parent;
    }
    this.#heap[at] = item;
  }

  /** Takes the first out. */
  pop(): Uint8Array | null {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined) return null;
    if (this.#heap.length > 0) this.#sink(last);
    return first.frame;
  }

  /** Puts an item in the place of the first, and down to where it belongs. */
  #sink(item: Waiting): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [this.#heap[child], this.#heap[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) child++;
      const below = this.#heap[child] as Waiting;
      if (!isBefore(below, item)) break;
      this.#heap[at] = below;
      at = child;
    }
    this.#heap[at] = item;
  }
}
