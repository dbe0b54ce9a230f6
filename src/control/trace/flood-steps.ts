/** The steps of a frame that is flooded: to whom, and why a port of the bridge gets no copy. Asked of the data path's own rules. */
import type { TraceCopy, TraceStep } from '../../api/trace.js';
import { flagOf, kindOf } from '../../dataplane/bridge/flood.js';
import type { Context } from '../../dataplane/state/context.js';
import { DROP_REASONS } from '../../dataplane/state/drop-reasons.js';
import { PORT_TUNNEL } from '../../dataplane/state/forwarding.js';
import { ALLOWED, whyNot } from '../../dataplane/state/may-forward.js';
import { STORM_BROADCAST, STORM_MULTICAST } from '../../dataplane/state/storm.js';
import { whyDropped } from '../../text/drop-sentences.js';
import type { Site } from './site.js';

/** Ports without a copy that are named; the others are counted. */
const NAMED = 32;

export function floodSteps(copies: readonly TraceCopy[], sw: Context, site: Site): TraceStep[] {
  const ingress = sw.batch.port[0];
  const kind = kindOf(sw, sw.batch.offset[0]);
  const vid = sw.batch.vid[0];
  const where = `${site.bridgeOf(ingress)}${vid === 0 ? '' : ` in VLAN ${vid}`}`;
  const [code, what] =
    kind === STORM_BROADCAST
      ? ['broadcast', 'A broadcast is']
      : kind === STORM_MULTICAST
        ? ['multicast', 'Multicast is']
        : ['unknown_unicast', 'Nobody knows where the destination is, so the frame is'];
  const first = { stage: 'flood', code, text: `${what} flooded to every port of ${where} that may have it.` };
  const has = new Set(copies.filter(({ answer }) => answer !== true).map(({ port }) => port));
  const ports = [...sw.forwarding.bridgePorts[sw.forwarding.portBridge[ingress]]];
  const without = ports.filter((port) => port !== ingress && !has.has(site.name(port)));
  const steps = without.slice(0, NAMED).map((port) => excludedStep(port, kind, sw, site));
  const others = without.length - steps.length;
  const more = { stage: 'flood', code: 'more', text: `Neither do ${others} further ports.` };
  return [first, ...steps, ...(others === 0 ? [] : [more])];
}

function excludedStep(port: number, kind: Parameters<typeof flagOf>[0], sw: Context, site: Site): TraceStep {
  const name = site.name(port);
  const step = (code: string, text: string): TraceStep => ({ stage: 'flood', code, text });
  const reason = whyNot(sw, 0, port);
  if (reason !== ALLOWED) {
    const word = DROP_REASONS[reason];
    const why = word === 'same_port' ? 'what comes from a remote is not sent to remotes (split horizon)' : null;
    if (why !== null) return step('split_horizon', `${name} gets no copy: ${why}.`);
    return step(word, `${name} gets no copy: ${whyDropped(word)}`);
  }
  const needed = flagOf(kind);
  if ((sw.forwarding.portFlags[port] & needed) === 0) {
    const option = kind === STORM_BROADCAST ? 'bcast_flood' : kind === STORM_MULTICAST ? 'mcast_flood' : 'flood';
    return step('flood_off', `${name} gets no copy: it has ${option} off.`);
  }
  if (sw.forwarding.portKind[port] === PORT_TUNNEL && sw.forwarding.tunnels[port].vniOfVlan[sw.batch.vid[0]] === 0)
    return step('no_vni', `${name} gets no copy: the VLAN has no VNI there, so it stays on this host.`);
  return step('no_member', `${name} gets no copy: no member of the group is behind it.`);
}
