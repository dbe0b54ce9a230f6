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
import { WAY_HOP, WAY_KIND, WAY_LINK, WAY_MAC, WAY_PORT, WAY_WORDS } from '../state/routes.js';

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
 * @param destination four words @returns NEXT_*
 */
export function findNext(sw: Context, l3: number, end: number, destination: Int32Array): number {
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
  return findNeighbour(sw);
}

/** The next hop of a packet to a neighbour of a gateway by its link-local address. @returns NEXT_* */
export function findOnLink(sw: Context, port: number, destination: Int32Array): number {
  way.port = port;
  way.isOnly = true;
  for (let word = 0; word < 4; word++) hop[word] = destination[word];
  return findNeighbour(sw);
}

/** The place in `ways` of the one that carries the flow; of those that are down another one does. -1: none is up */
function chooseWay(sw: Context, l3: number, end: number, ways: Int32Array): number {
  const count = ways.length / WAY_WORDS;
  way.isOnly = count === 1;
  let first = 0;
  if (count > 1) {
    parseInner(sw.view, l3 - ETHERNET_HEADER, end - l3 + ETHERNET_HEADER, layout);
    const hash = Math.imul(flowHash(sw.view, l3 - ETHERNET_HEADER, layout), 0x9e3779b1) >>> 16;
    first = (hash * count) >>> 16;
  }
  for (let tried = 0; tried < count; tried++) {
    const index = first + tried < count ? first + tried : first + tried - count;
    const port = ways[index * WAY_WORDS + WAY_PORT];
    if ((sw.forwarding.portFlags[port] & UP) !== 0 && sw.layer3.of[port] !== undefined) return index * WAY_WORDS;
  }
  return -1;
}

/** The MAC of `hop` on the link of the gateway `way.port`. */
function findNeighbour(sw: Context): number {
  const { forwarding, layer3 } = sw;
  const { port } = way;
  const bridge = forwarding.portBridge[port];
  const vid = vidOf(sw, port);
  const isKnown = sw.neigh.read(fidOf(bridge, vid), hop, 0, found);
  if (isKnown && isUsable(sw, vid)) {
    way.high = found[BINDING_HIGH];
    way.low = found[BINDING_LOW];
    if (needsProof(sw, vid) && canAsk(sw, port)) askFor(sw, port, vid, hop, sender, way.high, way.low);
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
  way.ask = askFor(sw, port, vid, hop, sender, 0, 0);
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
