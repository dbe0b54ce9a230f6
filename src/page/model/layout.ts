/**
 * Places a topology on a plane: the switches in a row, what is at their ports on one side, tunnels as arcs on the other side, and
 * beyond these the remotes that are not shown as switches. In a narrow window the same is drawn from top to bottom.
 *
 * Lengths are in units of the drawing; a line of text is `LINE` high. Pure: the same topology has the same places.
 */
import type { Edge, End, Node, Topology } from './topology.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Box {
  readonly node: Node;
  /** The middle. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A port's mark at the edge of its switch, and where its name is written. */
export interface PortMark {
  readonly sw: string;
  readonly port: string;
  readonly at: Point;
  readonly text: string;
  readonly label: Point;
  readonly anchor: 'start' | 'middle' | 'end';
}

export interface Wire {
  readonly edge: Edge;
  /** An SVG path from `edge.a` to `edge.b`. */
  readonly path: string;
}

export interface Plan {
  readonly orientation: Orientation;
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  readonly ports: readonly PortMark[];
  readonly wires: readonly Wire[];
}

export type Orientation = 'wide' | 'tall';

export const LINE = 22;
const GAP = 26;
const SWITCH_GAP = 70;
const MARGIN = 26;
/** Between a switch and its guests, where frames are seen. */
const REACH = 120;
/** Height of an arc to the next switch, and of each further one. */
const ARC = 90;
const ARC_STEP = 42;
/** More remotes than this stand in two rows. */
const MOST_STRANGERS_IN_A_ROW = 5;
/** More guests of a switch than this always stand in two rows. */
const MOST_GUESTS_IN_A_ROW = 6;

/** Extents along the row of switches, and across it. */
interface Extent {
  readonly main: number;
  readonly cross: number;
}

const SIZES: Record<Orientation, Record<'guest' | 'switch' | 'remote', Extent>> = {
  wide: { guest: { main: 176, cross: 80 }, switch: { main: 300, cross: 112 }, remote: { main: 200, cross: 76 } },
  tall: { guest: { main: 80, cross: 176 }, switch: { main: 150, cross: 230 }, remote: { main: 76, cross: 190 } },
};

export interface Arrangement {
  readonly orientation: Orientation;
  /** Rows that the guests of a switch stand in, every other one further away. */
  readonly rows: 1 | 2;
}

/** Pixels of a unit from which a drawing can be read well. */
const READABLE = 0.85;
/** In the order of preference. */
const ARRANGEMENTS: readonly Arrangement[] = [
  { orientation: 'wide', rows: 1 },
  { orientation: 'wide', rows: 2 },
  { orientation: 'tall', rows: 1 },
  { orientation: 'tall', rows: 2 },
];

/** The first arrangement that can be read in a window, or else the one that fills it best. */
export function layOutIn(topology: Topology, window: { readonly width: number; readonly height: number }): Plan {
  const scale = ({ width, height }: Plan): number => Math.min(window.width / width, window.height / height);
  const plans = ARRANGEMENTS.map((one) => layOut(topology, one));
  return (
    plans.find((plan) => scale(plan) >= READABLE) ??
    plans.reduce((best, plan) => (scale(plan) > scale(best) ? plan : best))
  );
}

/** A place in extents: `main` along the row, `cross` across it. */
interface Place {
  main: number;
  cross: number;
}

interface Context {
  readonly topology: Topology;
  readonly orientation: Orientation;
  readonly rows: 1 | 2;
  readonly places: Map<string, Place>;
  readonly spans: Map<string, number>;
  /** The middle of the row of switches, across. */
  readonly row: number;
  /** Where the rows of remotes end, across. */
  readonly shore: number;
}

export function layOut(topology: Topology, { orientation, rows }: Arrangement): Plan {
  const sizes = SIZES[orientation];
  const switches = topology.nodes.filter(({ kind }) => kind === 'switch');
  const strangers = topology.nodes.filter(({ kind, at }) => at === undefined && kind !== 'switch');
  const strangerRows = strangers.length > MOST_STRANGERS_IN_A_ROW ? 2 : 1;
  const strangerDepth = strangers.length === 0 ? 0 : strangerRows * (sizes.remote.cross + 30);
  const row = MARGIN + strangerDepth + arcRoom(topology, switches) + sizes.switch.cross / 2;
  const context: Context = {
    topology,
    orientation,
    rows,
    places: new Map(),
    spans: new Map(),
    row,
    shore: MARGIN + strangerDepth,
  };
  const length = placeSwitches(context, switches);
  const step = (sizes.remote.main + GAP) / strangerRows;
  const strangerLength = (strangers.length - 1) * step + sizes.remote.main + 2 * MARGIN;
  const total = strangers.length === 0 ? length : Math.max(length, strangerLength);
  for (const place of context.places.values()) place.main += (total - length) / 2;
  placeStrangers(context, strangers, total, strangerRows);
  return finish(context, total);
}

