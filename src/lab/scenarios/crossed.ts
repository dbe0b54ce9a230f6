/**
 * The common part of the labs with two bridges: four guests in two subnets, with both subnets on both bridges, and one cable
 * between the bridges.
 *
 *     10.0.0.1  h1 --.                                   .-- h3  10.0.0.2
 *                     bridge1 --- vxlan0 === vxlan0 --- bridge2
 *     10.0.1.1  h2 --'                                   '-- h4  10.0.1.2
 *
 * Each bridge belongs to the switch of a host of its own. The cable is a tunnel with one VNI, which carries frames unchanged,
 * as the veth pair between two Linux bridges does.
 */
import type { Station, Topology } from '../setup/topology.js';

/** The VNI of the cable. */
export const CABLE_VNI = 100;

export interface CrossedGuest extends Station {
  /** Its subnet, the first (0) or the second (1). */
  readonly subnet: 0 | 1;
}

/** h1 to h4 of such a lab. */
export function crossedGuests({
  stations,
}: Topology): readonly [CrossedGuest, CrossedGuest, CrossedGuest, CrossedGuest] {
  const guest = (index: number): CrossedGuest => {
    const station = stations[index];
    if (station === undefined) throw new RangeError('the lab has fewer than four guests');
    return { ...station, subnet: index % 2 === 0 ? 0 : 1 };
  };
  return [guest(0), guest(1), guest(2), guest(3)];
}
