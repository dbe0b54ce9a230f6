/**
 * Which flows may be carried outside of the engine: those that are plain. Whatever a stage would do with a frame beside looking both MACs
 * up, and a tag operation, is a reason against it.
 */
import {
  FLOW_DEVICE,
  FLOW_KEEP,
  FLOW_LONGEST,
  FLOW_MACS,
  FLOW_OPERATION,
  FLOW_OUT,
  FLOW_OWN,
  FLOW_POP,
  FLOW_PUSH,
  FLOW_TAG,
  FLOW_TAGGED,
  FLOW_TCI,
} from '../../port/flow-table.js';
import { FLAG_LOCKED } from '../../fdb/table.js';
import { TAG_KEEP, TAG_POP, TAG_PUSH } from '../../port/packet-io.js';
import { ETHERNET_HEADER, ETHERTYPE_VLAN } from '../../wire/ethernet.js';
import { tagOnEgress } from '../egress/tag.js';
import { NO_TAG } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { destinationOf } from '../state/destination.js';
import { fidOf } from '../state/fid.js';
import {
  GUARDED,
  LAYER3,
  LEARNING,
  LOCKED,
  MAB,
  POLICED_IN,
  POLICED_OUT,
  PORT_GATEWAY,
  PORT_TUNNEL,
  SHORT_CIRCUITS,
  SNOOPS_NEIGHBOURS,
  UP,
  XCONNECT,
} from '../state/forwarding.js';
import {
  type Flows,
  INTO,
  LOCAL,
  OUT_OF,
  SEEN_FROM_HIGH,
  SEEN_FROM_LOW,
  SEEN_IN,
  SEEN_OUT,
  SEEN_REMOTE,
  SEEN_TAGGED,
  SEEN_TO_HIGH,
  SEEN_TO_LOW,
  SEEN_VID,
} from '../state/flows.js';
import { ALLOWED, whyNot } from '../state/may-forward.js';
import { comesOut, goesIn } from './tunnels.js';

export const NOT_CARRIED = -1;

const NEEDED_IN = UP | LEARNING;
const REFUSED_IN = XCONNECT | GUARDED | POLICED_IN | LOCKED | MAB | SNOOPS_NEIGHBOURS | SHORT_CIRCUITS | LAYER3;
const REFUSED_OUT = POLICED_OUT | LAYER3;

/** The row of the batch that stands for a frame of the flow: between two batches it is free. */
const FRAME = 0;

/** Whether nobody looks at single frames. */
export function isUnwatched(sw: Context): boolean {
  return sw.observer === null && sw.sampler === null && sw.mirrors.list.length === 0;
}

/**
 * Decides about a candidate between two batches, by the present state, and writes key and action of its row into `words`, and where it comes out
 * of a tunnel into `flows.far`.
 * @param seen word of the candidate
 * @param words of the slot, with its stamps
 * @returns LOCAL, INTO or OUT_OF; NOT_CARRIED: its frames are the engine's
 */
export function carries(sw: Context, flows: Flows, seen: number, slot: number): number {
  const { candidates } = flows;
  const words = flows.written[slot];
  const port = candidates[seen + SEEN_IN];
  const out = candidates[seen + SEEN_OUT];
  const kind = kindOf(sw, flows, seen);
  if (kind === NOT_CARRIED || !isUnwatched(sw) || !mayPorts(sw, port, out) || !areKnown(sw, flows, seen))
    return NOT_CARRIED;
  const vid = candidates[seen + SEEN_VID];
  const isTagged = candidates[seen + SEEN_TAGGED] !== 0;
  const { batch } = sw;
  batch.begin(FRAME, port, 0, 0);
  batch.vid[FRAME] = vid;
  batch.tci[FRAME] = isTagged ? vid : NO_TAG;
  if (whyNot(sw, FRAME, out) !== ALLOWED) return NOT_CARRIED;
  const tag = tagOnEgress(sw, FRAME, out);
  writeKey(flows, seen, flows.ports[port]?.device ?? 0, words);
  words[FLOW_LONGEST] = sw.forwarding.portMtu[out] + ETHERNET_HEADER;
  words[FLOW_OUT] = flows.ports[out]?.index ?? 0;
  words[FLOW_OWN] = 0;
  if (!writeTag(words, tag)) return NOT_CARRIED;
  return kind === LOCAL || throughTunnel(sw, flows, seen, slot, kind) ? kind : NOT_CARRIED;
}

