/** The page in the browser: joins stream, drawing, playback and views. */
import type { Drop, Link, MessageName, Messages, Passage, Trace, TraceAsked } from '../model/messages.js';
import { Playback } from '../model/playback.js';
import type { Growth } from '../model/rates.js';
import { roadOf, type Topology, topologyOf } from '../model/topology.js';
import { isTunnelType } from '../model/tunnel-type.js';
import { PlaybackClock, setUpControls } from './controls.js';
import { byId, html } from './dom.js';
import { Movers } from './movers.js';
import { askSend, askTrace, follow } from './server.js';
import { Stage } from './stage.js';
import { Store } from './store.js';
import { Tabs } from './tabs.js';
import { dropsView } from './views/drops.js';
import { eventsView } from './views/events.js';
import { framesView } from './views/frames.js';
import { ratesView } from './views/rates.js';
import { fdbView, neighView, vlansView } from './views/tables.js';
import { TraceView } from './views/trace.js';
import { TryView } from './views/try.js';
import { type Actions, numberText } from './views/view.js';

const NOTHING: Topology = { nodes: [], edges: [], roads: new Map() };

const store = new Store();
const clock = new PlaybackClock();
const playback = new Playback(NOTHING);
let topology = NOTHING;
let drawnTopology = '';

const trace = new TraceView();

async function explain(what: string, asked: TraceAsked): Promise<void> {
  trace.waiting(what);
  tabs.show('trace', true);
  try {
    trace.show(what, asked.switch, (await askTrace(asked)) as Trace);
  } catch (error) {
    trace.failed(what, error instanceof Error ? error.message : String(error));
  }
  tabs.show('trace', true);
}

const behind = ({ remote, vni }: { remote?: string; vni?: number }): Pick<TraceAsked, 'remote' | 'vni'> => ({
  ...(remote === undefined ? {} : { remote }),
  ...(vni === undefined ? {} : { vni }),
});

const actions: Actions = {
  explainFrame(sw: string, { from, frame, text, length: whole }: Passage) {
    const isOwn = from.port === '';
    if (frame !== undefined && !isOwn) {
      const length = Math.min(whole, LONGEST_FILLED);
      void explain(text, { switch: sw, port: from.port, frame, length, ...behind(from) });
      return;
    }
    trace.say(text, isOwn ? 'The switch has made this frame itself.' : 'Only the number of these frames is known.');
    tabs.show('trace', true);
  },
  explainDrop(sw: string, drop: Drop) {
    const { port, frame, length, isReceived, text, why } = drop;
    trace.about(text, why);
    if (isReceived) void explain(text, { switch: sw, port, frame, length, ...behind(drop) });
    else {
      trace.say(text, `It was to leave by ${port}: what came before, a trace from the port that it came in by shows.`);
      tabs.show('trace', true);
    }
  },
  explainEntry(sw, port, bridge, mac, vlan) {
    const links = store.part(sw, 'links') ?? [];
    const others = links.filter(({ master, name, type }) => master === bridge && name !== port && !isTunnelType(type));
    const isMember = ({ vlans }: Link): boolean => vlan === undefined || vlans.some((text) => firstOf(text) === vlan);
    const from = others.find(isMember) ?? others[0] ?? links.find(({ name }) => name === port);
    if (from === undefined) return;
    const isPlain = vlan === undefined || from.vlans.some((text) => firstOf(text) === vlan && text.includes('pvid'));
    const frame = `dst ${mac}${isPlain ? '' : ` vlan ${vlan}`} icmp`;
    void explain(`A ping to ${mac}`, { switch: sw, port: from.name, frame });
  },
};

/** A longer frame that was forwarded was to be segmented by a NIC: as one frame it would be too long. */
const LONGEST_FILLED = 1518;

/** The VLAN that words such as `2 (pvid)` begin with. */
const firstOf = (text: string): number => Number.parseInt(text, 10);

const tabs = new Tabs(
  byId('tabs'),
  byId('view'),
  [
    framesView(actions),
    fdbView(actions),
    vlansView,
    neighView,
    dropsView(actions),
    ratesView,
    eventsView,
    new TryView({
      trace: (sw, port, frame) => void explain(frame, { switch: sw, port, frame }),
      send,
    }),
    trace,
  ],
  store,
);

