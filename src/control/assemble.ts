/**
 * Creates the parts that change, watch and show a switch, and connects them.
 */
import type { Document } from '../config/edit/tree.js';
import type { Operation } from '../dataplane/operations/operations.js';
import { parseAddress } from '../wire/ip-address.js';
import type { Devices } from './devices/devices.js';
import { HOST_FACTS } from './devices/host-facts.js';
import type { Engines } from './engines/engines.js';
import { EventFeed } from './events/event-feed.js';
import { NoticeLimit } from './events/notice-limit.js';
import { OwnTunnelNotices } from './events/own-tunnel-notices.js';
import { PuntFeed } from './events/punt-feed.js';
import { forget } from './guard.js';
import { isTunnel, type OwnMacPort, type Port, type SwitchModel } from './model/model.js';
import { Transition } from './model/transition.js';
import type { Reconciler } from './reconcile/reconcile.js';
import { LiveControl } from './requests/live-control.js';
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

export interface Core {
  reconciler: Reconciler;
  engines: Engines;
  devices: Devices;
}

export interface Parts extends Core {
  feed: EventFeed;
  multicast: MulticastControl;
  neigh: NeighTable;
  ports: PortWatch;
  mtus: MtuWatch;
  vteps: VtepWatch;
  strangers: StrangerWatch;
  punts: PuntFeed;
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
 */
export function assemble(document: Document, core: Core, events: SwitchEvents, lose: (port: Port) => void): Parts {
  const { engines, reconciler } = core;
  const { model } = reconciler;
  const site: Site = {
    ...core,
    model,
    events,
    feed: createFeed(core, events),
    remotesAt: (port, address) => numbersOf(engines, model, port, address),
    controls: () => controls,
  };
  const { feed } = site;
  const neigh = new NeighTable({ model, neigh: engines.neigh, tick: () => engines.counters.tick });
  const multicast = createMulticast(site);
  const mtus = createMtuWatch(site);
  const controls: LiveControl = new LiveControl(document, {
    reconciler,
    engines,
    tables: { model, entries: reconciler.entries, fdb: engines.fdb, remotesAt: site.remotesAt },
    neigh,
    multicast,
    feed,
    renumbered: (remote) => mtus.begin(remote),
    broken: (error) => events.failed(error),
    host: HOST_FACTS,
  });
  const ports = createPortWatch(site, lose);
  const vteps = createVtepWatch(site, multicast);
  const strangers = createStrangerWatch(site);
  const punts = createPuntFeed(site, multicast);
  return { ...core, feed, multicast, neigh, ports, mtus, vteps, strangers, punts, controls };
}

function createFeed({ reconciler, engines }: Core, events: SwitchEvents): EventFeed {
  const macNotices = new NoticeLimit(MAC_LINES, MAC_LINE_MS, () => performance.now());
  return new EventFeed({
    model: reconciler.model,
    remotes: engines.remotes,
    events: engines.events,
    moved: () => engines.fdb.counters().moved,
    restless: ({ event: _, ...moves }) => macNotices.offer((heldBack) => events.macMoves(moves, heldBack)),
  });
}

function createMulticast({ model, engines, reconciler, feed, remotesAt, controls }: Site): MulticastControl {
  return new MulticastControl({
    model,
    remotes: engines.remotes,
    remotesAt,
    vteps: reconciler.entries.vteps,
    tell: (event) => feed.tell(event),
    carryOut: (operations) =>
      forget(
        'multicast change',
        controls().own(() => withEntries(operations())),
      ),
  });
}

function createPuntFeed({ model, engines, events, feed }: Site, multicast: MulticastControl): PuntFeed {
  const notices = new OwnTunnelNotices(
    (notice) => events.ownTunnel(notice),
    () => performance.now(),
  );
  return new PuntFeed({
    model,
    punts: engines.punts,
    multicast,
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
