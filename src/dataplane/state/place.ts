/**
 * Where a MAC is, for a frame that is sent to it. With `fdb_local_vlan_0` the FDB has the MACs of the host once, without a VLAN (VID 0),
 * and they hold in every VLAN of the bridge (Linux br_handle_frame_finish, BROPT_FDB_LOCAL_VLAN_0).
 */
import { FLAG_PERMANENT, NOT_FOUND } from '../../fdb/table.js';
import type { Context } from './context.js';
import { bridgeOfFid, fidWithoutVlan } from './fid.js';

/** The FDB destination of a unicast MAC in a VLAN of a bridge, or NOT_FOUND. */
export function placeOf(sw: Context, high: number, low: number, fid: number): number {
  const destination = sw.fdb.resolve(high, low, fid);
  return destination === NOT_FOUND && sw.forwarding.bridgeLocalVlan0[bridgeOfFid(fid)] !== 0
    ? hostPlace(sw, high, low, fid)
    : destination;
}

/** Where the host is, if the MAC is one of its own that its bridge has without a VLAN; NOT_FOUND: it is not. Other entries there do not count. */
export function hostPlace({ fdb }: Context, high: number, low: number, fid: number): number {
  const common = fidWithoutVlan(fid);
  const row = fdb.lookup(high, low, common);
  if (row < 0 || (fdb.flagsOf(row) & FLAG_PERMANENT) === 0) return NOT_FOUND;
  return fdb.resolve(high, low, common);
}
