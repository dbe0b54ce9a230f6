/**
 * The switch's own encapsulated traffic, come back to it: where the route to a remote leads into one of its bridges, each
 * datagram that it sends arrives at a local port, and would be encapsulated again, without end. Such a frame enters no
 * tunnel of the switch. Between local ports it goes its way: there the underlay may well lie behind one of them.
 *
 * A frame is taken for one when it is UDP from a tunnel's local address to one of its remotes (a group among them), at a UDP
 * port that frames are sent to. A tunnel without a `local` has whichever address the route gives: it is known by the source
 * ports of the sending sockets. So VXLAN that guests speak among themselves passes. Fragments have no ports, addresses tell.
 */

import { L3_KIND, L3_OFFSET, L4_OFFSET, parseInner } from '../../wire/inner.js';
import { setMapped } from '../../wire/ip-address.js';
import { ipv4Destination, ipv4Source } from '../../wire/ipv4.js';
import { ipv6Destination, ipv6Source } from '../../wire/ipv6.js';
import { udpDestinationPort, udpSourcePort } from '../../wire/udp.js';
import type { Context } from '../state/context.js';
import { PUNT_OWN_TUNNEL } from '../state/punt-ring.js';

/** Scratch: source and destination, four words each, IPv4 mapped. */
const addresses = new Int32Array(8);
const DESTINATION = 4;

/** Whether the UDP packet that `sw.layout` describes is a datagram of one of the switch's tunnels. */
export function isOwnTunnel(sw: Context): boolean {
  const { endpoints } = sw.forwarding;
  const l4 = sw.layout[L4_OFFSET];
  if (l4 !== 0 && endpoints.destinations[udpDestinationPort(sw.view, l4)] === 0) return false;
  const isOwnSource = l4 !== 0 && endpoints.sources[udpSourcePort(sw.view, l4)] !== 0;
  readAddresses(sw);
  return isBetweenVteps(sw, isOwnSource);
}

/** @param isOwnSource whether the source port is one of a sending socket */
function isBetweenVteps({ forwarding, remotes }: Context, isOwnSource: boolean): boolean {
  const { tunnels, tunnelPorts } = forwarding;
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

function readAddresses({ layout, view }: Context): void {
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

/** Tells the control thread by which port the frame came and which remote it was for; of each once a tick at most. */
export function reportOwnTunnel(sw: Context, frame: number): void {
  const { batch } = sw;
  parseInner(sw.view, batch.offset[frame], batch.length[frame], sw.layout);
  readAddresses(sw);
  const port = batch.port[frame];
  const { missLimiter, tick } = sw;
  if (!missLimiter.isNew(PUNT_OWN_TUNNEL, port, 0, addresses[4], addresses[5], addresses[6], addresses[7], tick))
    return;
  sw.punts.tell(PUNT_OWN_TUNNEL, port, 0, batch.vid[frame], addresses, DESTINATION, 0, 0, 0, 0);
}
