/**
 * What the switch does with one frame, step by step: the shadow carries the frame through the data path, and what it met there is put
 * into words. Nothing is decided here.
 */
import {
  COPIES_LISTED,
  type TraceAnswer,
  type TraceCopy,
  type TraceRequest,
  type TraceStep,
  type Verdict,
} from '../../api/trace.js';
import {
  OUTCOME_ANSWER,
  OUTCOME_DROP,
  OUTCOME_FLOOD,
  OUTCOME_FLOOD_REQUEST,
  OUTCOME_HELD,
  DROPPED,
} from '../../dataplane/state/batch.js';
import type { Context } from '../../dataplane/state/context.js';
import type { CounterReader } from '../../dataplane/state/counters.js';
import { destinationPort, destinationRemote } from '../../dataplane/state/destination.js';
import { DROP_REASONS, type DropReason } from '../../dataplane/state/drop-reasons.js';
import { PORT_TUNNEL } from '../../dataplane/state/forwarding.js';
import { fidParts } from '../../dataplane/state/fid.js';
import type { Arrival } from '../../port/memory.js';
import { toHex } from '../../wire/bytes.js';
import { formatMac } from '../../wire/ethernet.js';
import { formatAddress } from '../../wire/ip-address.js';
import { notFound } from '../controls.js';
import { whyDropped } from '../../text/drop-sentences.js';
import type { Fact } from '../shadow/facts.js';
import type { Routed, Shadow, Shadowed } from '../shadow/shadow.js';
import { copiesOf } from './copies.js';
import { factStep } from './fact-steps.js';
import { floodSteps } from './flood-steps.js';
import { incomingOf, type Told } from './incoming.js';
import { guardSteps } from './guard-steps.js';
import { type Incoming, ingressSteps } from './ingress-steps.js';
import { mssStep, rewriteStep } from './rewrite-steps.js';
import { rewrittenStep, routeStep, routeWords } from './route-steps.js';
import { Site } from './site.js';

export interface TraceParts extends Told {
  shadow: Shadow;
  counters: Pick<CounterReader, 'tick'>;
}

export interface Traced {
  answer: TraceAnswer;
  /** The frame as the engine would receive it. */
  arrival: Arrival;
}

/** @throws ChangeRefused for a port, a description or a sender that cannot be */
export function traceFrame(request: TraceRequest, parts: TraceParts): Traced {
  const { model, shadow, counters } = parts;
  const port = model.ports.get(request.port);
  if (port === undefined) throw notFound('port', request.port);
  const { arrival, incoming } = incomingOf(request, port, parts);
  const shadowed = shadow.run(arrival, counters.tick);
  const site = new Site(model, shadowed.context.remotes, counters.tick);
  let part = bridged(incoming, shadowed, site);
  const { vlan } = part;
  for (let round = 0; ; round++) {
    const routed = shadow.routeOn(round);
    if (routed === null) break;
    part = joined(part, afterGateway(incoming, routed, site));
  }
  return { answer: answerOf(request, incoming, { ...part, vlan }), arrival };
}

/** What is told of one way through the bridge, or of the whole one. */
interface Part {
  vlan: number;
  steps: TraceStep[];
  end: { verdict: Verdict; reason?: DropReason };
  copies: TraceCopy[];
  frames: string[];
  leftOut: number;
  deciders: string[];
}

function answerOf(request: TraceRequest, { frame }: Incoming, part: Part): TraceAnswer {
  const { copies, deciders, end, frames, leftOut, steps, vlan } = part;
  return {
    port: request.port,
    ...(vlan === 0 ? {} : { vlan }),
    steps,
    ...end,
    copies: request.frames === true ? copies : copies.map(({ frame: _, ...copy }) => copy),
    decided_by: deciders,
    frame: toHex(frame),
    ...(request.frames === true ? { frames } : {}),
    ...(leftOut === 0 ? {} : { copies_left_out: leftOut }),
  };
}

