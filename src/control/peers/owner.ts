/** A source's side of the tables: its changes, in pieces between which frames and other changes have their turn. */
import { guarded } from '../guard.js';
import type { Claimant } from './claims.js';
import type { LastingOwner, PeerBinding, PeerChange, PeerFlood, PeerMac, PeerOutcome, RowDelta } from './contract.js';

/** Rows of one piece: their operations take an engine about a millisecond. */
export const PIECE = 1024;

/** A piece of a change; absent lists are empty. */
export interface Piece {
  floods?: Partial<RowDelta<PeerFlood>>;
  macs?: Partial<RowDelta<PeerMac>>;
  bindings?: Partial<RowDelta<PeerBinding>>;
}

export interface OwnerParts {
  /** Carries a piece out. @returns reasons of refusals, one for each row */
  put(by: Claimant, piece: Piece): Promise<string[]>;
  /** Takes back the claims that `isMeant`. */
  sweep(by: Claimant, which: 'all' | 'stale'): Promise<void>;
}

export class Owner implements LastingOwner, Claimant {
  round = 0;
  rows = 0;
  private expiry: NodeJS.Timeout | undefined;

  constructor(
    readonly name: string,
    private readonly parts: OwnerParts,
  ) {}

  async change(change: PeerChange): Promise<PeerOutcome> {
    let refused = 0;
    let reason: string | undefined;
    for (const piece of piecesOf(change)) {
      const reasons = await this.parts.put(this, piece);
      refused += reasons.length;
      reason ??= reasons[0];
    }
    return { refused, ...(reason === undefined ? {} : { reason }) };
  }

  async clear(): Promise<void> {
    this.forgetExpiry();
    await this.parts.sweep(this, 'all');
  }

  renew(seconds: number): void {
    this.round++;
    this.forgetExpiry();
    const expire = guarded('peers', () => this.settled());
    this.expiry = setTimeout(expire, seconds * 1000);
    this.expiry.unref();
  }

  async settled(): Promise<void> {
    this.forgetExpiry();
    await this.parts.sweep(this, 'stale');
  }

  private forgetExpiry(): void {
    clearTimeout(this.expiry);
    this.expiry = undefined;
  }

  /** Ends its timer. */
  stop(): void {
    this.forgetExpiry();
  }
}

/** A small change is one piece. Of a large one, what goes is first, so that what comes finds room; bindings come after their MACs. */
function* piecesOf(change: PeerChange): Generator<Piece> {
  const { floods, macs, bindings } = change;
  const lists = [floods, macs, bindings].flatMap((delta) => (delta === undefined ? [] : [delta.add, delta.remove]));
  if (lists.reduce((sum, { length }) => sum + length, 0) <= PIECE) {
    yield change;
    return;
  }
  for (const remove of cut(leaving(bindings, ({ ip }) => ip))) yield { bindings: { remove } };
  for (const remove of cut(leaving(macs, ({ mac }) => mac))) yield { macs: { remove } };
  for (const remove of cut(floods?.remove)) yield { floods: { remove } };
  for (const add of cut(floods?.add)) yield { floods: { add } };
  for (const add of cut(macs?.add)) yield { macs: { add } };
  for (const add of cut(bindings?.add)) yield { bindings: { add } };
}

/** What goes and does not come again: a MAC that moves is not without a place for a piece's time. */
function leaving<T extends { port: string; vni: number }>(
  delta: RowDelta<T> | undefined,
  keyOf: (row: T) => string,
): readonly T[] {
  if (delta === undefined || delta.add.length === 0) return delta?.remove ?? [];
  const name = (row: T): string => `${row.port} ${row.vni} ${keyOf(row)}`;
  const coming = new Set(delta.add.map(name));
  return delta.remove.filter((row) => !coming.has(name(row)));
}

function* cut<T>(rows: readonly T[] = []): Generator<readonly T[]> {
  for (let at = 0; at < rows.length; at += PIECE) yield rows.slice(at, at + PIECE);
}
