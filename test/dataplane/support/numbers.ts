/** Allocates numbers, the lowest free one first; they may be released. */
export class Pool {
  private readonly taken = new Set<number>();

  constructor(private readonly first: number) {}

  take(): number {
    let number = this.first;
    while (this.taken.has(number)) number++;
    this.taken.add(number);
    return number;
  }

  give(number: number): void {
    if (!this.taken.delete(number)) throw new Error(`${number} was not given out`);
  }
}
