/**
 * Learned multicast routers of a VLAN, bounded, and shared by the ports: behind a tunnel port any number of VTEPs may say that they are
 * routers, and must not keep the routers of other ports out.
 */
import { destinationPort } from '../../dataplane/state/destination.js';
import { MAX_ROUTERS_OF_VLAN } from './mdb-state.js';

/**
 * Makes room for a router: in a full VLAN the port with most routers loses the one that ends first, if it has more than the port that
 * asks would have.
 * @param routers expiry times by place
 * @returns false when there is no room
 */
export function makeRoomForRouter(routers: Map<number, number>, place: number): boolean {
  if (routers.size < MAX_ROUTERS_OF_VLAN) return true;
  const counts = new Map<number, number>();
  for (const one of routers.keys()) counts.set(destinationPort(one), (counts.get(destinationPort(one)) ?? 0) + 1);
  const [port, most] = [...counts].reduce((best, one) => (one[1] > best[1] ? one : best));
  if ((counts.get(destinationPort(place)) ?? 0) + 1 >= most) return false;
  const [first] = [...routers]
    .filter(([one]) => destinationPort(one) === port)
    .reduce((earliest, one) => (one[1] < earliest[1] ? one : earliest));
  return routers.delete(first);
}
