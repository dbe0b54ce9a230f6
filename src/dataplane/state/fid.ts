/**
 * Filtering identifiers (FID, IEEE 802.1Q section 8.8.8): one for each VLAN of each bridge, so that the bridges share one FDB,
 * one neighbour table and one table of multicast groups. A FID is never 0, which marks a free row in those tables.
 */

const PINS = 1 << 28;

/** The last FID of a VLAN; those of pinned MACs lie behind. */
export const LAST_FID = PINS - 1;

/** The FID of a VLAN of a bridge; `vid` is 0 in a bridge without VLAN filtering. */
export function fidOf(bridge: number, vid: number): number {
  return ((bridge << 12) | vid) + 1;
}

/** The bridge of a FID that is not one of pinned MACs. */
export function bridgeOfFid(fid: number): number {
  return (fid - 1) >> 12;
}

/** The FID of VID 0 in the bridge of a FID. */
export function fidWithoutVlan(fid: number): number {
  return ((fid - 1) & ~0xfff) + 1;
}

/** The FID under which the FDB holds the pinned multicast MACs of a tunnel port's VLAN. */
export function pinFidOf(port: number, vid: number): number {
  return PINS | (port << 12) | vid;
}

/** The key of a VNI in the groups of a tunnel port, which are a table of their own. */
export function tunnelGroupFid(vni: number): number {
  return fidOf(vni >>> 12, vni & 0xfff);
}

/** Bridge and VID of a FID; null for one of pinned MACs. Control path. */
export function fidParts(fid: number): { bridge: number; vid: number } | null {
  if (fid >= PINS) return null;
  return { bridge: (fid - 1) >> 12, vid: (fid - 1) & 0xfff };
}