/** Of a flow between two interfaces of one namespace; or between one of the underlay's namespace and a tunnel. */
function kindOf({ forwarding }: Context, { candidates, ports }: Flows, seen: number): number {
  const port = candidates[seen + SEEN_IN];
  const out = candidates[seen + SEEN_OUT];
  const from = ports[port];
  const to = ports[out];
  if (port === out) return NOT_CARRIED;
  if (candidates[seen + SEEN_REMOTE] === 0)
    return from !== undefined && to !== undefined && from.place === to.place ? LOCAL : NOT_CARRIED;
  if (from?.isHome === true && forwarding.portKind[out] === PORT_TUNNEL) return INTO;
  return to?.isHome === true && forwarding.portKind[port] === PORT_TUNNEL ? OUT_OF : NOT_CARRIED;
}

function throughTunnel(sw: Context, flows: Flows, seen: number, slot: number, kind: number): boolean {
  const { candidates } = flows;
  const words = flows.written[slot];
  const port = candidates[seen + SEEN_IN];
  const out = candidates[seen + SEEN_OUT];
  const remote = candidates[seen + SEEN_REMOTE];
  const vid = candidates[seen + SEEN_VID];
  if (kind === OUT_OF) {
    flows.under = comesOut(sw, flows, port, remote, vid, words, flows.far[slot]);
    return flows.under !== 0;
  }
  const isBare = words[FLOW_OPERATION] === FLOW_POP || (words[FLOW_OPERATION] === FLOW_KEEP && words[FLOW_TAG] === 0);
  if (!isBare || !goesIn(sw, flows, out, remote, vid, slot, words)) return false;
  flows.under = words[FLOW_OUT];
  return true;
}

/** What ports and bridge do with every frame. */
function mayPorts({ forwarding }: Context, port: number, out: number): boolean {
  const { portFlags, portKind } = forwarding;
  if (portKind[port] === PORT_GATEWAY || portKind[out] === PORT_GATEWAY) return false;
  if ((portFlags[port] & (NEEDED_IN | REFUSED_IN)) !== NEEDED_IN || (portFlags[out] & REFUSED_OUT) !== 0) return false;
  const bridge = forwarding.portBridge[port];
  const tpid = forwarding.bridgeTpid[bridge];
  return (tpid === 0 || tpid === ETHERTYPE_VLAN) && forwarding.clampsBridge[bridge] === 0;
}

/** The source is where it sends from, and the destination where the last frame went. */
function areKnown({ fdb, forwarding }: Context, { candidates }: Flows, seen: number): boolean {
  const port = candidates[seen + SEEN_IN];
  const vid = candidates[seen + SEEN_VID];
  const bridge = forwarding.portBridge[port];
  if (forwarding.bridgeTpid[bridge] !== 0 && !forwarding.isMember(port, vid)) return false;
  const fid = fidOf(bridge, vid);
  const remote = candidates[seen + SEEN_REMOTE];
  const fromRemote = forwarding.portKind[port] === PORT_TUNNEL ? remote : 0;
  const toRemote = remote - fromRemote;
  const source = fdb.lookup(candidates[seen + SEEN_FROM_HIGH], candidates[seen + SEEN_FROM_LOW], fid);
  if (source < 0 || fdb.destinationOf(source) !== destinationOf(port, fromRemote)) return false;
  if ((fdb.flagsOf(source) & FLAG_LOCKED) !== 0) return false;
  const destination = fdb.resolve(candidates[seen + SEEN_TO_HIGH], candidates[seen + SEEN_TO_LOW], fid);
  return destination === destinationOf(candidates[seen + SEEN_OUT], toRemote);
}

function writeKey({ candidates }: Flows, seen: number, device: number, words: Int32Array): void {
  words[FLOW_DEVICE] = device;
  words[FLOW_TAG] = candidates[seen + SEEN_TAGGED] === 0 ? 0 : FLOW_TAGGED | candidates[seen + SEEN_VID];
  const bytes = new DataView(words.buffer, words.byteOffset + FLOW_MACS * 4, 12);
  bytes.setUint16(0, candidates[seen + SEEN_TO_HIGH]);
  bytes.setInt32(2, candidates[seen + SEEN_TO_LOW]);
  bytes.setUint16(6, candidates[seen + SEEN_FROM_HIGH]);
  bytes.setInt32(8, candidates[seen + SEEN_FROM_LOW]);
  words[FLOW_MACS + 3] = 0;
}

/** @param tag TX_TAG of the flow's frames @returns false when the table of flows knows no such operation */
function writeTag(words: Int32Array, tag: number): boolean {
  const operation = tag & ~0xffff;
  if (operation !== TAG_KEEP && operation !== TAG_POP && operation !== TAG_PUSH) return false;
  words[FLOW_OPERATION] = operation === TAG_KEEP ? FLOW_KEEP : operation === TAG_POP ? FLOW_POP : FLOW_PUSH;
  words[FLOW_TCI] = tag & 0xffff;
  return true;
}
