/**
 * What the switch does with one frame, step by step: the shadow carries the frame through the data path, and what it met there is put
 * into words. Nothing is decided here.
 */
import type { TraceAnswer, TraceCopy, TraceRequest, TraceStep, Verdict } from '../../api/trace.js';
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
import { mssOf } from '../../dataplane/egress/mss.js';
import { DROP_REASONS, type DropReason } from '../../dataplane/state/drop-reasons.js';
import { PORT_TUNNEL } from '../../dataplane/state/forwarding.js';
import { fidParts } from '../../dataplane/state/fid.js';
import type { Arrival } from '../../port/memory.js';
import { toHex, viewOf } from '../../wire/bytes.js';
import { formatMac, macHigh, macLow } from '../../wire/ethernet.js';
import { formatAddress } from '../../wire/ip-address.js';
import { notFound } from '../controls.js';
import { whyDropped } from '../../text/drop-sentences.js';
import type { Fact } from '../shadow/facts.js';
import type { Shadow, Shadowed } from '../shadow/shadow.js';
import { copiesOf } from './copies.js';
import { factStep } from './fact-steps.js';
import { floodSteps } from './flood-steps.js';
import { incomingOf, type Told } from './incoming.js';
import { guardSteps } from './guard-steps.js';
import { type Incoming, ingressSteps } from './ingress-steps.js';
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
  return { answer: answerOf(request, incoming, shadowed, site), arrival };
}

function answerOf(
  request: TraceRequest,
  incoming: Incoming,
  { facts, departures, context: sw }: Shadowed,
  site: Site,
): TraceAnswer {
  const { copies, frames, leftOut, steps: copySteps } = copiesOf(facts, departures, sw, site);
  const end = endOf(facts, copies, sw);
  const vid = sw.batch.vid[0];
  const isIn = end.verdict === 'dropped' && sw.batch.stage[0] === DROPPED;
  return {
    port: request.port,
    ...(vid === 0 || isIn ? {} : { vlan: vid }),
    steps: [
      ...ingressSteps(incoming, facts, sw, site),
      ...bridgeSteps(facts, sw, site),
      ...rewriteStep(incoming, sw),
      ...mssStep(incoming, sw),
      ...(isFlood(sw) && end.verdict !== 'dropped' ? floodSteps(copies, sw, site) : []),
      ...(end.verdict === 'held' ? [HELD] : []),
      ...copySteps,
    ],
    ...end,
    copies: request.frames === true ? copies : copies.map(({ frame: _, ...copy }) => copy),
    decided_by: decidersOf(facts, copies, sw, site),
    frame: toHex(incoming.frame),
    ...(request.frames === true ? { frames } : {}),
    ...(leftOut === 0 ? {} : { copies_left_out: leftOut }),
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

/** MACs that the switch has written: of a short-circuited frame, and of a layer-3 port's packet. */
function rewriteStep({ frame, outer }: Incoming, { batch, view, forwarding, layer3 }: Context): TraceStep[] {
  const offset = batch.offset[0];
  if (frame.length < 12 || batch.length[0] < 12) return [];
  const now = [macText(view, offset), macText(view, offset + 6)] as const;
  const given = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (now[0] === macText(given, 0) && now[1] === macText(given, 6)) return [];
  const isPacket =
    outer === undefined && layer3.of[batch.port[0]] !== undefined && forwarding.portKind[batch.port[0]] > 0;
  const why = isPacket ? 'The packet gets an Ethernet header' : 'The frame goes straight to its host (rsc)';
  const code = isPacket ? 'addressed' : 'short_circuit';
  return [{ stage: 'neigh', code, text: `${why}: to ${now[0]}, from ${now[1]}.` }];
}

/** The MSS of a SYN segment that a port with `mss_clamp` has lowered. */
function mssStep({ frame }: Incoming, { batch, view }: Context): TraceStep[] {
  if (batch.stage[0] === DROPPED) return [];
  const before = mssOf(viewOf(frame), 0, frame.length);
  const after = mssOf(view, batch.offset[0], batch.length[0]);
  if (before === after) return [];
  return [
    { stage: 'send', code: 'mss_clamp', text: `The MSS of the SYN segment is lowered from ${before} to ${after}.` },
  ];
}

function macText(view: DataView, at: number): string {
  return formatMac(macHigh(view, at), macLow(view, at));
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
