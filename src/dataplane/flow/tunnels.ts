/**
 * Flows into and out of tunnels: which may be carried (beside `carries.ts`), the outer headers of those that go in, and the key of those
 * that come out.
 */
import { isMapped } from '../../wire/ip-address.js';
import { NO_LIMIT } from '../../encap/path-mtu.js';
import { STATIC_REMOTES } from '../../encap/remotes.js';
import type { Tunnel } from '../../encap/tunnel.js';
import {
  FAR_DESTINATION,
  FAR_MACS,
  FAR_PORT,
  FAR_ROW,
  FAR_SOURCE,
  FAR_VNI,
  FLOW_ENCAPSULATE_IPV4,
  FLOW_ENCAPSULATE_IPV6,
  FLOW_LONGEST,
  FLOW_MACS,
  FLOW_OPERATION,
  FLOW_OUT,
  FLOW_OWN,
  FLOW_ROW,
  FLOW_WORDS,
  OUTER_ADDRESS,
  OUTER_PORT,
  OUTER_SOURCE_PORTS,
  OUTER_SOURCES,
  OUTER_TOS,
  OUTER_TOS_INHERIT,
  OUTER_VNI,
  OUTER_WORDS,
} from '../../port/flow-table.js';
import type { Context } from '../state/context.js';
import { FRAGMENTS, POLICED_IN, POLICED_OUT, PORT_TUNNEL, PROXY, RSC, UP } from '../state/forwarding.js';
import type { Flows } from '../state/flows.js';

const REFUSED = FRAGMENTS | PROXY | RSC | POLICED_IN | POLICED_OUT;
/** Ticks for which it holds that nobody else looks at datagrams. */
const WATCHED_TICKS = 10;

/** Scratch of this file. */
const outer = new Int32Array(OUTER_WORDS);

/** The tunnel of a port, if its flows may be carried: VXLAN and nothing beside, from one address, at one UDP port. */
function plainTunnel({ forwarding, remotes, sentHeader }: Context, port: number, remote: number): Tunnel | null {
  const tunnel = forwarding.tunnels[port];
  const flags = forwarding.portFlags[port];
  if (forwarding.portKind[port] !== PORT_TUNNEL || (flags & (UP | REFUSED)) !== UP) return null;
  if (remote <= 0 || remote >= STATIC_REMOTES || sentHeader[remote] >= 0 || tunnel.local === null) return null;
  if (tunnel.isGeneve || tunnel.policy !== 0 || tunnel.labels !== 0) return null;
  const { destinations } = forwarding.endpoints;
  const isOnlyPort = destinations.indexOf(1) === tunnel.udpPort && !destinations.includes(1, tunnel.udpPort + 1);
  return isOnlyPort && remotes.udpPort(remote) === tunnel.udpPort && hasOnePool(tunnel) ? tunnel : null;
}

/** Without `df inherit`. */
function hasOnePool({ senders }: Tunnel): boolean {
  for (let i = 0; i < senders.length; i += 2) if (senders[i] !== senders[i + 1]) return false;
  return senders.length > 0;
}

/** Whether a firewall or IPsec would miss datagrams: asked once a second. */
export function isWatched(sw: Context, flows: Flows): boolean {
  if (flows.watchedAt < 0 || sw.tick - flows.watchedAt >= WATCHED_TICKS) {
    flows.isWatched = flows.table.isWatched();
    flows.watchedAt = sw.tick;
  }
  return flows.isWatched;
}

/** @param slot that gets the headers; -1: only asks @returns the device of the underlay, 0: none */
export function underlayOf(sw: Context, flows: Flows, port: number, remote: number, vid: number, slot: number): number {
  const tunnel = plainTunnel(sw, port, remote);
  const sender = tunnel === null ? undefined : flows.senders.get(tunnel.senders[0]);
  if (tunnel === null || sender === undefined || sender.fd < 0 || tunnel.vniOfVlan[vid] === 0) return 0;
  if (isWatched(sw, flows)) return 0;
  outer.set(sw.remotes.address(remote), OUTER_ADDRESS);
  outer[OUTER_PORT] = tunnel.udpPort;
  outer[OUTER_VNI] = tunnel.vniOfVlan[vid];
  outer[OUTER_TOS] = tunnel.tos < 0 ? OUTER_TOS_INHERIT : tunnel.tos & 0xfc;
  for (let i = 0; i < OUTER_SOURCE_PORTS; i++) {
    const source = flows.senders.get(tunnel.senders[(2 * i) % tunnel.senders.length]);
    if (source === undefined || source.port === 0) return 0;
    outer[OUTER_SOURCES + i] = source.port;
  }
  return flows.table.outer(slot, sender.fd, outer);
}

/** Completes the row of a flow into a tunnel, which leaves its port without a tag. @returns false when its frames are the engine's */
export function goesIn(
  sw: Context,
  flows: Flows,
  port: number,
  remote: number,
  vid: number,
  slot: number,
  words: Int32Array,
): boolean {
  const longest = sw.pathMtus.longest[remote];
  if (longest === NO_LIMIT) return false;
  const device = underlayOf(sw, flows, port, remote, vid, slot);
  if (device === 0) return false;
  const [a0, a1, a2] = sw.remotes.address(remote);
  words[FLOW_OPERATION] |= isMapped(a0, a1, a2) ? FLOW_ENCAPSULATE_IPV4 : FLOW_ENCAPSULATE_IPV6;
  words[FLOW_LONGEST] = longest;
  words[FLOW_OUT] = device;
  new DataView(words.buffer, words.byteOffset + FLOW_OWN * 4, 4).setUint16(0, sw.forwarding.tunnels[port].udpPort);
  return true;
}

/** Writes the key of a flow out of a tunnel, before its row. @returns the device where its datagrams come in; 0: its frames are the engine's */
export function comesOut(
  sw: Context,
  flows: Flows,
  port: number,
  remote: number,
  vid: number,
  words: Int32Array,
  far: Int32Array,
): number {
  const device = underlayOf(sw, flows, port, remote, vid, -1);
  if (device === 0 || !flows.table.under(device)) return 0;
  const tunnel = sw.forwarding.tunnels[port];
  const address = sw.remotes.address(remote);
  const { local } = tunnel;
  if (local === null) return 0;
  const isIpv4 = isMapped(address[0], address[1], address[2]);
  if (isIpv4 !== isMapped(local[0], local[1], local[2])) return 0;
  const view = new DataView(far.buffer, far.byteOffset, far.byteLength);
  far.fill(0);
  far[FAR_VNI] = tunnel.vniOfVlan[vid];
  view.setUint16(FAR_PORT * 4, tunnel.udpPort);
  new Uint16Array(far.buffer, far.byteOffset + FAR_PORT * 4 + 2, 1)[0] = isIpv4 ? 4 : 6;
  far.set(words.subarray(FLOW_MACS, FLOW_MACS + 3), FAR_MACS);
  for (let i = isIpv4 ? 3 : 0, at = 0; i < 4; i++, at += 4) {
    view.setInt32(FAR_SOURCE * 4 + at, address[i]);
    view.setInt32(FAR_DESTINATION * 4 + at, local[i]);
  }
  far.set(words.subarray(FLOW_ROW, FLOW_WORDS), FAR_ROW);
  return device;
}
