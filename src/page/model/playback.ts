/**
 * When and where frames are drawn on the wires. A frame's way through a switch is a leg inward, and after it one leg outward for each
 * copy. Times are those of the playback, which runs slower than the clock in slow motion and stands in a pause; real frames pass in
 * microseconds, so a leg starts only after the one that caused it: a reply after the request has come, a tunnel's far half after its
 * near half. Between two switches each draws its own half, so that a frame lost between them is seen to end halfway.
 *
 * Pure: the caller tells the time. Bounded: frames that are too many are counted, not drawn.
 */
import type { Passage, Way } from './messages.js';
import { type Road, roadOf, type Topology } from './topology.js';

/** Milliseconds that frames are held back, so that those of several switches can be put in order. */
const HOLD_MS = 200;
const LEG_MS = 800;
const HALF_LEG_MS = 550;
/** Within a switch. */
const DWELL_MS = 150;
/** A cause that lies further ahead is not waited for. */
const MOST_WAIT_MS = 6000;
/** How long the mark of a dropped frame stays. */
const MARK_MS = 4000;
export const MAX_LEGS = 160;
const MAX_HELD = 400;

/** A frame on a wire. */
export interface Leg {
  readonly id: string;
  readonly passage: Passage;
  readonly sw: string;
  readonly edge: string;
  readonly way: Way;
  /** Positions on the wire, from 0 at its end `a` to 1 at `b`. */
  readonly from: number;
  readonly to: number;
  readonly start: number;
  readonly end: number;
}

/** A frame that came to its end in a switch: dropped, answered, or sent nowhere. */
export interface Mark {
  readonly passage: Passage;
  readonly sw: string;
  readonly port: string;
  readonly start: number;
  readonly end: number;
}

interface Held {
  readonly sw: string;
  readonly passage: Passage;
  /** In real time. */
  readonly due: number;
}

export class Playback {
  private held: Held[] = [];
  private legs: Leg[] = [];
  private marks: Mark[] = [];
  /** Ends of near halves of tunnels, by edge and frame, oldest first. */
  private readonly halfway = new Map<string, number[]>();
  /** When the last frame comes to a node that is no switch, by edge. */
  private readonly arrivals = new Map<string, number>();
  /** Frames that were not drawn, so far. */
  undrawn = 0;

  constructor(private topology: Topology) {}

  /** What is under way goes on, as far as its wires are still there. */
  setTopology(topology: Topology): void {
    this.topology = topology;
    const there = new Set(topology.edges.map(({ id }) => id));
    this.legs = this.legs.filter(({ edge }) => there.has(edge));
  }

  /** @param clock real milliseconds */
  add(sw: string, passages: readonly Passage[], clock: number): void {
    for (const passage of passages) {
      if (this.held.length >= MAX_HELD) this.undrawn += passage.count;
      else this.held.push({ sw, passage, due: clock + HOLD_MS });
    }
  }

  /** Frames known by counters only. Staggered, as if they were on their way. */
  addFlow(sw: string, way: Way, isInward: boolean, count: number, time: number): void {
    const road = this.roadOf(sw, way);
    if (road === undefined) return;
    const isTunnel = way.remote !== undefined;
    const wait = isInward ? (isTunnel ? LEG_MS + HALF_LEG_MS : 0) : isTunnel ? LEG_MS : LEG_MS + 2 * HALF_LEG_MS;
    const passage: Passage = { ...COUNTED, from: way, to: [], count };
    this.push({ passage, sw, road, way, isInward, start: time + wait });
  }

  /**
   * Starts what is due, forgets what is over.
   * @param clock real milliseconds
   * @param time of the playback, milliseconds
   */
  advance(clock: number, time: number): void {
    this.legs = this.legs.filter(({ end }) => end > time);
    this.marks = this.marks.filter(({ end }) => end > time);
    for (const { sw, passage } of this.due(clock)) this.begin(sw, passage, time);
    this.forget(time);
  }

  /** Legs that are drawn now, with the position on their wire. */
  *moving(time: number): Generator<{ leg: Leg; position: number }> {
    for (const leg of this.legs) {
      if (leg.start > time) continue;
      const part = (time - leg.start) / (leg.end - leg.start);
      yield { leg, position: leg.from + (leg.to - leg.from) * part };
    }
  }