async function send(sw: string, port: string, frame: string, count: number): Promise<string | undefined> {
  try {
    await askSend({ switch: sw, port, frame, count });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const stage = new Stage(byId('stage'), (node) => tabs.show(node.startsWith('switch ') ? 'fdb' : 'rates'));
const movers = new Movers(stage, playback, actions.explainFrame, ({ sw, port, passage }) => {
  const road = roadOf(topology, sw, port, passage.from.remote);
  if (road !== undefined) return stage.placeOn(road.edge, road.isA ? NEAR : 1 - NEAR);
  const node = topology.nodes.find(({ kind, title }) => kind === 'switch' && title === sw);
  return node === undefined ? undefined : stage.placeOf(node.id);
});
/** On the wire that a dropped frame came by, near its switch. */
const NEAR = 0.25;

/** In a pause, and while nobody sees the page, what comes is not drawn later. */
const isPlaying = (): boolean => !clock.isPaused && !document.hidden;

function redraw(): void {
  const switches = store.site.switches.map((name) => ({
    name,
    answers: store.part(name, 'health')?.answers ?? false,
    links: store.part(name, 'links') ?? [],
  }));
  const next = topologyOf(switches, store.site.guests);
  const text = JSON.stringify([next.nodes, next.edges]);
  if (text === drawnTopology && !stage.isStale()) return;
  drawnTopology = text;
  topology = next;
  playback.setTopology(next);
  stage.draw(next);
}

/** Frames of a switch that tells of no single ones: by its counters. */
function flow(sw: string, growth: Growth): void {
  stage.showRates(sw, growth);
  if (!isPlaying() || store.part(sw, 'health')?.frames === true) return;
  const { time } = clock;
  const tunnels = new Set([...growth.remotes.keys()].map((key) => key.split(' ')[0]));
  for (const [port, [received, , sent]] of growth.links) {
    if (tunnels.has(port)) continue;
    if (received > 0) playback.addFlow(sw, { port }, true, received, time);
    if (sent > 0) playback.addFlow(sw, { port }, false, sent, time);
  }
  for (const [key, [received, , sent]] of growth.remotes) {
    const [port = '', remote = ''] = key.split(' ');
    if (received > 0) playback.addFlow(sw, { port, remote }, true, received, time);
    if (sent > 0) playback.addFlow(sw, { port, remote }, false, sent, time);
  }
}

/** New drops of a switch that tells of no single frames. */
function showDrops(sw: string, drops: readonly Drop[]): void {
  const known = knownDrops.get(sw);
  knownDrops.set(sw, new Set(drops.map(({ id }) => id)));
  if (known === undefined || store.part(sw, 'health')?.frames === true) return;
  if (!isPlaying()) return;
  const fresh = drops.filter(({ id, isReceived }) => isReceived && !known.has(id)).slice(-MOST_NEW_DROPS);
  const passages = fresh.map((drop): Passage => {
    const { at, port, reason, kind, text, frame, length } = drop;
    const from = { port, ...behind(drop) };
    return {
      id: ++dropNumber,
      at,
      from,
      to: [],
      verdict: 'dropped',
      reason,
      kind,
      text,
      key: '',
      frame,
      length,
      count: 1,
    };
  });
  playback.add(sw, passages, performance.now());
}
const MOST_NEW_DROPS = 4;
const knownDrops = new Map<string, ReadonlySet<string>>();
let dropNumber = 0;

function take<M extends MessageName>(name: M, message: Messages[M]): void {
  const growth = store.take(name, message);
  tabs.touch();
  if (name === 'site') {
    byId('title').textContent = store.site.title;
    document.title = `${store.site.title} - overtap`;
  }
  if (name === 'passages') {
    const { switch: sw, list } = message as Messages['passages'];
    if (isPlaying()) playback.add(sw, list, performance.now());
  }
  if (name === 'part') {
    const part = message as Messages['part'];
    if (part.part === 'drops') showDrops(part.switch, part.value);
  }
  if (growth !== undefined) flow((message as Messages['part']).switch, growth);
  showStatus();
}

let isConnected = false;
function showStatus(): void {
  const silent = store.site.switches.filter((name) => store.part(name, 'health')?.answers === false);
  const reasons = silent.map((name) => `${name}: ${store.part(name, 'health')?.reason ?? 'does not answer'}`);
  const status = byId('status');
  status.classList.toggle('bad', !isConnected || silent.length > 0);
  const count = store.site.switches.length - silent.length;
  const watching = count === 0 ? [] : [`live: ${count} ${count === 1 ? 'switch' : 'switches'}`];
  status.textContent = isConnected
    ? [...reasons, ...watching].join('; ')
    : 'the page has lost "overtap page"; it tries again';
}

const undrawn = html('span');
function showUndrawn(): void {
  const { undrawn: count } = playback;
  undrawn.textContent = count === 0 ? '' : `${numberText(count)} frames were too many to draw`;
}

function legend(): HTMLElement {
  const swatch = (name: string, text: string): HTMLElement =>
    html('span', {}, html('span', { class: `swatch k-${name}` }), text);
  const kinds = [
    swatch('arp', 'ARP, ND'),
    swatch('icmp', 'ping, ICMP'),
    swatch('tcp', 'TCP'),
    swatch('udp', 'UDP'),
    swatch('other', 'other'),
  ];
  return html(
    'p',
    { class: 'legend' },
    ...kinds,
    html('span', {}, 'in a blue box: in VXLAN'),
    html('span', {}, '×n: n frames'),
  );
}

function frame(now: number): void {
  clock.tick(now);
  redrawIfDue(now);
  playback.advance(now, clock.time);
  movers.draw(clock.time);
  tabs.drawIfDue(now);
  requestAnimationFrame(frame);
}

let redrawnAt = 0;
function redrawIfDue(now: number): void {
  if (now - redrawnAt < 300) return;
  redrawnAt = now;
  showUndrawn();
  redraw();
}

byId('stage').append(legend());
setUpControls(clock, { view: (number) => tabs.showNumber(number), clear: () => playback.clear() });
follow(take, (is) => {
  isConnected = is;
  showStatus();
});
requestAnimationFrame(frame);
