/** Ways to prefixes that the speaker tells, as routes of a source: all ways of a prefix are one route (ECMP). */
import type { Delta, RemotePrefix } from '../../evpn/contract.js';
import type { RowDelta } from '../peers/contract.js';
import type { LocalVrf, PeerRoute } from '../peers/route-contract.js';

interface Prefix {
  route: Pick<PeerRoute, 'vrf' | 'prefix'>;
  /** By VTEP. */
  ways: Map<string, RemotePrefix>;
}

export class RemotePrefixes {
  /** By `VNI prefix`. */
  private prefixes = new Map<string, Prefix>();
  /** Of a speaker that has failed: in the tables until they are told again, or dropped. */
  private stale = new Map<string, Prefix>();

  /** @param vrfOf the VRF of a VNI of layer 3; undefined: there is none */
  constructor(private readonly vrfOf: (vni: number) => Pick<LocalVrf, 'vrf'> | undefined) {}

  /** What was told is void; the routes stay for now. */
  forget(): void {
    for (const [key, prefix] of this.prefixes) this.stale.set(key, prefix);
    this.prefixes = new Map();
  }

  /** The routes that were not told again. */
  dropStale(): RowDelta<PeerRoute> {
    const remove = [...this.stale.values()].map(({ route }) => ({ ...route, nexthops: [] }));
    this.stale = new Map();
    return { add: [], remove };
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
      const prefix = this.prefixes.get(key) ?? { route: routeOf(vrf, way), ways: new Map<string, RemotePrefix>() };
      this.prefixes.set(key, prefix);
      this.stale.delete(key);
      prefix.ways.set(way.remote, way);
      touched.set(key, prefix);
    }
    return { ...this.rowsOf(touched), refused };
  }

  private rowsOf(touched: ReadonlyMap<string, Prefix>): RowDelta<PeerRoute> {
    const rows: { add: PeerRoute[]; remove: PeerRoute[] } = { add: [], remove: [] };
    for (const [key, { route, ways }] of touched) {
      const nexthops = [...ways.values()].map(({ remote, vni, routerMac }) => ({ remote, l3vni: vni, routerMac }));
      if (nexthops.length > 0) rows.add.push({ ...route, nexthops });
      else {
        rows.remove.push({ ...route, nexthops });
        this.prefixes.delete(key);
      }
    }
    return rows;
  }
}

const keyOf = ({ vni, prefix }: RemotePrefix): string => `${vni} ${prefix}`;

function routeOf({ vrf }: Pick<LocalVrf, 'vrf'>, { prefix }: RemotePrefix): Prefix['route'] {
  return { prefix, ...(vrf === undefined ? {} : { vrf }) };
}