  *standing(time: number): Generator<Mark> {
    for (const mark of this.marks) if (mark.start <= time) yield mark;
  }

  /** Ends everything at once. */
  clear(): void {
    this.legs = [];
    this.marks = [];
    this.held = [];
    this.halfway.clear();
    this.arrivals.clear();
  }

  /** What has been held for long enough, and all that was earlier, in order. */
  private due(clock: number): Held[] {
    const ripe = this.held.filter((one) => one.due <= clock);
    if (ripe.length === 0) return [];
    const last = Math.max(...ripe.map(({ passage }) => passage.at));
    const isDue = (one: Held): boolean => one.due <= clock || one.passage.at <= last;
    const due = this.held.filter(isDue);
    this.held = this.held.filter((one) => !isDue(one));
    return due.sort((one, other) => one.passage.at - other.passage.at || one.passage.id - other.passage.id);
  }

  private begin(sw: string, passage: Passage, time: number): void {
    if (this.legs.length + passage.to.length + 1 > MAX_LEGS) {
      this.undrawn += passage.count;
      return;
    }
    const came = this.roadOf(sw, passage.from);
    let next = time;
    if (came !== undefined) {
      const start = this.causeOf(came, passage, time);
      next = this.push({ passage, sw, road: came, way: passage.from, isInward: true, start }) + DWELL_MS;
    }
    passage.to.forEach((way) => {
      const road = this.roadOf(sw, way);
      if (road !== undefined) this.push({ passage, sw, road, way, isInward: false, start: next });
    });
    if (passage.to.length === 0)
      this.marks.push({ passage, sw, port: passage.from.port, start: next - DWELL_MS, end: next + MARK_MS });
    if (this.marks.length > MAX_LEGS) this.marks.shift();
  }

  /** When the frame may enter: after what sent it has come. */
  private causeOf(road: Road, passage: Passage, time: number): number {
    const halves = this.halfway.get(`${road.edge} ${passage.key}`);
    const cause = this.isShared(road) ? halves?.shift() : this.arrivals.get(road.edge);
    if (cause === undefined || cause < time || cause - time > MOST_WAIT_MS) return time;
    return cause;
  }

  /** @returns when the leg ends */
  private push(one: { passage: Passage; sw: string; road: Road; way: Way; isInward: boolean; start: number }): number {
    const { passage, sw, road, way, isInward, start } = one;
    const shared = this.isShared(road);
    const far = shared ? 0.5 : road.isA ? 1 : 0;
    const near = road.isA ? 0 : 1;
    const [from, to] = isInward ? [far, near] : [near, far];
    const end = start + (shared ? HALF_LEG_MS : LEG_MS);
    const id = `${sw} ${passage.id} ${isInward ? 'in' : 'out'} ${way.port} ${way.remote ?? ''}`;
    this.legs.push({ id, passage, sw, edge: road.edge, way, from, to, start, end });
    if (!isInward) this.note(road, passage, shared, end);
    return end;
  }

  private note(road: Road, passage: Passage, shared: boolean, end: number): void {
    if (!shared) {
      this.arrivals.set(road.edge, end);
      return;
    }
    const key = `${road.edge} ${passage.key}`;
    this.halfway.set(key, [...(this.halfway.get(key) ?? []), end].slice(-4));
  }

  /** Whether the wire is between two switches that both tell of their frames. */
  private isShared(road: Road): boolean {
    const edge = this.topology.edges.find(({ id }) => id === road.edge);
    return edge?.a.port !== undefined && edge.b.port !== undefined;
  }

  private roadOf(sw: string, { port, remote }: Way): Road | undefined {
    return roadOf(this.topology, sw, port, remote);
  }

  private forget(time: number): void {
    for (const [edge, end] of this.arrivals) if (end < time) this.arrivals.delete(edge);
    for (const [key, ends] of this.halfway) if ((ends.at(-1) ?? 0) < time - MOST_WAIT_MS) this.halfway.delete(key);
  }
}

/** A frame of which only the number is known. */
const COUNTED: Omit<Passage, 'from' | 'to' | 'count'> = {
  id: 0,
  at: 0,
  verdict: 'counted',
  kind: '',
  text: 'frames, by the counters',
  key: '',
  length: 0,
};
