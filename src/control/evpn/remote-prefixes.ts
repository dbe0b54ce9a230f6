/** Ways to prefixes that the speaker tells, as routes of a source: all ways of a prefix are one route (ECMP). */
import type { Delta, RemotePrefix } from '../../evpn/contract.js';
import type { RowDelta } from '../peers/contract.js';
import type { LocalVrf, PeerRoute } from '../peers/route-contract.js';

interface Prefix {
  vni: number;
  route: Pick<PeerRoute, 'vrf' | 'prefix'>;
  /** By VTEP. */
  ways: Map<string, RemotePrefix>;
}

type Rows = { add: PeerRoute[]; remove: PeerRoute[] };

export class RemotePrefixes {
  /** By `VNI prefix`. */
  private prefixes = new Map<string, Prefix>();

  /** @param vrfOf the VRF of a VNI of layer 3; undefined: there is none */
  constructor(private readonly vrfOf: (vni: number) => Pick<LocalVrf, 'vrf'> | undefined) {}

  /** What was told is void. */
  forget(): void {
    this.prefixes = new Map();
  }

  /** @returns the change, and how many ways were not taken, since their VNI on the wire is not ours */
  changeOf({ add, remove }: Delta<RemotePrefix>): RowDelta<PeerRoute> & { refused: number } {
    const touched = new Map<string, Prefix>();
    let refused = 0;
    for (const way of remove) {
      const prefix = this.prefixes.get(keyOf(way));
      if (prefix?.ways.delete(way.remote) === true) touched.set(keyOf(way), prefix);
    }
    for (const way of add) {
      const vrf = this.vrfOf(way.vni);
      if (vrf === undefined || (way.sentVni !== undefined && way.sentVni !== way.vni)) {
        refused++;
        continue;
      }
      const key = keyOf(way);
      const prefix = this.prefixes.get(key) ?? { vni: way.vni, route: routeOf(vrf, way.prefix), ways: new Map() };
      this.prefixes.set(key, prefix);
      prefix.ways.set(way.remote, way);
      touched.set(key, prefix);
    }
    return { ...this.rowsOf(touched), refused };
  }

  /** The change that routes of VNIs need whose VRF is another one than when they were told. */
  moves(): RowDelta<PeerRoute> {
    const moved: Rows = { add: [], remove: [] };
    for (const prefix of this.prefixes.values()) {
      const vrf = this.vrfOf(prefix.vni);
      if (vrf === undefined || vrf.vrf === prefix.route.vrf) continue;
      moved.remove.push({ ...prefix.route, nexthops: [] });
      prefix.route = routeOf(vrf, prefix.route.prefix);
      moved.add.push(rowOf(prefix));
    }
    return moved;
  }

  private rowsOf(touched: ReadonlyMap<string, Prefix>): Rows {
    const rows: Rows = { add: [], remove: [] };
    for (const [key, prefix] of touched) {
      if (prefix.ways.size > 0) rows.add.push(rowOf(prefix));
      else {
        rows.remove.push(rowOf(prefix));
        this.prefixes.delete(key);
      }
    }
    return rows;
  }
}

const keyOf = ({ vni, prefix }: RemotePrefix): string => `${vni} ${prefix}`;

function rowOf({ route, ways }: Prefix): PeerRoute {
  const nexthops = [...ways.values()].map(({ remote, vni, routerMac }) => ({ remote, l3vni: vni, routerMac }));
  return { ...route, nexthops };
}

function routeOf({ vrf }: Pick<LocalVrf, 'vrf'>, prefix: string): Prefix['route'] {
  return { prefix, ...(vrf === undefined ? {} : { vrf }) };
}
