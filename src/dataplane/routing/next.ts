/**
 * From a route to the MAC of the next hop: the way of the flow among those of the route, then the neighbour, as the neighbour table knows
 * it. The answer is in `way`.
 */
import { flowHash } from '../../encap/flow.js';
import { BINDING_HIGH, BINDING_LOW } from '../../neigh/table.js';
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { parseInner } from '../../wire/inner.js';
import { askFor } from '../layer3/ask.js';
import { found, isUsable, needsProof } from '../layer3/ingress.js';
import { senderFor } from '../layer3/next-hop.js';
import { configuredOwner } from '../layer3/own.js';
import type { Context } from '../state/context.js';
import { fidOf } from '../state/fid.js';
import { UP } from '../state/forwarding.js';
import type { Layer3Port } from '../state/layer3.js';
import { WAY_HOP, WAY_KEY, WAY_KIND, WAY_LINK, WAY_MAC, WAY_PORT, WAY_WORDS } from '../state/routes.js';

/** No way of the route is up. */
export const NEXT_NONE = 0;
/** `way.high` and `way.low` are the MAC. */
export const NEXT_KNOWN = 1;
/** The packet has to wait for the question `way.ask`. */
export const NEXT_ASKED = 2;

class NextWay {
  /** The gateway that the packet leaves by. */
  port = 0;
  high = 0;
  low = 0;
  ask = 0;
  /** Whether another packet to the same destination has the same way. */
  isOnly = true;
}

/** Result of `findNext`. */
export const way = new NextWay();

/** Scratch of this file. */
const hop = new Int32Array(4);
const sender = new Int32Array(4);
const layout = new Int32Array(8);

/**
 * The next hop of a packet by the route that was looked up last.
 * @param from whose it is (`sourceOf`) @param destination four words @returns NEXT_*
 */
export function findNext(sw: Context, from: number, l3: number, end: number, destination: Int32Array): number {
  const { ways } = sw.gateways.routes;
  const at = chooseWay(sw, l3, end, ways);
  if (at < 0) return NEXT_NONE;
  way.port = ways[at + WAY_PORT];
  if (ways[at + WAY_KIND] === WAY_MAC) {
    way.high = ways[at + WAY_HOP];
    way.low = ways[at + WAY_HOP + 1];
    return NEXT_KNOWN;
  }
  const isOnLink = ways[at + WAY_KIND] === WAY_LINK;
  for (let word = 0; word < 4; word++) hop[word] = isOnLink ? destination[word] : ways[at + WAY_HOP + word];
  return findNeighbour(sw, from);
}

/** The next hop of a packet to a neighbour of a gateway by its link-local address. @returns NEXT_* */
export function findOnLink(sw: Context, port: number, from: number, destination: Int32Array): number {
  way.port = port;
  way.isOnly = true;
  for (let word = 0; word < 4; word++) hop[word] = destination[word];
  return findNeighbour(sw, from);
}

/**
 * The place in `ways` of the one that carries the flow, of those that are up: the one whose hash with the flow is the highest (rendezvous
 * hashing; RFC 2991, RFC 2992). So a way that goes moves its own flows only, to all others alike. -1: none is up
 */
export function chooseWay(sw: Context, l3: number, end: number, ways: Int32Array): number {
  way.isOnly = ways.length === WAY_WORDS;
  if (way.isOnly) return isUp(sw, ways[WAY_PORT]) ? 0 : -1;
  parseInner(sw.view, l3 - ETHERNET_HEADER, end - l3 + ETHERNET_HEADER, layout);
  const flow = flowHash(sw.view, l3 - ETHERNET_HEADER, layout);
  let chosen = -1;
  let highest = -1;
  for (let at = 0; at < ways.length; at += WAY_WORDS) {
    const score = mixed(flow ^ ways[at + WAY_KEY]);
    if (score <= highest || !isUp(sw, ways[at + WAY_PORT])) continue;
    highest = score;
    chosen = at;
  }
  return chosen;
}

function isUp({ forwarding, layer3 }: Context, gateway: number): boolean {
  return (forwarding.portFlags[gateway] & UP) !== 0 && layer3.of[gateway] !== undefined;
}

/** The last step of MurmurHash3, from 0 on. */
function mixed(word: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The MAC of `hop` on the link of the gateway `way.port`. */
function findNeighbour(sw: Context, from: number): number {
  const { forwarding, layer3 } = sw;
  const { port } = way;
  const bridge = forwarding.portBridge[port];
  const vid = vidOf(sw, port);
  const isKnown = sw.neigh.read(fidOf(bridge, vid), hop, 0, found);
  if (isKnown && isUsable(sw, vid)) {
    way.high = found[BINDING_HIGH];
    way.low = found[BINDING_LOW];
    if (needsProof(sw, vid) && canAsk(sw, port)) askFor(sw, port, vid, hop, sender, from, way.high, way.low);
    return NEXT_KNOWN;
  }
  // Another layer-3 port of the VLAN: nobody else would answer for it.
  const owner = configuredOwner(sw, bridge, vid, hop, 0);
  const ofOwner = owner < 0 ? undefined : layer3.of[owner];
  if (ofOwner !== undefined) {
    way.high = ofOwner.macHigh;
    way.low = ofOwner.macLow;
    return NEXT_KNOWN;
  }
  if (!canAsk(sw, port)) return NEXT_NONE;
  way.ask = askFor(sw, port, vid, hop, sender, from, 0, 0);
  return NEXT_ASKED;
}

function canAsk({ layer3 }: Context, port: number): boolean {
  const host = layer3.of[port] as Layer3Port | undefined;
  return host !== undefined && senderFor(host, hop, sender);
}

/** The VLAN of a gateway. */
export function vidOf({ forwarding }: Context, port: number): number {
  return forwarding.bridgeTpid[forwarding.portBridge[port]] === 0 ? 0 : forwarding.portPvid[port];
}
