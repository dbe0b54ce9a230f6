/**
 * The FDB of a shadow switch: a small table of its own, into which a row of the live table comes when it is first asked for. So the
 * data path's own code learns and decides here, with the live limits and counts, and nothing of the live table changes.
 *
 * A live table that is full evicts another entry for a new one. That is not simulated: no decision depends on it.
 */
import { createFdb, Fdb, type FdbReader, type FdbRow } from '../../fdb/table.js';
import type { Recorder } from './facts.js';

/** More rows than one frame can ask for: its own two, one a port for pinned MACs, and those of bindings. */
const ROWS = 2048;

export class ShadowFdb extends Fdb {
  /** The memory of an empty table. */
  private readonly empty: Uint8Array;
  private readonly bytes: Uint8Array;
  /** Keys that came from the live table already, or are not there. */
  private readonly asked = new Set<string>();
  private readonly limits: Fdb;

  /** @param live reads the live table; @param memory of it */
  constructor(
    private readonly live: FdbReader,
    memory: SharedArrayBuffer,
    private readonly recorder: Recorder,
  ) {
    const limits = Fdb.attach(memory);
    const own = createFdb({
      capacity: ROWS,
      owners: limits.ownerLimit.length,
      groups: limits.groupLimit.length,
      events: 64,
    });
    super(own.memory);
    this.limits = limits;
    this.bytes = new Uint8Array(own.memory);
    this.empty = this.bytes.slice();
  }

  /** Forgets everything; the limits and counts are those of the live table. */
  begin(): void {
    this.bytes.set(this.empty);
    this.asked.clear();
    const { limits } = this;
    this.ownerLimit.set(limits.ownerLimit);
    this.groupLimit.set(limits.groupLimit);
    this.groupOfOwner.set(limits.groupOfOwner);
    this.learnedByOwner.set(limits.learnedByOwner);
    this.learnedByGroup.set(limits.learnedByGroup);
  }

  override lookup(high: number, low: number, fid: number): number {
    this.fetch(high, low, fid);
    // The look-up of a source tells nothing that learning does not.
    return super.lookup(high, low, fid);
  }

  override resolve(high: number, low: number, fid: number): number {
    this.fetch(high, low, fid);
    const destination = super.resolve(high, low, fid);
    this.recorder.note({ fact: 'entry', high, low, fid, entry: this.entryAt(this.find(high, low, fid)) });
    return destination;
  }

  override learn(
    high: number,
    low: number,
    fid: number,
    destination: number,
    owner: number,
    now: number,
    settled?: number,
  ): number {
    this.fetch(high, low, fid);
    const before = this.entryAt(this.find(high, low, fid));
    const learn = (): number => super.learn(high, low, fid, destination, owner, now, settled);
    const outcome = this.recorder.within(learn);
    this.recorder.note({ fact: 'learned', high, low, fid, destination, before, outcome });
    return outcome;
  }

  override learnLocked(
    high: number,
    low: number,
    fid: number,
    destination: number,
    owner: number,
    now: number,
  ): number {
    this.fetch(high, low, fid);
    const before = this.entryAt(this.find(high, low, fid));
    const outcome = this.recorder.within(() => super.learnLocked(high, low, fid, destination, owner, now));
    this.recorder.note({ fact: 'learned', high, low, fid, destination, before, outcome, isLocked: true });
    return outcome;
  }

  override refresh(row: number, now: number): number {
    const before = this.entryAt(row);
    const outcome = super.refresh(row, now);
    if (before === null || this.recorder.isInside) return outcome;
    const { high, low, fid, destination } = before;
    this.recorder.note({ fact: 'learned', high, low, fid, destination, before, outcome });
    return outcome;
  }

  /** Copies the live row of a key, once. It is counted already. */
  private fetch(high: number, low: number, fid: number): void {
    const key = `${high} ${low} ${fid}`;
    if (this.asked.has(key)) return;
    this.asked.add(key);
    const entry = this.live.find(high, low, fid);
    if (entry === null) return;
    const { destination, owner, flags, stamp, moves } = entry;
    const group = this.groupOfOwner[owner];
    const counts = [this.learnedByOwner[owner], this.learnedByGroup[group]] as const;
    this.restore(high, low, fid, destination, owner, flags, stamp, moves);
    [this.learnedByOwner[owner], this.learnedByGroup[group]] = counts;
  }

  private entryAt(row: number): FdbRow | null {
    if (row < 0) return null;
    return {
      row,
      high: this.macHighOf(row),
      low: this.macLowOf(row),
      fid: this.fidAt(row),
      destination: this.destinationOf(row),
      owner: this.ownerOf(row),
      flags: this.flagsOf(row),
      stamp: this.stampOf(row),
      moves: this.movesOf(row),
    };
  }
}
