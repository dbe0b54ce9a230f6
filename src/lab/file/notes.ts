/** What reading a lab file has noted about its parts, for the rules: they judge what is valid in a part that has faults elsewhere. */
import type { Path } from '../../config/read/faults.js';

export class Notes {
  private readonly withFaults = new Set<unknown>();
  private readonly places = new Map<unknown, Path>();

  /** @param part a host, guest, route, link or check */
  add(part: unknown, path: Path, hasFaults: boolean): void {
    this.places.set(part, path);
    if (hasFaults) this.withFaults.add(part);
  }

  /** Whether a part is as its author has meant it: in another one nothing is missed. */
  isWhole(part: unknown): boolean {
    return !this.withFaults.has(part);
  }

  /** Its place in the file: parts before it may have been left out. */
  place(part: unknown): Path {
    return this.places.get(part) ?? [];
  }
}
