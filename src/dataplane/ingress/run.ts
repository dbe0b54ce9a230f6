/**
 * Runs: frames that follow one another with the same headers, as the segments of a train do. The first one's way through
 * the bridge is the others' too, so a run costs one look-up. Whatever may differ within a run is still looked at for
 * each frame: lengths, offloads, checksums, flow.
 *
 * A frame that was dropped on its way in gives the next one nothing to go by; of the bridge's decisions only those for
 * unicast are taken over (`engine.ts`).
 */
import {
  KIND_FRAME,
  RX_ADDRESS,
  RX_CSUM,
  RX_GSO,
  RX_INDEX,
  RX_KIND,
  RX_LENGTH,
  RX_OFFSET,
  RX_STRIDE,
  RX_TOS,
  RX_VNET,
} from '../../port/nic.js';
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { hasTag, VLAN_TAG } from '../../wire/vlan.js';
import { VXLAN_HEADER } from '../../wire/vxlan.js';
import { CONTINUES, DROPPED } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { takeOverInner } from './decap.js';
import { beginFrame, offloadIsValid } from './local.js';
import { beginDatagram } from './tunnel.js';

/** Bytes that the frames of a run share: both MACs, the EtherType, and the TCI if that says there is one. */
const SHARED = ETHERNET_HEADER + 2;
/** What a frame must hold for all of them to be its header's. */
const LEAST = ETHERNET_HEADER + VLAN_TAG;

/**
 * Whether the frame comes the way of the one before it. If so its row of the batch is filled, and its stage is CONTINUES,
 * or DROPPED for what only this frame has.
 */
export function continuesRun(sw: Context, frame: number, at: number): boolean {
  if (frame === 0 || sw.batch.stage[frame - 1] === DROPPED) return false;
  const { rx } = sw;
  const before = at - RX_STRIDE;
  if (rx[at + RX_KIND] !== rx[before + RX_KIND] || rx[at + RX_INDEX] !== rx[before + RX_INDEX]) return false;
  return rx[at + RX_KIND] === KIND_FRAME ? continuesFromLocal(sw, frame, at) : continuesFromRemote(sw, frame, at);
}

function continuesFromLocal(sw: Context, frame: number, at: number): boolean {
  const { rx, view } = sw;
  const offset = rx[at + RX_OFFSET];
  const length = rx[at + RX_LENGTH];
  if (length < LEAST || !isSame(view, offset, rx[at - RX_STRIDE + RX_OFFSET], SHARED)) return false;
  const headers = hasTag(view, offset) ? LEAST : ETHERNET_HEADER;
  if (!offloadIsValid(rx[at + RX_VNET], rx[at + RX_GSO], rx[at + RX_CSUM], headers, length)) return false;
  beginFrame(sw, frame, at);
  takeOverPlace(sw, frame);
  sw.batch.stage[frame] = CONTINUES;
  return true;
}

function continuesFromRemote(sw: Context, frame: number, at: number): boolean {
  const { batch, rx, view } = sw;
  const before = at - RX_STRIDE;
  for (let word = RX_ADDRESS; word < RX_ADDRESS + 4; word++) {
    if (rx[at + word] !== rx[before + word]) return false;
  }
  if (rx[at + RX_TOS] !== rx[before + RX_TOS] || rx[at + RX_LENGTH] < VXLAN_HEADER + LEAST) return false;
  if (!isSame(view, rx[at + RX_OFFSET], rx[before + RX_OFFSET], VXLAN_HEADER + SHARED)) return false;
  beginDatagram(sw, frame, at);
  takeOverPlace(sw, frame);
  const port = batch.port[frame];
  const length = batch.length[frame];
  sw.counters.received(port, length);
  const counter = sw.forwarding.tunnels[port].counterOfVlan[batch.vid[frame]];
  sw.counters.receivedFrom(batch.remote[frame], counter, length);
  batch.stage[frame] = takeOverInner(sw, frame, rx[at + RX_TOS]) ? CONTINUES : DROPPED;
  return true;
}

/** The row has what the one before it has: port, remote and VLAN. */
export function takeOverPlace({ batch }: Context, frame: number): void {
  const before = frame - 1;
  batch.port[frame] = batch.port[before];
  batch.remote[frame] = batch.remote[before];
  batch.vid[frame] = batch.vid[before];
  batch.tci[frame] = batch.tci[before];
}

/** @param length a multiple of 4 */
export function isSame(view: DataView, one: number, other: number, length: number): boolean {
  for (let at = 0; at < length; at += 4) {
    if (view.getInt32(one + at, true) !== view.getInt32(other + at, true)) return false;
  }
  return true;
}
