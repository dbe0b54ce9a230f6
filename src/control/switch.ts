/**
 * One running switch: creates devices, engines and model, and stops them. `assemble.ts` connects its other parts.
 */
import { randomInt } from 'node:crypto';
import type { InfoAnswer } from '../api/api.js';
import type { Document } from '../config/edit/tree.js';
import { netnsExists } from '../config/load.js';
import type { OffloadConfig, SwitchConfig } from '../config/types.js';
import { type SelfTest, selfTest } from '../port/self-test.js';
import { assemble, type Parts } from './assemble.js';
import { Devices } from './devices/devices.js';
import { machineId, stableMac } from './devices/stable-mac.js';
import type { EngineThreadEvents } from './engines/engine-thread.js';
import { Engines } from './engines/engines.js';
import type { Views } from './listings.js';
import type { Port, SwitchModel } from './model/model.js';
import { kindOf } from './ports/registry.js';
import { Reconciler } from './reconcile/reconcile.js';
import type { LiveControl } from './requests/live-control.js';
import type { SwitchEvents } from './switch-events.js';
import { type Sources, viewFdb, viewLinks, viewStats, viewVlans } from './views/views.js';

export type { SwitchEvents } from './switch-events.js';

/** The engines are created before the parts that get their reports. */
interface Late {
  parts?: Parts;
}

export class Switch {
  private constructor(
    private readonly parts: Parts,
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
    const devices = createDevices(config, offloads);
    const reconciler = new Reconciler({ ...config, bridges: [], ports: [] }, devices);
    const { model } = reconciler;
    const late: Late = {};
    const lose = (port: Port): void => loseDevice(port, model, events, late);
    const engines = createEngines(config, offloads, engineEvents(model, events, lose, late));
    try {
      const parts = assemble(document, { reconciler, engines, devices }, events, lose);
      late.parts = parts;
      await parts.controls.start(config);
      return new Switch(parts, offloads);
    } catch (error) {
      if (late.parts !== undefined) rest(late.parts);
      await engines.stop();
      devices.close();
      throw error;
    }
  }

  get model(): SwitchModel {
    return this.parts.reconciler.model;
  }

  get controls(): LiveControl {
    return this.parts.controls;
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

  /** The clock of each engine: it stands still when the engine does. */
  engineTicks(): number[] {
    return this.parts.engines.counters.ticks;
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

function createDevices({ name, control, workers }: SwitchConfig, offloads: OffloadConfig): Devices {
  const host = machineId();
  return new Devices({
    workers,
    offloads,
    macOf: (port) => stableMac(host, name, control, port),
    seed: randomInt(1 << 20),
  });
}

function createEngines(config: SwitchConfig, offloads: OffloadConfig, events: EngineThreadEvents): Engines {
  const fdb = { seed: randomInt(2 ** 31), capacity: config.fdb_size };
  return new Engines({ workers: config.workers, busyPoll: config.busy_poll, offloads, fdb }, events);
}

/** Passes the engines' reports on. */
function engineEvents(
  model: SwitchModel,
  events: SwitchEvents,
  lose: (port: Port) => void,
  late: Late,
): EngineThreadEvents {
  return {
    portLost(number) {
      const port = model.portAt[number];
      if (port !== undefined) lose(port);
    },
    offloadLost: (offload) => events.offloadLost(offload),
    punted: () => late.parts?.punts.drain(),
    tooBig: (remote) => late.parts?.mtus.tooBig(remote),
    failed: (error) => events.failed(error),
  };
}

/** Records and reports once that a port has lost its device; the port watch opens it again. */
function loseDevice(port: Port, model: SwitchModel, events: SwitchEvents, { parts }: Late): void {
  if (model.lost.has(port.index)) return;
  model.lost.add(port.index);
  port.fault = kindOf(port).lossFault(port, { netnsExists });
  events.portFault(port.name, port.fault);
  parts?.multicast.portLost(port.index);
  parts?.feed.tell({ event: 'link', ifname: port.name, type: port.kind, change: 'down' });
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
