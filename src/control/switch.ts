/**
 * One running switch: creates and connects devices, engines and model, and stops them.
 */
import { randomInt } from 'node:crypto';
import type { InfoAnswer, MacMoves, SwitchEvent, UnknownVtep } from '../api/api.js';
import type { Document } from '../config/edit/tree.js';
import type { OffloadConfig, SwitchConfig } from '../config/types.js';
import { type SelfTest, selfTest } from '../port/self-test.js';
import { parseAddress } from '../wire/ip-address.js';
import { Devices } from './devices/devices.js';
import { HOST_FACTS } from './devices/host-facts.js';
import { machineId, stableMac } from './devices/stable-mac.js';
import { Engines } from './engines/engines.js';
import { EventFeed } from './events/event-feed.js';
import { NoticeLimit } from './events/notice-limit.js';
import { type OwnTunnelNotice, OwnTunnelNotices } from './events/own-tunnel-notices.js';
import { PuntFeed } from './events/punt-feed.js';
import { forget } from './guard.js';
import type { Views } from './listings.js';
import { isTunnel, type Port, type SwitchModel, type TapPort } from './model/model.js';
import { Transition } from './model/transition.js';
import { Reconciler } from './reconcile/reconcile.js';
import type { FdbTables } from './requests/fdb-selection.js';
import { LiveControl } from './requests/live-control.js';
import { MulticastControl } from './tables/multicast-control.js';
import { NeighTable } from './tables/neigh-table.js';
import { type Sources, viewFdb, viewLinks, viewStats, viewVlans } from './views/views.js';
import { MtuWatch } from './watch/mtu-watch.js';
import { PortWatch } from './watch/port-watch.js';
import { StrangerWatch } from './watch/stranger-watch.js';
import { VtepWatch } from './watch/vtep-watch.js';

/** Rate limit of log lines about MACs that move too often: burst, and interval in milliseconds. */
const MAC_LINES = 4;
const MAC_LINE_MS = 15_000;

export interface SwitchEvents {
  /** A port fails, with the reason; null: it works again. */
  portFault(name: string, fault: string | null): void;
  /** The NIC of a port was renamed or moved to another namespace. `heldBack`: suppressed reports before this one. */
  nicMoved(name: string, nic: string, heldBack: number): void;
  /** The MAC of a host port's NIC has changed. */
  macChanged(name: string, before: string, mac: string): void;
  /** A configured offload is unavailable; `reason` gives the finding. `asked`: it was requested explicitly. */
  offloadMissing(offload: string, reason: string, asked: boolean): void;
  /** An offload is available but unused while something speaks against it. */
  offloadHeldBack(offload: string, reason: string): void;
  /** An offload failed at run time and was disabled. */
  offloadLost(offload: string): void;
  /** The route to a remote leads into a bridge of the switch, which drops its datagrams (own_tunnel). */
  ownTunnel(notice: OwnTunnelNotice): void;
  /** Datagrams are dropped because their sender is no remote. @param heldBack suppressed reports since the last one */
  unknownVtep(vtep: UnknownVtep, heldBack: number): void;
  /** A MAC moves too often between ports. @param heldBack as above */
  macMoves(moves: Omit<MacMoves, 'last'>, heldBack: number): void;
  failed(error: Error): void;
}

interface Parts {
  reconciler: Reconciler;
  engines: Engines;
  devices: Devices;
  feed: EventFeed;
  multicast: MulticastControl;
  neigh: NeighTable;
  ports: PortWatch;
  mtus: MtuWatch;
  vteps: VtepWatch;
  strangers: StrangerWatch;
  punts: PuntFeed;
}

export class Switch {
  private constructor(
    private readonly parts: Parts,
    readonly controls: LiveControl,
    /** Offloads in use, out of the configured ones. */
    readonly offloads: OffloadConfig,
  ) {}

