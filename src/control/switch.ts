/**
 * One running switch: creates devices, engines and model, and stops them. `assemble.ts` connects its other parts.
 */
import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import type { InfoAnswer, TraceAnswer, TraceRequest } from '../api/api.js';
import type { Document } from '../config/edit/tree.js';
import { netnsExists } from '../config/load.js';
import type { SwitchConfig } from '../config/types.js';
import type { FlowMaps } from '../port/native-flow-table.js';
import { selfTest } from '../port/self-test.js';
import { assemble, type Parts } from './assemble.js';
import { Devices } from './devices/devices.js';
import { FlowDevices } from './devices/flow-devices.js';
import { forget } from './guard.js';
import { Inherited } from './devices/inherited.js';
import { machineId, stableMac } from './devices/stable-mac.js';
import type { EngineThreadEvents } from './engines/engine-thread.js';
import { Engines } from './engines/engines.js';
import { type Given, Giver, type GiverParts } from './handover/giver.js';
import type { Taken, Taker } from './handover/taker.js';
import type { Views } from './listings.js';
import type { Port, SwitchModel } from './model/model.js';
import { kindOf } from './ports/registry.js';
import { Reconciler } from './reconcile/reconcile.js';
import type { SavedPeers } from './peers/saved.js';
import type { SavedRoutes } from './peers/saved-routes.js';
import type { Inheritance, LiveControl } from './requests/live-control.js';
import type { SwitchEvents } from './switch-events.js';
import { traceFrame } from './trace/trace.js';
import { TraceGate } from './trace/trace-gate.js';
import { type Usable, usable } from './usable.js';
import { carriedStep } from './views/carried.js';
import { viewDrops } from './views/drops.js';
import { viewNexthops } from './views/nexthops.js';
import { type Sources, viewFdb, viewLinks, viewStats } from './views/views.js';
import { viewVlans } from './views/vlans.js';

export type { SwitchEvents } from './switch-events.js';

export interface HandOverAttempt {
  outcome: Promise<Given>;
  /** The outcome rejects then, unless the other process forwards already. */
  cancel(reason: string): void;
}

/** What the process before has left. */
export interface SwitchInheritance extends Inheritance {
  mode: Usable;
  /** Rows of its sources of peers. */
  peers: SavedPeers;
  routes: SavedRoutes;
}

/** The engines are created before the parts that get their reports. */
interface Late {
  parts?: Parts;
}

/** Records that a port has lost its device. */
type Lose = (port: Port, errno?: number) => void;

export class Switch {
  private constructor(
    private readonly parts: Parts,
    /** What is in use, out of what is configured. */
    readonly mode: Usable,
  ) {}

  private readonly traces = new TraceGate();