function bridged(incoming: Incoming, { facts, departures, context: sw }: Shadowed, site: Site): Part {
  const { copies, frames, leftOut, steps: copySteps } = copiesOf(facts, departures, sw, site);
  const end = endOf(facts, copies, sw);
  const isIn = end.verdict === 'dropped' && sw.batch.stage[0] === DROPPED;
  const steps = [
    ...ingressSteps(incoming, facts, sw, site),
    ...bridgeSteps(facts, sw, site),
    ...rewriteStep(incoming, sw),
    ...mssStep(incoming, sw),
    ...(isFlood(sw) && end.verdict !== 'dropped' ? floodSteps(copies, sw, site) : []),
    ...(end.verdict === 'held' ? [HELD] : []),
    ...copySteps,
  ];
  const deciders = decidersOf(facts, copies, sw, site);
  return { vlan: isIn ? 0 : sw.batch.vid[0], steps, end, copies, frames, leftOut, deciders };
}

/** From the gateway that has the packet on. */
function afterGateway(incoming: Incoming, routed: Routed, site: Site): Part {
  const { before, context: sw, departures, facts, frame, isHeld, isOwn } = routed;
  const refused = before.find((fact) => fact.fact === 'dropped');
  const steps = [...routeStep(routed, site), ...before.flatMap((fact) => factStep(fact, site) ?? [])];
  const deciders = [
    ...routeWords(routed, site),
    ...(refused === undefined ? [] : [`drop ${DROP_REASONS[refused.reason]}`]),
  ];
  const refusal =
    refused === undefined ? null : ({ verdict: 'dropped', reason: DROP_REASONS[refused.reason] } as const);
  if (frame < 0) {
    const end = refusal ?? ({ verdict: isHeld ? 'held' : 'dropped' } as const);
    return { vlan: 0, steps: isHeld ? [...steps, HELD] : steps, end, copies: [], frames: [], leftOut: 0, deciders };
  }
  const sent = copiesOf(facts, departures, sw, site);
  const copies = isOwn ? sent.copies.map(asAnswer) : sent.copies;
  const end = endOf(facts, sent.copies, sw);
  steps.push(
    ...rewrittenStep(routed, site),
    ...bridgeSteps(facts, sw, site),
    ...(isOwn ? [] : mssStep(incoming, sw)),
    ...(isFlood(sw) && end.verdict !== 'dropped' ? floodSteps(copies, sw, site) : []),
    ...sent.steps,
  );
  deciders.push(...decidersOf(facts, copies, sw, site));
  const isAnswered = isOwn && end.verdict !== 'dropped';
  const own = isAnswered ? ({ verdict: 'answered' } as const) : end;
  return { ...sent, vlan: 0, steps, end: refusal ?? own, copies, deciders };
}

function asAnswer(copy: TraceCopy): TraceCopy {
  return copy.verdict === 'sent' && copy.mirror !== true ? { ...copy, answer: true } : copy;
}

/** The later part ends it; the copies of both are told. */
function joined(one: Part, other: Part): Part {
  const first = one.frames.length;
  const copies = other.copies.map((copy) => (copy.frame === undefined ? copy : { ...copy, frame: copy.frame + first }));
  const all = [...one.copies, ...copies];
  return {
    vlan: one.vlan,
    steps: [...one.steps, ...other.steps],
    end: one.end.verdict === 'dropped' && one.end.reason !== undefined ? one.end : other.end,
    copies: all.slice(0, COPIES_LISTED),
    frames: [...one.frames, ...other.frames],
    leftOut: one.leftOut + other.leftOut + Math.max(0, all.length - COPIES_LISTED),
    deciders: [...new Set([...one.deciders, ...other.deciders])],
  };
}

const HELD: TraceStep = {
  stage: 'neigh',
  code: 'held',
  text: 'The packet waits while the switch asks for the MAC of its next hop.',
};

function bridgeSteps(facts: readonly Fact[], sw: Context, site: Site): TraceStep[] {
  return facts.flatMap((fact) => {
    if (fact.fact === 'dropped' && fact.where === 'in')
      return [...guardSteps(fact.reason, sw, site), dropStep(fact.reason, facts, sw, site)];
    return factStep(fact, site) ?? [];
  });
}

