/**
 * Random numbers for fuzzing: xorshift (Marsaglia 2003, 32 bits), since ten million frames need some hundred million of them,
 * and the same seed must give the same run.
 */
export class Random {
  private state: number;

  /** @param seed any integer */
  constructor(readonly seed: number) {
    // Neighbouring seeds shall not begin alike, and 0 would stay 0 for ever.
    this.state = Math.imul(seed ^ 0x2545f491, 0x9e3779b1) | 0 || 1;
    for (let i = 0; i < 8; i++) this.next();
  }

  /** 32 bits, signed. */
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x;
  }

  /** 0 to `end - 1`. */
  below(end: number): number {
    return (this.next() >>> 0) % end;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  fill(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at++) bytes[at] = this.next();
  }
}
