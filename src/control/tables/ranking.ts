/**
 * Places with a count each, and which of them has most: found at once, however many places there are, since whoever fills a table has it
 * looked up for each record of a report.
 */
export class Ranking {
  private readonly counts = new Map<number, number>();
  /** By count, the places that have it. */
  private readonly byCount = new Map<number, Set<number>>();
  private most = 0;

  of(place: number): number {
    return this.counts.get(place) ?? 0;
  }

  add(place: number, more: number): void {
    const before = this.of(place);
    const now = before + more;
    if (more === 0) return;
    this.leave(place, before);
    if (now > 0) this.enter(place, now);
    else this.counts.delete(place);
    while (this.most > 0 && !this.byCount.has(this.most)) this.most--;
  }

  private leave(place: number, count: number): void {
    const places = this.byCount.get(count);
    places?.delete(place);
    if (places?.size === 0) this.byCount.delete(count);
  }

  private enter(place: number, count: number): void {
    this.counts.set(place, count);
    const places = this.byCount.get(count);
    if (places === undefined) this.byCount.set(count, new Set([place]));
    else places.add(place);
    this.most = Math.max(this.most, count);
  }

  /** The place that has most, and how many; null: there is none. */
  get greediest(): { place: number; count: number } | null {
    for (const place of this.byCount.get(this.most) ?? []) return { place, count: this.most };
    return null;
  }

  /** Of all places. */
  get total(): number {
    let total = 0;
    for (const count of this.counts.values()) total += count;
    return total;
  }
}