  /**
   * Opens all devices and starts forwarding; on failure nothing remains open.
   * @param document the configuration as given
   * @param config its resolved form
   * @throws DeviceError
   */
  static async start(document: Document, config: SwitchConfig, events: SwitchEvents): Promise<Switch> {
    const offloads = usable(config.offloads, events);
    const host = machineId();
    const devices = new Devices({
      workers: config.workers,
      offloads,
      macOf: (port) => stableMac(host, config.name, config.control, port),
      seed: randomInt(1 << 20),
    });
    const reconciler = new Reconciler({ ...config, bridges: [], ports: [] }, devices);
    const { model } = reconciler;
    let parts: Parts | undefined;
    const lose = (port: Port): void => {
      if (model.lost.has(port.index)) return;
      model.lost.add(port.index);
      port.fault = 'its device has gone';
      events.portFault(port.name, port.fault);
      parts?.multicast.portLost(port.index);
      parts?.feed.tell({ event: 'link', ifname: port.name, type: port.kind, change: 'down' });
    };
    const engines = new Engines(
      {
        workers: config.workers,
        busyPoll: config.busy_poll,
        offloads,
        fdb: { seed: randomInt(2 ** 31), capacity: config.fdb_size },
      },
      {
        portLost(number) {
          const port = model.portAt[number];
          if (port !== undefined) lose(port);
        },
        offloadLost: (offload) => events.offloadLost(offload),
        punted: () => parts?.punts.drain(),
        tooBig: (remote) => parts?.mtus.tooBig(remote),
        failed: (error) => events.failed(error),
      },
    );
    try {
      const { controls, ...made } = assemble(document, { reconciler, engines, devices }, events, lose);
      parts = made;
      await controls.start(config);
      return new Switch(made, controls, offloads);
    } catch (error) {
      if (parts !== undefined) rest(parts);
      await engines.stop();
      devices.close();
      throw error;
    }
  }

  get model(): SwitchModel {
    return this.parts.reconciler.model;
  }

  /** The listings for the control socket. @param info identity of the switch */
  views(info: InfoAnswer): Views {
    const { engines, multicast, neigh } = this.parts;
    const { counters, remotes, fdb } = engines;
    const { feed } = this.parts;
    const sources: Sources = { model: this.model, counters, remotes, fdb, macMoves: () => feed.macMoves };
    return {
      info,
      links: (details) => viewLinks(sources, details),
      fdb: (filter) => viewFdb(sources, filter),
      vlans: () => viewVlans(sources),
      neigh: () => neigh.list(),
      mdb: () => multicast.list(),
      stats: () => viewStats(sources),
      config: () => this.controls.stated(),
    };
  }

  /** Stops forwarding and closes all devices; TAPs that are not persistent are deleted. */
  async stop(): Promise<void> {
    rest(this.parts);
    await this.parts.engines.stop();
    this.parts.devices.close();
  }
}

/** Stops the timers. */
function rest({ feed, multicast, ports, mtus, vteps, strangers }: Parts): void {
  for (const clock of [feed, multicast, ports, mtus, vteps, strangers]) clock.stop();
}

