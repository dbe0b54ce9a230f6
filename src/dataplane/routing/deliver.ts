/**
 * Frames whose destination is a gateway's MAC: they leave the bridge here. As with every port, each counts as transmitted; the packet then
 * waits for the end of the batch, when `route.ts` sends it on as a frame of a gateway, or drops it.
 *
 * Nothing is rewritten before the batch is through, since mirrors and observers still read its bytes.
 */
import { TAG_KEEP, TAG_POP } from '../../port/packet-io.js';
import { ARP_REPLY, arpOperation } from '../../wire/arp.js';
import { ETHERNET_HEADER, ETHERTYPE_ARP } from '../../wire/ethernet.js';
import { IPV6_HEADER } from '../../wire/ipv6.js';
import { ND_ADVERTISEMENT } from '../../wire/nd.js';
import { VLAN_TAG } from '../../wire/vlan.js';
import { floodTo } from '../bridge/flood.js';
import { looksLikeNeighbour, networkOffset } from '../neigh/parse.js';
import type { Batch } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { dropOut } from '../state/drop.js';
import { REASON } from '../state/drop-reasons.js';
import { PORT_TUNNEL, UP } from '../state/forwarding.js';
import { sourceOf } from '../state/layer3.js';
import { mayForward } from '../state/may-forward.js';
import { observeDelivered } from '../state/observe.js';

/** Takes the frames of a run, from `first` to before `end`, which all are for one gateway. */
export function deliver(sw: Context, first: number, end: number, port: number): void {
  const { batch, counters, forwarding } = sw;
  const counter = forwarding.vlanCounter(port, batch.vid[first]);
  for (let frame = first; frame < end; frame++) {
    if (!keep(sw, frame, port)) {
      dropOut(sw, frame, port, REASON.frame_too_short);
      continue;
    }
    const bytes = batch.length[frame] - tagOf(batch, frame);
    counters.transmitted(port, bytes, 1);
    if (counter !== 0) counters.transmittedIn(counter, bytes, 1);
    const tag = batch.tci[frame] < 0 ? TAG_KEEP : TAG_POP;
    if (sw.observer !== null) observeDelivered(sw.observer, frame, port, tag);
    if (sw.sampler !== null) observeDelivered(sw.sampler, frame, port, tag);
  }
  if (isNeighbourAnswer(sw, first)) shareAnswer(sw, first);
}

/** Bytes of the tag of the frame's VLAN. */
function tagOf({ tci }: Batch, frame: number): number {
  return tci[frame] < 0 ? 0 : VLAN_TAG;
}

/** @returns false when it has no room for what its tag says */
function keep({ batch, forwarding, gateways }: Context, frame: number, port: number): boolean {
  const tag = tagOf(batch, frame);
  const l3 = batch.offset[frame] + ETHERNET_HEADER + tag;
  const end = batch.offset[frame] + batch.length[frame];
  if (l3 > end) return false;
  const index = gateways.add(port, l3, end);
  if (index < 0) return false;
  gateways.vnet[index] = batch.vnet[frame];
  gateways.from[index] = sourceOf(batch.port[frame], batch.remote[frame]);
  // Lengths and places in the words of an offload count from the Ethernet header.
  const gso = batch.gso[frame];
  gateways.gso[index] = gso >>> 16 < tag ? gso : gso - (tag << 16);
  gateways.csum[index] = batch.vnet[frame] === 0 ? 0 : batch.csum[frame] - tag;
  const header = batch.gsoHeader[frame];
  gateways.gsoHeader[index] = header === 0 ? 0 : header - tag;
  gateways.wayMtu[index] =
    forwarding.portKind[batch.port[frame]] === PORT_TUNNEL ? forwarding.portMtu[batch.port[frame]] : 0;
  return true;
}

/** Whether it is an ARP reply or a neighbour advertisement. */
function isNeighbourAnswer(sw: Context, frame: number): boolean {
  if (!looksLikeNeighbour(sw, frame)) return false;
  const { view } = sw;
  const l3 = networkOffset(sw.batch, frame);
  if (view.getUint16(l3 - 2) === ETHERTYPE_ARP) return arpOperation(view, l3) === ARP_REPLY;
  return view.getUint8(l3 + IPV6_HEADER) === ND_ADVERTISEMENT;
}

/**
 * An answer of a guest to a gateway may be for the gateway of another host, which has the same MAC and is never reached by it: the
 * tunnels of the VLAN get a copy, from which the others learn where the guest is. Only a gateway asks, so such answers are rare.
 */
function shareAnswer(sw: Context, frame: number): void {
  const { batch, forwarding } = sw;
  const bridge = forwarding.portBridge[batch.port[frame]];
  if (forwarding.portKind[batch.port[frame]] === PORT_TUNNEL) return;
  const { tunnelPorts } = forwarding;
  for (let index = 0; index < tunnelPorts.length; index++) {
    const port = tunnelPorts[index];
    if (forwarding.portBridge[port] !== bridge || !mayForward(sw, frame, port, UP)) continue;
    if (forwarding.tunnels[port].vniOfVlan[batch.vid[frame]] === 0) continue;
    // The frame itself has gone to the gateway: these are copies beyond it.
    sw.counters.replicated(1);
    floodTo(sw, frame, port);
  }
}
