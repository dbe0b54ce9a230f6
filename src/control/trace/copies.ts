/** The copies of a frame: those that leave, and those that are dropped at their egress port. */
import { COPIES_LISTED, type TraceCopy, type TraceStep } from '../../api/trace.js';
import type { Context } from '../../dataplane/state/context.js';
import { DROP_REASONS } from '../../dataplane/state/drop-reasons.js';
import type { Departure } from '../../port/memory.js';
import { KIND_FRAME } from '../../port/packet-io.js';
import { toHex, viewOf } from '../../wire/bytes.js';
import { hasTag, tci, vidOf } from '../../wire/vlan.js';
import { VXLAN_HEADER, vni } from '../../wire/vxlan.js';
import { whyDropped } from '../../text/drop-sentences.js';
import type { Fact } from '../shadow/facts.js';
import { isTunnel } from '../model/model.js';
import type { Site } from './site.js';

/** Steps about single copies that are shown; the others are counted in one. */
const STEPS_SHOWN = 64;
const ETHERNET_AND_TAG = 18;

export interface Copies {
  copies: TraceCopy[];
  steps: TraceStep[];
  /** Bytes of the copies, each once, as hex digits. */
  frames: string[];
  leftOut: number;
}

type Dropped = Extract<Fact, { fact: 'dropped' }>;

export function copiesOf(facts: readonly Fact[], departures: readonly Departure[], sw: Context, site: Site): Copies {
  const drops = facts.filter((fact): fact is Dropped => fact.fact === 'dropped' && fact.where === 'out');
  const frames = new Map<string, number>();
  const copies: TraceCopy[] = [];
  let next = 0;
  const addDrops = (before: number): void => {
    for (; next < drops.length && drops[next].order <= before; next++) copies.push(droppedCopy(drops[next], site));
  };
  departures.forEach((departure, at) => {
    addDrops(at);
    copies.push(sentCopy(departure, frames, sw, site));
  });
  addDrops(Number.POSITIVE_INFINITY);
  const listed = copies.slice(0, COPIES_LISTED);
  return { copies: listed, steps: stepsOf(copies), frames: [...frames.keys()], leftOut: copies.length - listed.length };
}

function droppedCopy({ port, reason }: Dropped, site: Site): TraceCopy {
  return { port: site.name(port), verdict: 'dropped', reason: DROP_REASONS[reason] };
}

function sentCopy(departure: Departure, frames: Map<string, number>, sw: Context, site: Site): TraceCopy {
  const isFrame = departure.kind === KIND_FRAME;
  const bytes = isFrame ? departure.bytes : departure.bytes.subarray(VXLAN_HEADER);
  const hex = toHex(bytes);
  const frame = frames.get(hex) ?? frames.size;
  frames.set(hex, frame);
  const isAnswer = departure.offset < sw.io.headerBase + sw.io.headerBytes;
  return {
    port: site.name(departure.cookie),
    ...(isFrame ? {} : outerOf(departure, site)),
    ...tagOf(bytes),
    verdict: 'sent',
    ...(isAnswer ? { answer: true } : {}),
    ...(isMirror(site, departure.cookie) ? { mirror: true } : {}),
    length: bytes.length,
    ...(departure.most === 0 ? {} : { fragmented: departure.most }),
    frame,
  };
}

function isMirror(site: Site, port: number): boolean {
  return (site.port(port)?.config.mirror ?? 'off') !== 'off';
}

function outerOf({ bytes, cookie, remote, tos }: Departure, site: Site): Partial<TraceCopy> {
  const port = site.port(cookie);
  const local = isTunnel(port) && port.config.local !== undefined ? { local: port.config.local } : {};
  const geneve = isTunnel(port) && port.config.type === 'geneve' ? { encapsulation: port.config.type } : {};
  const udpPort = site.remotes.udpPort(remote);
  return { remote: site.address(remote), udp_port: udpPort, vni: vni(viewOf(bytes), 0), ...geneve, tos, ...local };
}

function tagOf(bytes: Uint8Array): { tag?: number } {
  const view = viewOf(bytes);
  return bytes.length >= ETHERNET_AND_TAG && hasTag(view, 0) ? { tag: vidOf(tci(view, 0)) } : {};
}

function stepsOf(copies: readonly TraceCopy[]): TraceStep[] {
  const steps = copies.slice(0, STEPS_SHOWN).map(copyStep);
  const others = copies.length - steps.length;
  if (others === 0) return steps;
  return [...steps, { stage: 'send', code: 'more', text: `So do ${others} further copies.` }];
}

function copyStep(copy: TraceCopy): TraceStep {
  const {
    port,
    remote,
    udp_port: udpPort,
    vni: number,
    encapsulation,
    tag,
    length,
    answer,
    fragmented,
    mirror,
    reason,
  } = copy;
  if (reason !== undefined) {
    const text = `A copy to ${port} is dropped: ${whyDropped(reason)}`;
    return { stage: 'send', code: reason, text };
  }
  const copied = mirror === true ? 'A copy for the mirror' : 'A copy';
  const what = answer === true ? 'The answer of the switch itself' : copied;
  const tagged = tag === undefined ? 'without a tag' : `with the tag of VLAN ${tag}`;
  if (remote === undefined)
    return { stage: 'send', code: 'local', text: `${what} leaves by ${port}, ${tagged} (${length} bytes).` };
  const outer = `in ${encapsulation === 'geneve' ? 'Geneve' : 'VXLAN'} to ${remote}, UDP port ${udpPort}, with VNI ${number}`;
  const pieces = fragmented === undefined ? '' : `, in fragments, in frames of at most ${fragmented}`;
  return {
    stage: 'send',
    code: 'encapsulate',
    text: `${what} leaves by ${port} ${outer}, ${tagged} inside (${length} bytes${pieces}).`,
  };
}