/** Room for the highest arc. */
function arcRoom({ edges }: Topology, switches: readonly Node[]): number {
  const order = new Map(switches.map(({ id }, index) => [id, index]));
  const spans = edges.map(({ kind, a, b }) =>
    kind === 'local' ? 0 : Math.abs((order.get(a.node) ?? 0) - (order.get(b.node) ?? 0)),
  );
  const longest = Math.max(0, ...spans);
  const toStrangers = edges.some(({ b }) => !order.has(b.node) && b.node.match(/^(remote|group|more remotes) /))
    ? 110
    : 0;
  return Math.max(longest === 0 ? 0 : ARC + (longest - 1) * ARC_STEP, toStrangers);
}

/** @returns the length of the row */
function placeSwitches(context: Context, switches: readonly Node[]): number {
  const { topology, orientation, rows: wanted, places, spans, row } = context;
  const size = SIZES[orientation];
  let at = MARGIN;
  for (const { id } of switches) {
    const guests = topology.nodes.filter((node) => node.at === id);
    const rows = guests.length > MOST_GUESTS_IN_A_ROW ? 2 : wanted;
    const step = (size.guest.main + GAP) / rows;
    const used = guests.length === 0 ? 0 : (guests.length - 1) * step + size.guest.main;
    const span = Math.max(size.switch.main, used);
    places.set(id, { main: at + span / 2, cross: row });
    spans.set(id, span);
    const first = at + (span - used) / 2 + size.guest.main / 2;
    const below = row + size.switch.cross / 2 + REACH + size.guest.cross / 2;
    guests.forEach((guest, index) => {
      const cross = below + (index % rows) * (size.guest.cross + GAP);
      places.set(guest.id, { main: first + index * step, cross });
    });
    at += span + SWITCH_GAP;
  }
  return Math.max(at - SWITCH_GAP, MARGIN) + MARGIN;
}

function placeStrangers(
  { orientation, places }: Context,
  strangers: readonly Node[],
  length: number,
  rows: number,
): void {
  const { main, cross } = SIZES[orientation].remote;
  const share = (length - main - 2 * MARGIN) / Math.max(1, strangers.length - 1);
  strangers.forEach(({ id }, index) => {
    const at = strangers.length === 1 ? length / 2 : MARGIN + main / 2 + index * share;
    places.set(id, { main: at, cross: MARGIN + cross / 2 + (index % rows) * (cross + 30) });
  });
}

function finish(context: Context, length: number): Plan {
  const { topology, orientation, places } = context;
  const boxes = topology.nodes.flatMap((node) => {
    const place = places.get(node.id);
    return place === undefined ? [] : [boxOf(context, node, place)];
  });
  const ports = marksOf(context);
  const marks = new Map(ports.map((mark) => [`${mark.sw} ${mark.port}`, mark.at]));
  const wires = topology.edges.flatMap((edge) => wireOf(context, edge, marks));
  const far = Math.max(
    ...boxes.map(({ x, y, width, height }) => (orientation === 'wide' ? y + height / 2 : x + width / 2)),
    200,
  );
  const depth = far + MARGIN;
  const [width, height] = orientation === 'wide' ? [length, depth] : [depth, length];
  return { orientation, width, height, boxes, ports, wires };
}

function boxOf({ orientation, spans }: Context, node: Node, place: Place): Box {
  const kind = node.kind === 'switch' ? 'switch' : node.at === undefined ? 'remote' : 'guest';
  const extent = SIZES[orientation][kind];
  const main = spans.get(node.id) ?? extent.main;
  const { x, y } = pointOf(orientation, place);
  const [width, height] = orientation === 'wide' ? [main, extent.cross] : [extent.cross, main];
  return { node, x, y, width, height };
}

const pointOf = (orientation: Orientation, { main, cross }: Place): Point =>
  orientation === 'wide' ? { x: main, y: cross } : { x: cross, y: main };

