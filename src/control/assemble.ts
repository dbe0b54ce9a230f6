/**
 * Creates the parts that change, watch and show a switch, and connects them.
 */
import type { Document } from '../config/edit/tree.js';
import type { Operation } from '../dataplane/operations/operations.js';
import type { FdbMatch } from '../fdb/table.js';
import { NEIGH_CAPACITY } from '../neigh/table.js';
import { parseAddress } from '../wire/ip-address.js';
import type { Devices } from './devices/devices.js';
import { HOST_FACTS } from './devices/host-facts.js';
import { machineId, stableMac } from './devices/stable-mac.js';
import type { Engines } from './engines/engines.js';
import { EventFeed } from './events/event-feed.js';
import { NoticeLimit } from './events/notice-limit.js';
import { OwnTunnelNotices } from './events/own-tunnel-notices.js';
import { PuntFeed } from './events/punt-feed.js';
import { EvpnControl } from './evpn/evpn-control.js';
import { Exporter } from './export/exporter.js';
import { forget } from './guard.js';
import { LivenessControl } from './liveness/liveness-control.js';
import { LoopControl } from './loops/loop-control.js';
import { ConfiguredStates } from './loops/configured-states.js';
import { PortClosing } from './loops/port-closing.js';
import { isTunnel, type OwnMacPort, type Port, type SwitchModel } from './model/model.js';
import { Transition } from './model/transition.js';
import { Observation } from './observe/observation.js';
import { isUp } from './ports/registry.js';
import { bridgeOperation } from './reconcile/bridge-operation.js';
import { PeerControl } from './peers/peer-control.js';
import { PeerSources } from './peers/sources/sources.js';
import { RouteControl } from './peers/route-control.js';
import type { Reconciler } from './reconcile/reconcile.js';
import { LiveControl } from './requests/live-control.js';
import { isOwnAddress } from './requests/own-addresses.js';
import { TreeControl } from './spanning-tree/tree-control.js';
import type { SwitchEvents } from './switch-events.js';
import { MulticastControl } from './tables/multicast-control.js';
import { NeighTable } from './tables/neigh-table.js';
import { MtuWatch } from './watch/mtu-watch.js';
import { PortWatch } from './watch/port-watch.js';
import { StrangerWatch } from './watch/stranger-watch.js';
import { VtepWatch } from './watch/vtep-watch.js';

/** Rate limit of log lines about MACs that move too often: burst, and interval in milliseconds. */
const MAC_LINES = 4;
const MAC_LINE_MS = 15_000;
/** Likewise of log lines about remotes that die and come back. */
const REMOTE_LINES = 20;
const REMOTE_LINE_MS = 1000;

/** The same of lines about EVPN. */
const EVPN_LINES = 32;
const EVPN_LINE_MS = 2000;

export interface Core {
  reconciler: Reconciler;
  engines: Engines;
  devices: Devices;
}

export interface Parts extends Core {
  feed: EventFeed;
  observation: Observation;
  exporter: Exporter;
  multicast: MulticastControl;
  neigh: NeighTable;
  peers: PeerControl;
  sources: PeerSources;
  /** Routes of sources. */
  routes: RouteControl;
  evpn: EvpnControl;
  ports: PortWatch;
  mtus: MtuWatch;
  vteps: VtepWatch;
  strangers: StrangerWatch;
  punts: PuntFeed;
  loops: LoopControl;
  trees: TreeControl;
  liveness: LivenessControl;
  controls: LiveControl;
}

/** What most parts need. */
interface Site extends Core {
  model: SwitchModel;
  events: SwitchEvents;
  feed: EventFeed;
  /** Indexes of the remotes of a VTEP on a port. */
  remotesAt(port: number, address: string): number[];
  /** Parts call this later than in their constructors: the controls are created after some of the parts that use them. */
  controls(): LiveControl;
}

/**
 * Connects the parts of a switch. Their timers run from now on.
 * @param document the initial live document
 * @param lose records that a port has lost its device
 * @param isHeld the process before forwards until it gives its state
 */
