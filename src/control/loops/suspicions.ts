/**
 * Where a loop may be: VLANs of bridges in which MACs move, and all of them while floods are many. A loop without frames does no
 * harm; one with frames shows itself at once, since each frame comes back by another port than its sender's.
 */
import type { BridgeModel } from '../model/model.js';

/** Moves within WINDOW_MS that a loop has after a few rounds, and a guest that moves has not. */
const MOVES = 8;
const WINDOW_MS = 1000;
/** Time for which it is looked for after the last sign. */
const LOOK_MS = 1000;
/**
 * Most VLANs watched at a time: then the bridge with most of them gives one up to another, so no guest hides the loops of others. Two
 * bridges can have all of their VLANs watched.
 */
const MOST = 8192;
/** Ports of a VLAN that are remembered, the latest: a loop makes MACs move between the ports that it goes through. */
const PORTS = 4;
/** Floods in a tick, twice in a row, that are a sign where nothing is learned: 20,000 a second. */
const FLOODS = 2000;

/** A VLAN in which MACs move. */
export interface Suspicion {
  readonly bridge: BridgeModel;
  readonly vid: number;
  /** Indexes of the ports between which they move. */
  readonly ports: number[];
  /** In this second so far. */
  moves: number;
  windowEnd: number;
  until: number;
}

export class Suspicions {
  private readonly of = new Map<string, Suspicion>();
  /** By bridge: how many of its VLANs are watched. */
  private readonly vlans = new Map<BridgeModel, number>();
  private seenFloods: number | null = null;
  private wasFlooded = false;
  private everywhereUntil = 0;

  /** A MAC has moved between two ports, given by index. */
  moved(bridge: BridgeModel, vid: number, ports: readonly number[], now: number): void {
    const key = `${bridge.index} ${vid}`;
    let one = this.of.get(key);
    if (one === undefined || one.bridge !== bridge) {
      if (one !== undefined) this.drop(key, one);
      if (this.of.size >= MOST && !this.makeRoom(bridge)) return;
      one = { bridge, vid, ports: [], moves: 0, windowEnd: now + WINDOW_MS, until: 0 };
      this.of.set(key, one);
      this.vlans.set(bridge, (this.vlans.get(bridge) ?? 0) + 1);
    }
    if (now >= one.windowEnd) {
      one.moves = 0;
      one.windowEnd = now + WINDOW_MS;
    }
    for (const port of ports) {
      if (one.ports.includes(port)) continue;
      one.ports.push(port);
      if (one.ports.length > PORTS) one.ports.shift();
    }
    if (++one.moves >= MOVES) one.until = now + LOOK_MS;
  }

  /** @returns false: no other bridge has more than this one */
  private makeRoom(bridge: BridgeModel): boolean {
    const own = this.vlans.get(bridge) ?? 0;
    let [greediest, most] = [bridge, own + 1];
    for (const [other, vlans] of this.vlans) if (vlans > most) [greediest, most] = [other, vlans];
    if (greediest === bridge) return false;
    for (const [key, one] of this.of) if (one.bridge === greediest) return this.drop(key, one);
    return false;
  }

  private drop(key: string, { bridge }: Suspicion): true {
    this.of.delete(key);
    const left = (this.vlans.get(bridge) ?? 1) - 1;
    if (left === 0) this.vlans.delete(bridge);
    else this.vlans.set(bridge, left);
    return true;
  }

  /** @param floods of the switch since its start; called once a tick */
  flooded(floods: number, now: number): void {
    const isFlooded = this.seenFloods !== null && floods - this.seenFloods >= FLOODS;
    if (isFlooded && this.wasFlooded) this.everywhereUntil = now + LOOK_MS;
    this.wasFlooded = isFlooded;
    this.seenFloods = floods;
  }

  isEverywhere(now: number): boolean {
    return now < this.everywhereUntil;
  }

  /** The VLANs in which a loop is to be looked for. */
  places(now: number): Suspicion[] {
    const places: Suspicion[] = [];
    for (const [key, one] of this.of) {
      if (now < one.until) places.push(one);
      else if (now >= one.windowEnd) this.drop(key, one);
    }
    return places;
  }
}
