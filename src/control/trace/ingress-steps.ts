/** The first steps of a frame: how it comes in, and its VLAN. Read from its row of the batch, where ingress has put its findings. */
import type { TraceStep } from '../../api/api.js';
import { describeFrame } from '../../frames/describe.js';
import type { MadeMac } from '../../frames/fill.js';
import { DROPPED, OUTCOME_HELD } from '../../dataplane/state/batch.js';
import type { Context } from '../../dataplane/state/context.js';
import { DROP_REASONS } from '../../dataplane/state/drop-reasons.js';
import { VLAN_TUNNEL } from '../../dataplane/state/forwarding.js';
import { KIND_UDP, RX_KIND } from '../../port/packet-io.js';
import { formatAddress } from '../../wire/ip-address.js';
import { vidOf } from '../../wire/vlan.js';
import type { Fact } from '../shadow/facts.js';
import type { Site } from './site.js';

/** A frame as it comes in. */
export interface Incoming {
  /** Index of the port that was asked for. */
  port: number;
  frame: Uint8Array;
  /** Of a datagram. */
  outer?: { from: string; vni: number };
  /** Payload bytes of each segment of a superframe; 0: it is none. */
  segment: number;
  /** MACs of a description that nobody has said. */
  made: readonly MadeMac[];
}

export function ingressSteps(incoming: Incoming, facts: readonly Fact[], sw: Context, site: Site): TraceStep[] {
  const steps = [receiveStep(incoming, site), ...incoming.made.map(madeStep)];
  const isDropped = sw.batch.stage[0] === DROPPED && sw.batch.outcome[0] !== OUTCOME_HELD;
  const reason = isDropped ? DROP_REASONS[sw.batch.reason[0]] : undefined;
  if (sw.rx[RX_KIND] === KIND_UDP) steps.push(...tunnelSteps(facts, reason, sw, site));
  const vlan = vlanStep(reason, sw, site);
  return vlan === null ? steps : [...steps, vlan];
}

function receiveStep({ port, frame, outer, segment }: Incoming, site: Site): TraceStep {
  const name = site.name(port);
  const what = describeFrame(frame);
  const size = `${frame.length} bytes${segment === 0 ? '' : `, to be segmented by ${segment}`}`;
  if (outer === undefined) return { stage: 'receive', code: 'local', text: `${name} takes in ${what} (${size}).` };
  const text = `A datagram of ${outer.from} comes to ${name}, with VNI ${outer.vni} and in it ${what} (${size}).`;
  return { stage: 'receive', code: 'tunnel', text };
}

function madeStep({ mac, address }: MadeMac): TraceStep {
  const text = `No MAC of ${address} is said or known: ${mac} is made from the address, and the host's may be another.`;
  return { stage: 'receive', code: 'mac_made', text };
}

const BEFORE_VNI = ['vxlan_too_short', 'vxlan_flag_missing', 'vni_unknown', 'geneve_too_short', 'geneve_version'];

/** How the datagram found its port, VLAN and remote. */
function tunnelSteps(facts: readonly Fact[], reason: string | undefined, { batch }: Context, site: Site): TraceStep[] {
  if (reason !== undefined && BEFORE_VNI.includes(reason)) return [];
  const port = batch.port[0];
  const steps: TraceStep[] = [];
  for (const fact of facts) {
    if (fact.fact === 'remote' && fact.port === port) {
      const address = formatAddress(...fact.address);
      const known = fact.remote !== 0;
      const text = known
        ? `${address} is a remote of ${site.name(port)}.`
        : `${address} is no remote of ${site.name(port)} yet.`;
      steps.push({ stage: 'decapsulate', code: known ? 'remote_known' : 'remote_new', text });
      // Later ones are asked for when the frame leaves.
      break;
    }
  }
  const admitted = facts.find((fact) => fact.fact === 'admitted');
  if (admitted !== undefined && admitted.remote !== 0) {
    const text = `${formatAddress(...admitted.address)} is taken in as a remote of ${site.name(port)} (accept_vteps any).`;
    steps.push({ stage: 'decapsulate', code: 'remote_learned', text });
  }
  return steps;
}

const BEFORE_VLAN = [
  'port_down',
  'loop_blocked',
  'stp_blocked',
  'remote_unknown',
  'frame_too_short',
  'frame_too_long',
  'offload_invalid',
  'source_mac_invalid',
  'source_is_own',
  'vxlan_reserved_bits',
  'geneve_control',
  'geneve_critical',
  'geneve_protocol',
  'vtep_unknown',
  'inner_vlan_tagged',
  'no_pvid',
  'not_layer3',
];

function vlanStep(reason: string | undefined, { batch, forwarding }: Context, site: Site): TraceStep | null {
  const port = batch.port[0];
  if (reason !== undefined && [...BEFORE_VNI, ...BEFORE_VLAN].includes(reason)) return null;
  const name = site.name(port);
  const bridge = site.bridgeOf(port);
  if (forwarding.bridgeTpid[forwarding.portBridge[port]] === 0) {
    return { stage: 'vlan', code: 'none', text: `${bridge} does not filter VLANs: all its ports are one domain.` };
  }
  const vid = batch.vid[0];
  const tci = batch.tci[0];
  const vni = site.vni(port, vid);
  const entry = site.vlan(port, vid);
  if (tci >= 0 && vidOf(tci) !== 0)
    return {
      stage: 'vlan',
      code: 'tagged',
      text: `The tag of the frame puts it into VLAN ${vid} of ${bridge}.`,
      entry,
    };
  if (batch.remote[0] !== 0 && (forwarding.portFlags[port] & VLAN_TUNNEL) !== 0)
    return { stage: 'vlan', code: 'vni', text: `VNI ${vni} is VLAN ${vid} of ${bridge}.`, entry };
  if (tci < 0 && vid !== forwarding.portPvid[port])
    return {
      stage: 'vlan',
      code: 'cvlan',
      text: `The cvlan_map of ${name} puts the customer VLAN of the frame into service VLAN ${vid} of ${bridge}.`,
      entry,
    };
  const untagged = tci < 0 ? 'has no tag' : 'has a priority tag only';
  const text = `The frame ${untagged}: the PVID of ${name} puts it into VLAN ${vid} of ${bridge}.`;
  return { stage: 'vlan', code: 'pvid', text, entry };
}