export function assemble(
  document: Document,
  core: Core,
  events: SwitchEvents,
  lose: (port: Port) => void,
  isHeld: boolean,
): Parts {
  const { engines, reconciler } = core;
  const { model } = reconciler;
  const site: Site = {
    ...core,
    model,
    events,
    feed: createFeed(core, events, (bridge, vid, ports) => loops.moved(bridge, vid, ports)),
    remotesAt: (port, address) => numbersOf(engines, model, port, address),
    controls: () => controls,
  };
  const { feed } = site;
  const neigh = new NeighTable({ model, neigh: engines.neigh, tick: () => engines.counters.tick });
  const peers = createPeers(site);
  const sources = createSources(site, peers);
  const routes = createRoutes(site, peers);
  const evpn = createEvpn(site, peers, routes, isHeld);
  const multicast = createMulticast(site);
  const mtus = createMtuWatch(site);
  const observation = new Observation(model, engines);
  const exporter = new Exporter({
    model,
    engines,
    isUp: (port) => {
      const found = model.portAt[port];
      return found !== undefined && isUp(found);
    },
    now: Date.now,
  });
  const closing = new PortClosing(engines.states);
  const trees = createTrees(site, closing, isHeld);
  const controls: LiveControl = new LiveControl(document, {
    reconciler,
    engines,
    tables: {
      model,
      entries: reconciler.entries,
      fdb: engines.fdb,
      remotesAt: site.remotesAt,
      udpPortOf: (remote) => engines.remotes.udpPort(remote),
    },
    neigh,
    peers,
    evpn,
    multicast,
    trees,
    states: new ConfiguredStates(model, closing),
    feed,
    observation: {
      subscribe: (request, listener) => observation.subscribe(request, listener),
      ports: () => observation.ports(),
      drain: () => {
        observation.drain();
        exporter.drain();
      },
    },
    renumbered: (remote) => mtus.begin(remote),
    broken: (error) => events.failed(error),
    host: HOST_FACTS,
  });
  const ports = createPortWatch(site, lose);
  const vteps = createVtepWatch(site, multicast);
  const strangers = createStrangerWatch(site);
  const loops = createLoopControl(site, closing);
  const liveness = createLiveness(site, routes, isHeld, (port, address) => {
    for (const remote of site.remotesAt(port, address)) mtus.tooBig(remote);
  });
  core.devices.probed = (config, remote, known) => liveness.pathMtu(config, remote, known);
  const punts = createPuntFeed(site, multicast, loops, trees);
  return {
    ...core,
    feed,
    observation,
    exporter,
    multicast,
    neigh,
    peers,
    sources,
    routes,
    evpn,
    ports,
    mtus,
    vteps,
    strangers,
    punts,
    loops,
    trees,
    liveness,
    controls,
  };
}

function createFeed(
  { reconciler, engines }: Core,
  events: SwitchEvents,
  met: (bridge: number, vid: number, ports: readonly number[]) => void,
): EventFeed {
  const macNotices = new NoticeLimit(MAC_LINES, MAC_LINE_MS, () => performance.now());
  return new EventFeed({
    model: reconciler.model,
    remotes: engines.remotes,
    events: engines.events,
    moved: () => engines.fdb.counters().moved,
    met,
    restless: ({ event: _, ...moves }) => macNotices.offer((heldBack) => events.macMoves(moves, heldBack)),
  });
}

function createPeers({ model, reconciler, engines, controls }: Site): PeerControl {
  return new PeerControl({
    model,
    entries: reconciler.entries,
    bindings: engines.neigh.slots / 2 - NEIGH_CAPACITY,
    isOwn: (port, remote) => isOwnAddress(model.config, HOST_FACTS, port, remote),
    finish: (change) => reconciler.finishEntries(change),
    own: (operations) => controls().own(operations),
  });
}

function createSources({ model, events, feed }: Site, tables: PeerControl): PeerSources {
  return new PeerSources({
    tables,
    config: () => model.config,
    host: HOST_FACTS,
    say: (port, source, reason, heldBack) => {
      events.peerSource(port, source, reason, heldBack);
      const change = reason === null ? 'recovered' : 'failed';
      feed.tell({ event: 'peers', ifname: port, source, change, ...(reason === null ? {} : { reason }) });
    },
  });
}