  /**
   * Opens all devices and starts forwarding; on failure nothing remains open.
   * @param document the configuration as given
   * @param config its resolved form
   * @param inheritance of the process before: its devices are taken over, and the engines stand still until `takeOver`
   * @throws DeviceError
   */
  static async start(
    document: Document,
    config: SwitchConfig,
    events: SwitchEvents,
    inheritance?: SwitchInheritance,
  ): Promise<Switch> {
    const mode = inheritance?.mode ?? usable(config, selfTest(), events);
    const held = inheritance !== undefined;
    const flows =
      mode.offloads.flow === 'off'
        ? null
        : FlowDevices.open(mode.workers, (reason) => events.offloadMissing('flow', reason, true));
    flows?.carrySuperframes(events.superframesMissing);
    const devices = createDevices(config, mode, flows);
    const reconciler = new Reconciler({ ...config, bridges: [], ports: [] }, devices);
    const { model } = reconciler;
    const late: Late = {};
    const lose: Lose = (port, errno = 0) => loseDevice(port, errno, model, events, late);
    const engines = createEngines(config, mode, held, flows?.maps ?? null, engineEvents(model, events, lose, late));
    try {
      const parts = assemble(document, { reconciler, engines, devices }, events, lose, held);
      late.parts = parts;
      await parts.controls.start(config, inheritance);
      await parts.peers.restore(inheritance?.peers ?? []);
      await parts.routes.restore(inheritance?.routes ?? []);
      if (!held) parts.sources.start();
      if (held) parts.liveness.prepare();
      devices.startEnded();
      return new Switch(parts, mode);
    } catch (error) {
      if (late.parts !== undefined) {
        rest(late.parts);
        await late.parts.evpn.stop();
        await late.parts.liveness.end(false);
      }
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
    const { engines, liveness, loops, multicast, neigh, routes, trees } = this.parts;
    const { counters, remotes, fdb } = engines;
    const peerSources = (port: string) => this.parts.sources.rowsOf(port);
    const { feed } = this.parts;
    const macMoves = () => feed.macMoves;
    const sources: Sources = {
      model: this.model,
      counters,
      remotes,
      fdb,
      loops,
      trees,
      multicast,
      liveness,
      macMoves,
      peerSources,
      flows: engines.flows,
    };
    return {
      info,
      links: (details) => viewLinks(sources, details),
      fdb: (filter) => viewFdb(sources, filter),
      vlans: () => viewVlans(sources),
      neigh: () => neigh.list(),
      mdb: () => multicast.list(),
      nexthops: () => viewNexthops(this.model.config.nexthops ?? []),
      routes: () => routes.list(),
      evpn: () => this.parts.evpn.views(),
      stats: () => viewStats(sources),
      drops: (reason) => viewDrops(this.model, engines.drops, reason),
      config: () => this.controls.stated(),
      trace: (request) => this.traces.pass(() => this.trace(request)),
    };
  }

  private async trace(request: TraceRequest): Promise<TraceAnswer> {
    const { engines } = this.parts;
    const { counters, fdb, neigh, shadow } = engines;
    const { answer, arrival } = traceFrame(request, { model: this.model, counters, fdb, neigh, shadow });
    answer.steps.push(...carriedStep(engines.flows, this.model, answer));
    if (request.apply !== true) return answer;
    // Between two changes: the answer is what happens, unless a frame has come meanwhile.
    await this.controls.still(() => engines.inject(arrival));
    return { ...answer, applied: true };
  }

  /** The clock of each engine: it stands still when the engine does. */
  engineTicks(): number[] {
    return this.parts.engines.counters.ticks;
  }

  /**
   * Gives the switch to another process, which has asked for it over this socket. When the outcome resolves, the other one forwards,
   * and `leave` is all that may follow; when it rejects, this switch forwards.
   * @param given called at that moment, with its PID
   */
  handOver(socket: Socket, fd: number, logLevel: string, given: (pid: number) => void): HandOverAttempt {
    const { controls, devices, engines, liveness, loops, multicast, peers, punts, routes, trees } = this.parts;
    const { model, mode } = this;
    const still: GiverParts['still'] = (work) => controls.still(work);
    const giver = new Giver(
      socket,
      fd,
      { model, devices, engines, liveness, loops, trees, multicast, peers, routes, punts, mode, still },
      logLevel,
    );
    const outcome = giver.give((pid) => {
      controls.end(`the switch was given to process ${pid}; ask again`);
      forget('evpn', this.parts.evpn.stop(true));
      rest(this.parts);
      // The other process needs the sockets, and knows the sessions.
      forget('liveness', this.parts.liveness.end(false));
      given(pid);
    });
    return { outcome, cancel: (reason) => giver.cancel(reason) };
  }

  /** Goes on from the state of the process before. @param begin called as soon as the devices are this process's own */
  async takeOver(taker: Taker, version: string, begin: () => void): Promise<Taken> {
    const { controls, engines, evpn, liveness, loops, multicast, sources, trees } = this.parts;
    const parts = { model: this.model, engines, liveness, loops, multicast, trees };
    // As soon as it forwards: the former process lets its sessions go at the same moment.
    const forwards = (): void => {
      liveness.begin();
      begin();
    };
    const taken = await controls.still(() => taker.complete(parts, version, forwards)).finally(() => liveness.begin());
    sources.start();
    evpn.begin();
    return taken;
  }

  /** Ends the engines of a switch that was given to another process; the devices are left as they are. */
  async leave(): Promise<void> {
    rest(this.parts);
    await this.parts.evpn.stop(true);
    await this.parts.liveness.end(false);
    await this.parts.engines.stop();
  }

  /** Stops forwarding and closes all devices; TAPs that are not persistent are deleted. */
  async stop(): Promise<void> {
    rest(this.parts);
    await this.parts.evpn.stop();
    await this.parts.liveness.end(true);
    await Promise.all([this.parts.engines.stop(), this.parts.sources.leave()]);
    this.parts.devices.close();
  }
}

/** Parts with timers. */
const CLOCKS = [
  'sources',
  'feed',
  'observation',
  'exporter',
  'multicast',
  'peers',
  'routes',
  'ports',
  'mtus',
  'vteps',
  'strangers',
  'loops',
  'trees',
  'liveness',
] as const;

/** Stops the timers. */
function rest(parts: Parts): void {
  for (const clock of CLOCKS) parts[clock].stop();
}

function createDevices({ name, control }: SwitchConfig, mode: Usable, flows: FlowDevices | null): Devices {
  const host = machineId();
  return new Devices({
    ...mode,
    flows,
    macOf: (port) => stableMac(host, name, control, port),
    seed: randomInt(1 << 20),
    inherited: new Inherited(process.env, process.pid),
  });
}

function createEngines(
  config: SwitchConfig,
  mode: Usable,
  held: boolean,
  flows: FlowMaps | null,
  events: EngineThreadEvents,
): Engines {
  const fdb = { seed: randomInt(2 ** 31), capacity: config.fdb_size };
  return new Engines({ ...mode, busyPoll: config.busy_poll, fdb, held, flows }, events);
}

/** Passes the engines' reports on. */
function engineEvents(model: SwitchModel, events: SwitchEvents, lose: Lose, late: Late): EngineThreadEvents {
  return {
    portLost(number, errno) {
      const port = model.portAt[number];
      if (port !== undefined) lose(port, errno);
    },
    offloadLost: (offload) => events.offloadLost(offload),
    punted: () => late.parts?.punts.drain(),
    tooBig: (remote) => late.parts?.mtus.tooBig(remote),
    failed: (error) => events.failed(error),
  };
}

/** Records and reports once that a port has lost its device; the port watch opens it again. */
function loseDevice(port: Port, errno: number, model: SwitchModel, events: SwitchEvents, { parts }: Late): void {
  if (model.lost.has(port.index)) return;
  model.lost.add(port.index);
  const kind = kindOf(port);
  kind.release?.(port);
  port.fault = kind.lossFault(port, { netnsExists }, errno);
  events.portFault(port.name, port.fault);
  parts?.multicast.portLost(port.index);
  parts?.feed.tell({ event: 'link', ifname: port.name, type: port.kind, change: 'down' });
}
