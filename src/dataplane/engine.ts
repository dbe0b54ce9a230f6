/**
 * The engine. One turn takes a batch of frames this way:
 *
 *   1. Receive.   The PacketIo lays the frames into the arena, each with a descriptor (`port/packet-io.ts`).
 *   2. Take in.   `ingress/` checks each frame and finds its port, remote and VLAN: a row of the batch, or a drop.
 *                 Frames of one run (`run.ts`) or GRO batch (`gro-batch.ts`) inherit the row before them. All are counted.
 *   3. Decide.    `bridge/bridge.ts` learns the source and looks up the destination; `neigh/` decides about ARP and ND, and
 *                 `state/may-forward.ts` about the port. The row gets an outcome: an FDB destination, a flood, an answer or a drop.
 *   4. Act.       `egress/` writes a transmit command for each copy: tag operation, offloads, encapsulation. `bridge/flood.ts` makes
 *                 the copies of a flood, `neigh/answer.ts` sends answers, `egress/too-big.ts` ICMP errors.
 *   5. Transmit.  The PacketIo executes the commands; `egress/transmit.ts` counts what became of each.
 *
 * Frames for a gateway leave the bridge with step 4, are routed, and come back as frames of gateways (`routing/`): a batch of its own, with
 * steps 2 to 5. At the end of a turn there is one more for what the engine itself has to say for layer-3 ports (`layer3/speak.ts`).
 *
 * The engine also runs the slow clock: ageing in small steps, and reports to its owner.
 *
 * It owns no thread and opens nothing: the control thread gives it a PacketIo and calls `turn` in a loop, as tests do.
 */
import { COUNTER_ENTRIES } from '../fdb/table.js';
import {
  KIND_FRAME,
  LATCHED_IO_URING,
  LATCHED_PACKET_RING,
  LATCHED_TUNNEL_GSO,
  LATCHED_UDP_SEGMENT,
  RX_KIND,
  RX_STRIDE,
  STATUS_LATCHED,
  STATUS_LOST_ERRNO,
  STATUS_LOST_INDEX,
  STATUS_LOST_KIND,
  STATUS_NOW,
  STATUS_RUNG,
  STATUS_TUNNELLED,
} from '../port/packet-io.js';
import { bridgeFrame, warmFdb } from './bridge/bridge.js';
import { flood, floodTo } from './bridge/flood.js';
import { emitRun } from './egress/egress.js';
import { countFlows, giveFlows, withdrawFlows } from './flow/mirror.js';
import { seeFlow } from './flow/seen.js';
import { emitMirrored } from './egress/mirror.js';
import { mirrorReceived } from './egress/mirror-notes.js';
import { clampSegments } from './egress/mss.js';
import { answerTooBig } from './egress/too-big.js';
import { transmitCommands } from './egress/transmit.js';
import { countReceived } from './ingress/count.js';
import { takeInGroBatch } from './ingress/gro-batch.js';
import { ingressLocal } from './ingress/local.js';
import { continuesRun } from './ingress/run.js';
import { ingressTunnel } from './ingress/tunnel.js';
import { freeLeft } from './layer3/hold.js';
import { hasToSpeak, settle, speak } from './layer3/speak.js';
import { actOnUnicastRequest } from './neigh/answer.js';
import { deliver } from './routing/deliver.js';
import { routeWaiting } from './routing/route.js';
import {
  ALONE,
  type Batch,
  CONTINUES,
  DROPPED,
  ENTERED,
  OUTCOME_ANSWER,
  OUTCOME_DROP,
  OUTCOME_HELD,
} from './state/batch.js';
import type { Context } from './state/context.js';
import { destinationPort, destinationRemote } from './state/destination.js';
import { dropIn } from './state/drop.js';
import type { Flows } from './state/flows.js';
import { MIRROR, PORT_GATEWAY, PORT_TUNNEL, UP } from './state/forwarding.js';
import { observeDecided } from './state/observe.js';

export const TICK_MS = 100;
/** Rows aged in one step at most: well under a millisecond. */
const SWEEP_ROWS = 16_384;
/** Entries that one step removes at most, since removing costs more than looking. */
const SWEEP_REMOVED = 2048;
/**
 * Entries from which the FDB is warmed before a batch is decided: about what a core's cache holds of it. At a million
 * entries it halves the cost of a look-up, below it adds a few nanoseconds (src/bench/micro/fdb.ts).
 */
const WARM_FROM = 16_384;
/** Steps of ageing in which the whole table is visited, where SWEEP_ROWS allows it: once a second. */
const SWEEP_STEPS = 10;