function createRoutes({ model, reconciler, controls }: Site, peers: PeerControl): RouteControl {
  return new RouteControl({
    model,
    routes: reconciler.routes,
    peers,
    own: (operations) => controls().own(operations),
  });
}

function createEvpn(
  { model, engines, events, feed }: Site,
  peers: PeerControl,
  routes: RouteControl,
  isHeld: boolean,
): EvpnControl {
  const notices = new NoticeLimit(EVPN_LINES, EVPN_LINE_MS, () => performance.now());
  const faults = new NoticeLimit(EVPN_LINES, EVPN_LINE_MS, () => performance.now());
  return new EvpnControl({
    model,
    fdb: engines.fdb,
    neigh: engines.neigh,
    owner: peers.owner('evpn'),
    routes,
    events: () => engines.readEvents(),
    tell: (event) => {
      feed.tell(event);
      notices.offer((heldBack) => events.evpn(event, heldBack));
    },
    fault: (text) => faults.offer((heldBack) => events.evpnFault(text, heldBack)),
    isHeld,
  });
}

function createMulticast({ model, engines, reconciler, feed, remotesAt, controls }: Site): MulticastControl {
  const host = machineId();
  return new MulticastControl({
    model,
    remotes: engines.remotes,
    remotesAt,
    vteps: reconciler.entries.vteps,
    tunnelGroups: reconciler.entries.tunnelGroups,
    tell: (event) => feed.tell(event),
    macOf: (bridge) => stableMac(host, model.config.name, model.config.control, bridge),
    carryOut: (operations) =>
      forget(
        'multicast change',
        controls().own(() => withEntries(operations())),
      ),
  });
}

function createTrees(
  { model, engines, events, feed, controls }: Site,
  closing: PortClosing,
  isHeld: boolean,
): TreeControl {
  const host = machineId();
  const own = (change: () => Transition): void => forget('spanning tree', controls().own(change));
  return new TreeControl({
    model,
    closing,
    isHeld,
    send: (frames) => engines.send(frames),
    flush: (matches) => own(() => withFlushes(matches)),
    ageing: (bridge) =>
      own(() => withOperation(model.bridges.get(bridge.name) === bridge ? bridgeOperation(bridge) : null)),
    macOf: (bridge) => stableMac(host, model.config.name, model.config.control, bridge),
    tell: (event) => feed.tell(event),
    say: (notice) => events.tree(notice),
  });
}

function createLoopControl({ model, engines, events, feed, controls }: Site, closing: PortClosing): LoopControl {
  return new LoopControl({
    model,
    closing,
    send: (frames) => engines.send(frames),
    floods: () => engines.counters.flooded,
    flush: (matches) =>
      forget(
        'loop guard',
        controls().own(() => withFlushes(matches)),
      ),
    tell: (event) => feed.tell(event),
    say: (loop, isThere) => events.loop(loop, isThere),
  });
}

function createLiveness(
  { model, engines, events, feed, reconciler, controls }: Site,
  routes: RouteControl,
  isHeld: boolean,
  look: (port: number, address: string) => void,
): LivenessControl {
  const host = machineId();
  const lines = new NoticeLimit(REMOTE_LINES, REMOTE_LINE_MS, () => performance.now());
  return new LivenessControl({
    model,
    isHeld,
    ...engines.liveness,
    macOf: (local) => stableMac(host, model.config.name, model.config.control, local),
    carryOut: (change) => forget('liveness', controls().own(change)),
    setDead: (port, dead, change) => {
      const affected = new Set([...(port.dead ?? []), ...dead]);
      reconciler.setDead(port, dead, change);
      routes.followLiveness(affected, change);
    },
    tell: (event) => feed.tell(event),
    say: (change) => lines.offer((heldBack) => events.remote(change, heldBack)),
    measured: (change) => {
      const { port: ifname, address, mtu, search } = change;
      feed.tell({ event: 'path_mtu', ifname, address, mtu, search });
      lines.offer((heldBack) => events.pathMtu(change, heldBack));
      const port = model.ports.get(ifname);
      if (port !== undefined) look(port.index, address);
    },
    fault: (reason) => events.livenessFault(reason),
  });
}

