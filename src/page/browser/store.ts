/** What the page knows, from the stream; bounded. Tells nobody: views read it when they are drawn. */
import type { Drop, Happening, MessageName, Messages, PartName, Parts, Passage, Site } from '../model/messages.js';
import { type Growth, Rates } from '../model/rates.js';

/** Frames and events that the lists keep. */
const KEPT = 100;
/** Milliseconds for which a new row is marked. */
const FRESH_MS = 4000;

export interface Shown<T> {
  readonly sw: string;
  readonly item: T;
}

export interface SwitchKnown {
  readonly parts: Partial<Parts>;
  readonly rates: Rates;
  /** When a MAC was last learned, moved or changed, by `performance.now`. */
  readonly fresh: Map<string, number>;
}

export class Store {
  site: Site = { title: 'overtap', switches: [], lab: false, guests: [] };
  readonly switches = new Map<string, SwitchKnown>();
  passages: Shown<Passage>[] = [];
  happenings: Shown<Happening>[] = [];
  /** Frames that the switches or this page could not tell of. */
  missed = 0;
  gaps = 0;

  known(sw: string): SwitchKnown {
    const known = this.switches.get(sw) ?? { parts: {}, rates: new Rates(), fresh: new Map() };
    this.switches.set(sw, known);
    return known;
  }

  part<P extends PartName>(sw: string, part: P): Parts[P] | undefined {
    return this.switches.get(sw)?.parts[part];
  }

  /** @returns what the counters have grown by, for totals */
  take<M extends MessageName>(name: M, message: Messages[M]): Growth | undefined {
    const taken = { name, message } as { [K in MessageName]: { name: K; message: Messages[K] } }[MessageName];
    switch (taken.name) {
      case 'site':
        this.site = taken.message;
        for (const sw of this.site.switches) this.known(sw);
        return undefined;
      case 'part':
        return this.takePart(taken.message);
      case 'happenings':
        this.takeHappenings(taken.message.switch, taken.message.list);
        return undefined;
      case 'passages': {
        const { switch: sw, list, missed } = taken.message;
        this.missed += missed;
        this.passages = [...this.passages, ...list.map((item) => ({ sw, item }))].slice(-KEPT);
        return undefined;
      }
      default:
        this.gaps += taken.message.count;
        return undefined;
    }
  }

  /** The drops of all switches, the latest first. */
  drops(): Shown<Drop>[] {
    const all = [...this.switches].flatMap(([sw, { parts }]) => (parts.drops ?? []).map((item) => ({ sw, item })));
    return all.sort((one, other) => other.item.at - one.item.at);
  }

  isFresh(sw: string, mac: string): boolean {
    const at = this.switches.get(sw)?.fresh.get(mac);
    return at !== undefined && performance.now() - at < FRESH_MS;
  }

  private takePart({ switch: sw, part, value }: Messages['part']): Growth | undefined {
    const known = this.known(sw);
    Object.assign(known.parts, { [part]: value });
    return part === 'totals' ? known.rates.add(value) : undefined;
  }

  private takeHappenings(sw: string, list: readonly Happening[]): void {
    const { fresh } = this.known(sw);
    const now = performance.now();
    for (const [mac, at] of fresh) if (now - at > FRESH_MS) fresh.delete(mac);
    for (const { mac } of list) if (mac !== undefined) fresh.set(mac, now);
    this.happenings = [...this.happenings, ...list.map((item) => ({ sw, item }))].slice(-KEPT);
  }
}