/** Events for the engine's owner. */
export interface EngineEvents {
  /** `ring()` was called: operations are pending. */
  rung(): void;
  /** A TAP's device is gone; the port is down. */
  portLost(port: number, errno: number): void;
  /** The PacketIo has disabled an offload that failed. */
  offloadLost(offload: 'flow' | 'udp_segment' | 'tunnel_gso' | 'packet_ring' | 'io_uring'): void;
  /** The punt ring, which was empty, has frames. */
  punted(): void;
  /** EMSGSIZE: datagrams to a remote exceed the path MTU. At most once per tick. */
  tooBig(remote: number): void;
}

export class Engine {
  private clock = -1;
  /** STATUS_TUNNELLED as it was last read. */
  private tunnelled = 0;
  /** Time of the last report about a path. */
  private toldTooBig = -1;

  constructor(
    readonly context: Context,
    private readonly events: EngineEvents,
  ) {}

  /** One turn: waits at most `timeoutMs` for frames. @returns the number of frames taken in */
  turn(timeoutMs: number): number {
    const sw = this.context;
    const { status } = sw.io;
    const count = sw.io.receive(sw.layer3.isDue ? 0 : timeoutMs);
    sw.forwarding.adoptStates(sw.states);
    if (status[STATUS_NOW] !== this.clock) this.advance(status[STATUS_NOW]);
    const speaks = hasToSpeak(sw);
    if (count > 0 || speaks) sw.floodBudget.beginTurn(status[STATUS_NOW]);
    sw.gateways.errors = 0;
    if (count > 0) processBatch(sw, count);
    if (sw.gateways.count > 0) routeAll(sw);
    // An answer in this batch lets packets go on.
    if (speaks || sw.layer3.isDue) sayForHosts(sw);
    if (sw.flows !== null && sw.flows.dueCount > 0) giveFlows(sw, sw.flows);
    if (sw.punts.rang) {
      sw.punts.rang = false;
      this.events.punted();
    }
    if (sw.tooBig.refusedTo !== 0) this.tellTooBig();
    if (status[STATUS_LOST_ERRNO] !== 0) this.lose();
    if (status[STATUS_LATCHED] !== 0) this.tellLatched(status[STATUS_LATCHED]);
    if (status[STATUS_RUNG] !== 0) this.events.rung();
    return count;
  }

  /** Moves the coarse clock on, and with each of its ticks one step of ageing. */
  private advance(now: number): void {
    const sw = this.context;
    if (this.clock < 0) this.begin(now);
    const elapsed = (now - this.clock) & 0x7fffffff;
    const ticks = Math.floor(elapsed / TICK_MS);
    if (ticks === 0) return;
    this.clock = (this.clock + ticks * TICK_MS) & 0x7fffffff;
    sw.tick = (sw.tick + ticks) & 0x7fffffff;
    sw.counters.setTick(sw.tick);
    sw.counters.tunnelled((sw.io.status[STATUS_TUNNELLED] - this.tunnelled) & 0x7fffffff);
    this.tunnelled = sw.io.status[STATUS_TUNNELLED];
    sw.storm.advance(sw.tick);
    if (sw.flows !== null) this.countFlows(sw.flows);
    if (sw.engine !== 0) return; // one engine ages for all
    const rows = Math.ceil(sw.fdb.slots / SWEEP_STEPS) * Math.min(ticks, SWEEP_STEPS);
    sw.fdb.sweep(sw.tick, Math.min(SWEEP_ROWS, rows), SWEEP_REMOVED);
    const bindings = Math.ceil(sw.neigh.slots / SWEEP_STEPS) * Math.min(ticks, SWEEP_STEPS);
    sw.neigh.sweep(sw.tick, Math.min(SWEEP_ROWS, bindings));
  }

  private countFlows(flows: Flows): void {
    countFlows(this.context, flows);
    if (flows.isBroken && !flows.isTold) this.events.offloadLost('flow');
    flows.isTold = flows.isBroken;
  }

  /** Engines start at different moments, but their ticks are those of one clock. */
  private begin(now: number): void {
    this.context.tick = Math.floor(now / TICK_MS);
    this.context.counters.setTick(this.context.tick);
    this.context.storm.advance(this.context.tick);
    this.clock = this.context.tick * TICK_MS;
  }

  private tellLatched(latched: number): void {
    if ((latched & LATCHED_UDP_SEGMENT) !== 0) this.events.offloadLost('udp_segment');
    if ((latched & LATCHED_TUNNEL_GSO) !== 0) this.events.offloadLost('tunnel_gso');
    if ((latched & LATCHED_PACKET_RING) !== 0) this.events.offloadLost('packet_ring');
    if ((latched & LATCHED_IO_URING) !== 0) this.events.offloadLost('io_uring');
  }

  private tellTooBig(): void {
    const { tooBig, tick } = this.context;
    if (tick === this.toldTooBig) return;
    this.toldTooBig = tick;
    this.events.tooBig(tooBig.refusedTo);
    tooBig.refusedTo = 0;
  }