function createPuntFeed(
  { model, engines, events, feed }: Site,
  multicast: MulticastControl,
  loops: LoopControl,
  trees: TreeControl,
): PuntFeed {
  const notices = new OwnTunnelNotices(
    (notice) => events.ownTunnel(notice),
    () => performance.now(),
  );
  return new PuntFeed({
    model,
    punts: engines.punts,
    multicast,
    loops,
    trees,
    tell: (event) => feed.tell(event),
    ownTunnel: (port, remote) => notices.meet(port, remote),
  });
}

function createPortWatch(site: Site, lose: (port: Port) => void): PortWatch {
  const { model, events, feed, controls } = site;
  return new PortWatch({
    model,
    renew: (names) => controls().renew(names),
    tell: (event) => feed.tell(event),
    changed: (name, fault) => events.portFault(name, fault),
    lost: lose,
    moved: (name, nic, heldBack) => events.nicMoved(name, nic, heldBack),
    macChanged: (port) =>
      forget(
        'MAC of a NIC',
        controls().own(() => followMac(site, port)),
      ),
    stateChanged: (isMtu) =>
      forget(
        'state of an interface',
        controls().own(() => followStates(site, isMtu)),
      ),
    addressesChanged: () => forget('address change', controls().refresh()),
  });
}

/** The change of entries after the MAC of a NIC that leads to the host has changed. */
function followMac({ reconciler, events }: Site, port: OwnMacPort): Transition {
  const change = new Transition();
  const before = port.ownMac;
  reconciler.followMac(port, change);
  if (port.ownMac !== before) events.macChanged(port.name, before, port.ownMac);
  return change;
}

/** Path MTUs are not asked for when a guest only pulls its cable. */
function followStates({ reconciler }: Site, isMtu: boolean): Transition {
  const change = new Transition();
  if (isMtu) reconciler.setMtus(change);
  reconciler.setFlags(change);
  return change;
}

function createMtuWatch({ model, engines, devices, reconciler, controls }: Site): MtuWatch {
  return new MtuWatch({
    model,
    remotes: engines.remotes,
    sentTo: (remote) => engines.counters.remote(remote).tx_packets,
    pathMtu: (port, address) => devices.pathMtu(port.config, address),
    carryOut: (change) => forget('mtu change', controls().own(change)),
    setMtus: (change) => reconciler.setMtus(change),
  });
}

function createVtepWatch({ model, engines, controls }: Site, multicast: MulticastControl): VtepWatch {
  return new VtepWatch({
    model,
    remotes: engines.remotes,
    fdb: engines.fdb,
    counters: engines.counters,
    members: () => multicast.permanentRemotes(),
    carryOut: (change) => forget('vtep change', controls().own(change)),
  });
}

function createStrangerWatch({ model, engines, events, feed }: Site): StrangerWatch {
  return new StrangerWatch({
    model,
    remotes: engines.remotes,
    counters: engines.counters,
    tell: (event) => feed.tell(event),
    say: (vtep, heldBack) => events.unknownVtep(vtep, heldBack),
  });
}

function withFlushes(matches: readonly FdbMatch[]): Transition {
  const change = new Transition();
  change.flushes.push(...matches);
  return change;
}

function withOperation(operation: Operation | null): Transition {
  const change = new Transition();
  if (operation !== null) change.structure.push(operation);
  return change;
}

function withEntries(operations: readonly Operation[]): Transition {
  const change = new Transition();
  change.entries.push(...operations);
  return change;
}

/** Remotes of a VTEP on a port: its home, those of entries with other send values, and a learned one. */
function numbersOf(engines: Engines, model: SwitchModel, index: number, address: string): number[] {
  const port = model.portAt[index];
  const parsed = parseAddress(address);
  if (!isTunnel(port) || parsed === null) return [];
  const vtep = port.vteps.get(address);
  const own = vtep === undefined ? [] : [vtep.home, ...[...vtep.others.values()].map(({ remote }) => remote)];
  const [a0, a1, a2, a3] = parsed.words;
  const found = engines.remotes.find(index, a0, a1, a2, a3);
  return [...new Set([...own, ...(found === 0 ? [] : [found])])];
}
