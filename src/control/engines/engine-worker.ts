/**
 * Entry point of an engine thread: creates a native PacketIo and runs engine turns until it is stopped. Nothing else runs here, so
 * logging, requests and their garbage collection never delay a frame.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { ORIGINATED_ROOM } from '../../dataplane/egress/originate.js';
import { Engine, TICK_MS } from '../../dataplane/engine.js';
import { injectFrame } from '../../dataplane/inject.js';
import { applyOperations } from '../../dataplane/operations/operations.js';
import { sendFrames } from '../../dataplane/send.js';
import { Context } from '../../dataplane/state/context.js';
import { Counters, MAX_VNIS } from '../../dataplane/state/counters.js';
import { DropRing } from '../../dataplane/state/drop-ring.js';
import { Flows } from '../../dataplane/state/flows.js';
import { watchFdb, withdrawFlows } from '../../dataplane/flow/mirror.js';
import { flowTable } from '../../port/native-flow-table.js';
import { FloodBudget } from '../../dataplane/state/flood-budget.js';
import { Observer } from '../../dataplane/state/observer.js';
import { PortStates } from '../../dataplane/state/port-states.js';
import { PuntRing } from '../../dataplane/state/punt-ring.js';
import { Policers } from '../../dataplane/state/policers.js';
import { Sampler } from '../../dataplane/state/sampler.js';
import { StormControl } from '../../dataplane/state/storm.js';
import { wallClock } from '../../dataplane/state/wall-clock.js';
import { RemoteTable } from '../../encap/remotes.js';
import { Fdb } from '../../fdb/table.js';
import { Neighbours } from '../../neigh/table.js';
import { createNativePacketIo, type NativePacketIo } from '../../port/native-packet-io.js';
import type { Injection } from '../../port/packet-io.js';
import { ringAt } from '../../port/wake.js';
import { collectGarbage } from '../../port/process.js';
import { DatagramRing } from '../../shared-memory/datagram-ring.js';
import { VXLAN_HEADER } from '../../wire/vxlan.js';
import type { EngineData, FromEngine, ToEngine } from './engine-protocol.js';

type Phase = 'running' | 'held' | 'stopped';

const PHASES = { hold: 'held', 'go-on': 'running', stop: 'stopped' } as const satisfies Record<string, Phase>;

/** Runs the engine until the control thread stops it. */
function main(): void {
  if (parentPort === null) throw new Error('engine-worker is started by the switch, not by hand');
  const port = parentPort;
  const data = workerData as EngineData;
  const io = createIo(data);
  const context = createContext(io, data);
  const tell = (message: FromEngine): void => port.postMessage(message);
  let phase: Phase = data.held ? 'held' : 'running';
  const obey = (message: ToEngine): void => {
    if (message.type === 'apply') tell(answer(message.id, () => applyOperations(context, message.operations)));
    else if (message.type === 'inject')
      tell(answer(message.id, () => inject(context, message.injection, phase === 'running')));
    else if (message.type === 'observe') observe(context, message);
    else if (message.type === 'send') phase === 'running' && sendFrames(context, message.frames);
    else if (message.type === 'sample') sample(context, message);
    else phase = PHASES[message.type];
    if (message.type === 'hold') withdrawFlows(context);
    if (message.type === 'hold') tell({ type: 'applied', id: message.id });
  };
  const engine = new Engine(context, {
    rung() {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
        obey(next.message as ToEngine);
    },
    portLost: (lost, errno) => tell({ type: 'port-lost', port: lost, errno }),
    offloadLost: (offload) => tell({ type: 'offload-lost', offload }),
    punted: () => tell({ type: 'punted' }),
    tooBig: (remote) => tell({ type: 'too-big', remote }),
  });

  const work = (): void => {
    while (phase === 'running') engine.turn(TICK_MS);
    if (phase === 'held') {
      port.once('message', (message: ToEngine) => {
        obey(message);
        work();
      });
      return;
    }
    io.close();
    tell({ type: 'stopped' });
    port.close();
  };
  collectGarbage(); // of the start, before the first frame
  work();
}

function createIo({ offloads, busyPoll, eventFd }: EngineData): NativePacketIo {
  const io = createNativePacketIo({
    headerBytes: MAX_VNIS * VXLAN_HEADER + ORIGINATED_ROOM,
    udpSegment: offloads.udp_segment,
    merge: offloads.tso,
    tunnelGso: offloads.tunnel_gso !== false,
    tunnelGuard: offloads.tunnel_gso === 'auto',
    ioUring: offloads.io_uring !== false,
    spinMicroseconds: busyPoll,
  });
  io.attachEvent(eventFd);
  return io;
}

/** The engine's state: tables that all engines share, and counters and rings of its own. */
function createContext(io: NativePacketIo, data: EngineData): Context {
  const context = new Context(
    io,
    Fdb.attach(data.fdb),
    new RemoteTable(data.remotes),
    new Counters(data.counters),
    data.engine,
    new StormControl(data.storm),
    new PuntRing(data.punts),
    Neighbours.attach(data.neigh),
    new DropRing(data.drops),
    new FloodBudget(data.budget),
    undefined,
    new PortStates(data.states),
    new Policers(data.police),
  );
  context.liveness = new DatagramRing(data.liveness);
  context.wakeLiveness = () => ringAt(data.livenessFd);
  if (data.flows !== undefined) {
    const table = flowTable(data.flows.maps, data.engine);
    context.flows = new Flows(table, data.engine, data.flows.rows);
    watchFdb(context, context.flows);
  }
  return context;
}

function observe(context: Context, { memory, settings }: Extract<ToEngine, { type: 'observe' }>): void {
  if (memory === null) context.observer = null;
  else if (memory !== undefined) {
    context.observer = new Observer(memory, settings, context.batch.port.length, wallClock());
  } else if (context.observer !== null) context.observer.settings = settings;
  // From now on every frame is looked at.
  withdrawFlows(context);
}

function sample(context: Context, { memory, interval }: Extract<ToEngine, { type: 'sample' }>): void {
  context.sampler = memory === null ? null : new Sampler(memory, context.batch.port.length, wallClock(), interval);
  withdrawFlows(context);
}

function inject(context: Context, injection: Injection, isRunning: boolean): void {
  if (!isRunning) throw new Error('the engine stands still');
  injectFrame(context, injection);
}

function answer(id: number, work: () => void): FromEngine {
  try {
    work();
    return { type: 'applied', id };
  } catch (error) {
    return { type: 'applied', id, error: error instanceof Error ? error.message : String(error) };
  }
}

main();
