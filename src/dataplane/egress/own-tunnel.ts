/**
 * The switch's own encapsulated traffic: where the route to a remote leads into one of its bridges, each datagram it sends arrives at
 * a local port and would be encapsulated again, endlessly. Such a frame enters no tunnel of the switch. Between local ports it is
 * forwarded: the underlay may be behind one of them.
 *
 * A frame is own traffic when it is UDP from a tunnel's local address to one of its remotes (or its group), at a UDP port that frames
 * are sent to. A tunnel without `local` sends from the route's address, so the source ports of the sending sockets identify
 * it. Guests can therefore speak VXLAN among themselves. Fragments have no ports; their addresses decide.
 */
import type { RemoteTable } from '../../encap/remotes.js';
import { L3_KIND, L3_OFFSET, L4_OFFSET, parseInner } from '../../wire/inner.js';
import { setMapped } from '../../wire/ip-address.js';
import { ipv4Destination, ipv4Source } from '../../wire/ipv4.js';
import { ipv6Destination, ipv6Source } from '../../wire/ipv6.js';
import { udpDestinationPort, udpSourcePort } from '../../wire/udp.js';
import type { Context } from '../state/context.js';
import type { Forwarding } from '../state/forwarding.js';
import { PUNT_OWN_TUNNEL } from '../state/punt-ring.js';

/** Scratch of this file: source and destination address, four words each, IPv4 mapped; and the headers of a reported frame. */
const addresses = new Int32Array(8);
const DESTINATION = 4;
const reported = new Int32Array(8);

/** Whether a UDP packet is a datagram of one of the switch's tunnels. @param layout its headers (`wire/inner.ts`) */
export function isOwnTunnel(forwarding: Forwarding, remotes: RemoteTable, view: DataView, layout: Int32Array): boolean {
  const { endpoints } = forwarding;
  const l4 = layout[L4_OFFSET];
  if (l4 !== 0 && endpoints.destinations[udpDestinationPort(view, l4)] === 0) return false;
  const isOwnSource = l4 !== 0 && endpoints.sources[udpSourcePort(view, l4)] !== 0;
  readAddresses(view, layout);
  return isBetweenVteps(forwarding, remotes, isOwnSource);
}

/** @param isOwnSource whether the source port is one of a sending socket */
function isBetweenVteps({ tunnels, tunnelPorts }: Forwarding, remotes: RemoteTable, isOwnSource: boolean): boolean {
  for (let index = 0; index < tunnelPorts.length; index++) {
    const port = tunnelPorts[index];
    const { local } = tunnels[port];
    if (local === null ? !isOwnSource : !isSource(local)) continue;
    if (remotes.find(port, addresses[4], addresses[5], addresses[6], addresses[7]) !== 0) return true;
  }
  return false;
}

function isSource(local: Int32Array): boolean {
  return (
    local[3] === addresses[3] && local[2] === addresses[2] && local[1] === addresses[1] && local[0] === addresses[0]
  );
}

function readAddresses(view: DataView, layout: Int32Array): void {
  const l3 = layout[L3_OFFSET];
  if (layout[L3_KIND] === 4) {
    setMapped(addresses, 0, ipv4Source(view, l3));
    setMapped(addresses, DESTINATION, ipv4Destination(view, l3));
    return;
  }
  for (let word = 0; word < 4; word++) {
    addresses[word] = ipv6Source(view, l3, word);
    addresses[DESTINATION + word] = ipv6Destination(view, l3, word);
  }
}

/** Reports to the control thread the port by which such a frame came and its remote; each pair once per tick at most. */
export function reportOwnTunnel({ batch, missLimiter, punts, tick, view }: Context, frame: number): void {
  parseInner(view, batch.offset[frame], batch.length[frame], reported);
  readAddresses(view, reported);
  const port = batch.port[frame];
  const isNew = missLimiter.isNew(
    PUNT_OWN_TUNNEL,
    port,
    0,
    addresses[4],
    addresses[5],
    addresses[6],
    addresses[7],
    tick,
  );
  if (!isNew) return;
  punts.tell(PUNT_OWN_TUNNEL, port, 0, batch.vid[frame], addresses, DESTINATION, 0, 0, 0, 0);
}