/** Connects the parts that change and show a switch. */
function assemble(
  document: Document,
  core: Pick<Parts, 'reconciler' | 'engines' | 'devices'>,
  events: SwitchEvents,
  lose: (port: Port) => void,
): Parts & { controls: LiveControl } {
  const { reconciler, engines, devices } = core;
  const { model } = reconciler;
  const { remotes, fdb } = engines;
  const macNotices = new NoticeLimit(MAC_LINES, MAC_LINE_MS, () => performance.now());
  const feed = new EventFeed({
    model,
    remotes,
    events: engines.events,
    moved: () => fdb.counters().moved,
    restless: ({ event: _, ...moves }) => macNotices.offer((heldBack) => events.macMoves(moves, heldBack)),
  });
  const remotesAt = (port: number, address: string): number[] => numbersOf(engines, model, port, address);
  const tables: FdbTables = { model, entries: reconciler.entries, fdb, remotesAt };
  const neigh = new NeighTable({ model, neigh: engines.neigh, tick: () => engines.counters.tick });
  const multicast = new MulticastControl({
    model,
    remotes,
    remotesAt,
    vteps: reconciler.entries.vteps,
    tell: (event) => feed.tell(event),
    carryOut: (operations) =>
      forget(
        'multicast change',
        controls.own(() => withEntries(operations())),
      ),
  });
  const tell = (event: SwitchEvent): void => feed.tell(event);
  const notices = new OwnTunnelNotices(
    (notice) => events.ownTunnel(notice),
    () => performance.now(),
  );
  const ownTunnel = (port: Port, remote: string): void => notices.meet(port, remote);
  const punts = new PuntFeed({ model, punts: engines.punts, multicast, tell, ownTunnel });
  const controls = new LiveControl(document, {
    reconciler,
    engines,
    tables,
    neigh,
    multicast,
    feed,
    renumbered: (remote) => mtus.begin(remote),
    broken: (error) => events.failed(error),
    host: HOST_FACTS,
  });
  const ports = new PortWatch({
    model,
    renew: (names) => controls.renew(names),
    tell: (event) => feed.tell(event),
    changed: (name, fault) => events.portFault(name, fault),
    lost: (port) => lose(port),
    moved: (name, nic, heldBack) => events.nicMoved(name, nic, heldBack),
    macChanged: (port) =>
      forget(
        'MAC of a NIC',
        controls.own(() => followMac(port)),
      ),
    addressesChanged: () => forget('address change', controls.refresh()),
  });
  const followMac = (port: TapPort): Transition => {
    const change = new Transition();
    const before = port.ownMac;
    reconciler.followMac(port, change);
    if (port.ownMac !== before) events.macChanged(port.name, before, port.ownMac);
    return change;
  };
  const mtus = new MtuWatch({
    model,
    remotes,
    sentTo: (remote) => engines.counters.remote(remote).tx_packets,
    pathMtu: (port, address) => devices.pathMtu(port.config, address),
    carryOut: (change) => forget('mtu change', controls.own(change)),
    setMtus: (change) => reconciler.setMtus(change),
  });
  const vteps = new VtepWatch({
    model,
    remotes,
    fdb,
    counters: engines.counters,
    members: () => multicast.permanentRemotes(),
    carryOut: (change) => forget('vtep change', controls.own(change)),
  });
  const strangers = new StrangerWatch({
    ...{ model, remotes, tell, counters: engines.counters },
    say: (vtep, heldBack) => events.unknownVtep(vtep, heldBack),
  });
  return { ...core, feed, multicast, neigh, ports, mtus, vteps, strangers, punts, controls };
}

function withEntries(operations: Transition['entries']): Transition {
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

const LACKING = 'the kernel lacks it';

/** Offloads both configured and supported by the kernel. */
function usable(wanted: OffloadConfig, events: SwitchEvents): OffloadConfig {
  const found = selfTest();
  const has = (
    key: 'tso' | 'udp_segment' | 'udp_gro' | 'vnet_header',
    name: 'tso' | 'udpSegment' | 'udpGro' | 'vnetHeader',
  ): boolean => {
    if (wanted[key] && !found[name]) events.offloadMissing(key, found.reasons[name] ?? LACKING, true);
    return wanted[key] && found[name];
  };
  const vnet_header = has('vnet_header', 'vnetHeader');
  return {
    vnet_header,
    tso: vnet_header && has('tso', 'tso'),
    udp_segment: has('udp_segment', 'udpSegment'),
    tunnel_gso: usableTunnelGso(wanted.tunnel_gso, found, events),
    udp_gro: has('udp_gro', 'udpGro'),
  };
}

/** Not reported unless requested explicitly: most kernels do not support it yet. */
function usableTunnelGso(wanted: boolean | 'auto', found: SelfTest, events: SwitchEvents): boolean | 'auto' {
  if (wanted === false) return false;
  const reason = found.reasons.tunnelGso;
  if (!found.tunnelGso) events.offloadMissing('tunnel_gso', reason ?? LACKING, wanted === true);
  else if (wanted === 'auto' && reason !== undefined) events.offloadHeldBack('tunnel_gso', reason);
  return found.tunnelGso && wanted;
}