/** A frame for a known MAC is dropped for its egress port; the counter is that of the ingress port. */
function dropStep(reason: number, facts: readonly Fact[], sw: Context, site: Site): TraceStep {
  const code = DROP_REASONS[reason];
  const isForEgress = sw.batch.stage[0] !== DROPPED && sw.batch.outcome[0] === OUTCOME_DROP;
  const found = isForEgress ? facts.filter((fact) => fact.fact === 'entry').at(-1)?.entry : undefined;
  const entry = found ?? null;
  const port = entry === null ? sw.batch.port[0] : destinationPort(entry.destination);
  return { stage: 'drop', code, text: `Dropped at ${site.name(port)}: ${whyDropped(code)}` };
}

function isFlood({ batch, forwarding }: Context): boolean {
  const outcome = batch.outcome[0];
  if (batch.stage[0] === DROPPED) return false;
  if (outcome === OUTCOME_FLOOD || outcome === OUTCOME_FLOOD_REQUEST) return true;
  return outcome >= 0 && isFloodTo(outcome, forwarding);
}

/** Whether a destination is a tunnel port without a remote: its whole flood list. */
function isFloodTo(destination: number, forwarding: Context['forwarding']): boolean {
  return destinationRemote(destination) === 0 && forwarding.portKind[destinationPort(destination)] === PORT_TUNNEL;
}

function endOf(
  facts: readonly Fact[],
  copies: readonly TraceCopy[],
  sw: Context,
): { verdict: Verdict; reason?: DropReason } {
  const outcome = sw.batch.outcome[0];
  const dropped = facts.find((fact) => fact.fact === 'dropped' && fact.where === 'in');
  const reason = dropped?.fact === 'dropped' ? DROP_REASONS[dropped.reason] : undefined;
  const sent = copies.filter(({ verdict, answer, mirror }) => verdict === 'sent' && answer !== true && mirror !== true);
  const answers = copies.some(({ answer }) => answer === true);
  if (sw.batch.stage[0] === DROPPED && outcome === OUTCOME_HELD) return { verdict: 'held' };
  if (answers && (outcome === OUTCOME_ANSWER || outcome === OUTCOME_FLOOD_REQUEST)) return { verdict: 'answered' };
  if (reason !== undefined) return { verdict: 'dropped', reason };
  if (sent.length > 0) return { verdict: isFlood(sw) ? 'flooded' : 'forwarded' };
  const first = copies.find(({ verdict }) => verdict === 'dropped')?.reason as DropReason | undefined;
  return { verdict: 'dropped', ...(first === undefined ? {} : { reason: first }) };
}

/** What decided, in the words of the commands that show it. */
function decidersOf(facts: readonly Fact[], copies: readonly TraceCopy[], sw: Context, site: Site): string[] {
  const { batch, forwarding } = sw;
  const port = batch.port[0];
  const words: string[] = [];
  if (batch.vid[0] !== 0 && forwarding.bridgeTpid[forwarding.portBridge[port]] !== 0)
    words.push(`vlan ${batch.vid[0]} dev ${site.name(port)}`);
  for (const fact of facts) {
    if (fact.fact === 'entry' && fact.entry !== null && fidParts(fact.fid) !== null)
      words.push(site.fdbWords(fact.entry));
    if (fact.fact === 'binding' && fact.binding !== null) {
      const { address, binding } = fact;
      words.push(`neigh ${formatAddress(...address)} lladdr ${formatMac(binding.high, binding.low)}`);
    }
  }
  for (const { vni } of copies) if (vni !== undefined) words.push(`vni ${vni}`);
  const dropped = facts.find((fact) => fact.fact === 'dropped' && fact.where === 'in');
  if (dropped?.fact === 'dropped') words.push(`drop ${DROP_REASONS[dropped.reason]}`);
  return [...new Set(words)];
}
