/**
 * Who says what of one row: each source has one claim at most. The last one that said something new is in force; when it takes that back,
 * the one before is.
 */

/** A source, as rows know it. */
export interface Claimant {
  readonly name: string;
  /** Counts its beginnings: claims of earlier ones are stale. */
  round: number;
  /** Its rows. */
  rows: number;
}

interface Claim<V> {
  by: Claimant;
  round: number;
  value: V;
}

export class Claims<V> {
  private claims: Claim<V>[] = [];

  /** @param same whether two values say the same: then the claim keeps its place @returns whether the source had none before */
  claim(by: Claimant, value: V, same: (one: V, other: V) => boolean): boolean {
    const at = this.claims.findIndex((one) => one.by === by);
    const before = this.claims[at];
    if (before === undefined) {
      by.rows++;
      this.claims.push({ by, round: by.round, value });
      return true;
    }
    before.round = by.round;
    if (same(before.value, value)) return false;
    this.claims.splice(at, 1);
    this.claims.push({ by, round: by.round, value });
    return false;
  }

  /** @param fits of its value; another one stays @returns whether something has changed */
  withdraw(by: Claimant, fits: (value: V) => boolean): boolean {
    const at = this.claims.findIndex((one) => one.by === by);
    if (at < 0 || !fits(this.claims[at].value)) return false;
    this.claims.splice(at, 1);
    by.rows--;
    return true;
  }

  /** Whether the source has a claim, one of an earlier beginning only. */
  isStale(by: Claimant): boolean {
    return this.claims.some((one) => one.by === by && one.round !== by.round);
  }

  of(by: Claimant): V | undefined {
    return this.claims.find((one) => one.by === by)?.value;
  }

  /** The value in force. */
  get value(): V | undefined {
    return this.claims.at(-1)?.value;
  }

  /** The source of the value in force. */
  get source(): string | undefined {
    return this.claims.at(-1)?.by.name;
  }

  get isEmpty(): boolean {
    return this.claims.length === 0;
  }
}