/** Marks of local ports face the guests, those of tunnels and patches the arcs. */
function marksOf(context: Context): PortMark[] {
  const { topology, places, spans, row, orientation } = context;
  const half = SIZES[orientation].switch.cross / 2;
  const marks = new Map<string, PortMark>();
  const tunnels = new Map<string, Map<string, End>>();
  for (const { kind, a, b } of topology.edges) {
    if (kind === 'local') {
      const guest = places.get(b.node);
      if (guest) marks.set(`${a.node} ${a.port}`, markOf(context, a, { main: guest.main, cross: row + half }, false));
      continue;
    }
    for (const end of [a, b])
      if (end.port !== undefined) tunnels.set(end.node, (tunnels.get(end.node) ?? new Map()).set(end.port, end));
  }
  for (const [node, names] of tunnels) {
    const place = places.get(node);
    const span = spans.get(node) ?? 0;
    [...names.values()].forEach((end, index) => {
      const main = (place?.main ?? 0) + ((index + 0.5) / names.size - 0.5) * span;
      marks.set(`${node} ${end.port}`, markOf(context, end, { main, cross: row - half }, true));
    });
  }
  return [...marks.values()];
}

function markOf(
  { orientation }: Context,
  { node, port = '', address }: End,
  place: Place,
  isTunnel: boolean,
): PortMark {
  const at = pointOf(orientation, place);
  const inward = isTunnel ? 1 : -1;
  const label =
    orientation === 'wide' ? { x: at.x, y: at.y + (isTunnel ? 26 : -12) } : { x: at.x + inward * 14, y: at.y + 6 };
  const anchor = orientation === 'wide' ? 'middle' : isTunnel ? 'start' : 'end';
  // From top to bottom there is room for the name alone.
  const text = address === undefined || orientation === 'tall' ? port : `${port} ${address}`;
  return { sw: node, port, at, text, label, anchor };
}

function wireOf(context: Context, edge: Edge, marks: ReadonlyMap<string, Point>): Wire[] {
  const { orientation, places } = context;
  const endOf = ({ node, port }: End, isFar: boolean): Point | undefined => {
    const mark = port === undefined ? undefined : marks.get(`${node} ${port}`);
    const place = places.get(node);
    return mark ?? (place && pointOf(orientation, isFar ? edgeOf(context, node, place) : place));
  };
  const a = endOf(edge.a, false);
  const b = endOf(edge.b, true);
  if (a === undefined || b === undefined) return [];
  const isArc = edge.kind !== 'local' && edge.b.port !== undefined;
  if (isArc) return [{ edge, path: arc(context, edge, a, b) }];
  if (edge.kind === 'local') return [{ edge, path: curve(orientation, a, b) }];
  // Straight past the nearer row of remotes.
  const landing = pointOf(orientation, { main: places.get(edge.b.node)?.main ?? 0, cross: context.shore });
  return [{ edge, path: `${curve(orientation, a, landing)} L${coordinates(b)}` }];
}

/** The middle of the side of a guest or remote that faces the switches. */
function edgeOf({ orientation, row }: Context, node: string, place: Place): Place {
  const half = SIZES[orientation][/^(guest|more switch)/.test(node) ? 'guest' : 'remote'].cross / 2;
  return { main: place.main, cross: place.cross + (place.cross > row ? -half : half) };
}

const round = (value: number): number => Math.round(value * 10) / 10;
const coordinates = ({ x, y }: Point): string => `${round(x)} ${round(y)}`;

/** A line that leaves and arrives across the row. */
function curve(orientation: Orientation, a: Point, b: Point): string {
  const bend = (from: Point, to: Point): Point =>
    orientation === 'wide' ? { x: from.x, y: (from.y + to.y) / 2 } : { x: (from.x + to.x) / 2, y: from.y };
  return `M${coordinates(a)} C${coordinates(bend(a, b))} ${coordinates(bend(b, a))} ${coordinates(b)}`;
}

/** An arc between two switches, higher the more of them lie between. */
function arc({ orientation, topology }: Context, edge: Edge, a: Point, b: Point): string {
  const order = topology.nodes.filter(({ kind }) => kind === 'switch').map(({ id }) => id);
  const span = Math.max(1, Math.abs(order.indexOf(edge.a.node) - order.indexOf(edge.b.node)));
  // A cubic reaches three quarters of the way to its control points.
  const height = (ARC - 20 + (span - 1) * ARC_STEP) / 0.75;
  const lift = ({ x, y }: Point): Point => (orientation === 'wide' ? { x, y: y - height } : { x: x - height, y });
  return `M${coordinates(a)} C${coordinates(lift(a))} ${coordinates(lift(b))} ${coordinates(b)}`;
}