  private lose(): void {
    const { status } = this.context.io;
    if (status[STATUS_LOST_KIND] !== KIND_FRAME) return;
    const port = status[STATUS_LOST_INDEX];
    this.context.forwarding.portGone[port] = 1;
    this.context.forwarding.portFlags[port] &= ~(UP | MIRROR);
    withdrawFlows(this.context);
    this.events.portLost(port, status[STATUS_LOST_ERRNO]);
  }
}

/** Steps 2 to 5 of the head of this file, for a batch of `count` frames. */
export function processBatch(sw: Context, count: number): void {
  sw.originated = 0;
  for (let frame = 0; frame < count; ) frame = takeIn(sw, frame, count);
  if (sw.fdb.counters[COUNTER_ENTRIES] >= WARM_FROM) warmFdb(sw, count);
  for (let frame = 0; frame < count; frame++) decide(sw, frame);
  if (sw.observer !== null) observeDecided(sw, sw.observer, count);
  if (sw.sampler !== null) observeDecided(sw, sw.sampler, count);
  if (sw.forwarding.clamps) clampSegments(sw, count);
  if (sw.mirrors.list.length > 0) mirrorReceived(sw, count);
  for (let frame = 0; frame < count; ) frame = act(sw, frame, count);
  if (sw.tooBig.count > 0) answerTooBig(sw);
  if (sw.mirrors.list.length > 0) emitMirrored(sw);
  transmitCommands(sw);
  if (sw.observer !== null) sw.observer.end();
  if (sw.sampler !== null) sw.sampler.end();
}

/** What the engine has to say for the hosts of layer-3 ports, and their packets that need not wait any more: a batch of their own. */
function sayForHosts(sw: Context): void {
  const frames = speak(sw);
  if (frames > 0) processBatch(sw, frames);
  const isReleased = sw.layer3.released > 0;
  settle(sw);
  if (sw.gateways.count > 0) routeAll(sw);
  if (isReleased) freeLeft(sw);
}

/** What gateways have taken goes on as batches of their own, until none has anything left. */
export function routeAll(sw: Context): void {
  for (let round = 0; sw.gateways.count > 0; round++) {
    const frames = routeWaiting(sw, round);
    if (frames > 0) processBatch(sw, frames);
  }
}

/** Takes in a frame, and those behind it in its GRO batch that are like it. @returns the next frame */
function takeIn(sw: Context, frame: number, count: number): number {
  const at = frame * RX_STRIDE;
  const { stage } = sw.batch;
  if (!continuesRun(sw, frame, at)) {
    const entered = sw.rx[at + RX_KIND] === KIND_FRAME ? ingressLocal(sw, frame, at) : ingressTunnel(sw, frame, at);
    stage[frame] = entered ? ENTERED : DROPPED;
    if (!entered && sw.batch.outcome[frame] === OUTCOME_HELD) return frame + 1;
  }
  const next = stage[frame] === DROPPED ? frame + 1 : takeInGroBatch(sw, frame, count);
  countReceived(sw, frame, next - frame);
  return next;
}

function decide(sw: Context, frame: number): void {
  const { outcome, stage } = sw.batch;
  if (stage[frame] === DROPPED) return;
  // Only a unicast outcome is inherited, and not from a frame that was decided by facts of its own.
  const inherits = stage[frame] === CONTINUES && outcome[frame - 1] >= 0 && stage[frame - 1] !== ALONE;
  if (inherits) outcome[frame] = outcome[frame - 1];
  else bridgeFrame(sw, frame);
}

/** Acts on the outcome of a frame, and of those behind it in its run that share it. @returns the next frame */
function act(sw: Context, frame: number, count: number): number {
  const { batch } = sw;
  const outcome = batch.outcome[frame];
  if (outcome < 0) {
    if (outcome === OUTCOME_DROP) dropIn(sw, frame, batch.reason[frame]);
    else if (outcome === OUTCOME_ANSWER) actOnUnicastRequest(sw, frame);
    else if (outcome !== OUTCOME_HELD) flood(sw, frame);
    return frame + 1;
  }
  const port = destinationPort(outcome);
  const remote = destinationRemote(outcome);
  const kind = sw.forwarding.portKind[port];
  if (remote === 0 && kind === PORT_TUNNEL) {
    floodTo(sw, frame, port);
    return frame + 1;
  }
  const end = runEnd(batch, frame, count);
  if (kind === PORT_GATEWAY) {
    deliver(sw, frame, end, port);
    return end;
  }
  if (sw.flows !== null) seeFlow(sw, sw.flows, frame, end - frame, port, remote);
  emitRun(sw, frame, end, port, remote);
  return end;
}

/** The first frame behind `frame` that is not of its run, or has another outcome. */
function runEnd({ outcome, stage }: Batch, frame: number, count: number): number {
  let end = frame + 1;
  while (end < count && stage[end] === CONTINUES && outcome[end] === outcome[frame]) end++;
  return end;
}
