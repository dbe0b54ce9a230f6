/**
 * What the speaker tells of other hosts, as rows of a source of peers. Several routes of one MAC (alone, and with each of its addresses) make one
 * FDB entry: the last one that came decides where it is, and the entry goes with the last of them.
 */
import type { Delta, RemoteFlood, RemoteMac } from '../../evpn/contract.js';
import type { PeerBinding, PeerChange, PeerFlood, PeerMac } from '../peers/contract.js';

interface Mac {
  /** By address; '' is the MAC alone. */
  routes: Map<string, RemoteMac>;
  told: PeerMac | null;
}

export interface Routes {
  macs: Delta<RemoteMac>;
  floods: Delta<RemoteFlood>;
}

export class RemoteRows {
  /** By `VNI MAC`. */
  private readonly macs = new Map<string, Mac>();

  /** @param portOf the vxlan port that takes part with a VNI */
  constructor(private readonly portOf: (vni: number) => string | undefined) {}

  /** Nothing of what came before holds. */
  forget(): void {
    this.macs.clear();
  }

  changeOf({ macs, floods }: Routes): PeerChange {
    const bindings = { add: this.bindingsOf(macs.add), remove: this.bindingsOf(macs.remove) };
    const touched = new Map<string, Mac>();
    for (const route of macs.remove) this.remove(route, touched);
    for (const route of macs.add) this.add(route, touched);
    const rows: { add: PeerMac[]; remove: PeerMac[] } = { add: [], remove: [] };
    for (const [key, mac] of touched) {
      const wanted = this.rowOf([...mac.routes.values()].at(-1));
      // Said again even if it is the same: learning may have moved the entry meanwhile.
      if (wanted !== null) rows.add.push(wanted);
      else if (mac.told !== null) rows.remove.push(mac.told);
      mac.told = wanted;
      if (mac.routes.size === 0) this.macs.delete(key);
    }
    return { floods: { add: this.floodsOf(floods.add), remove: this.floodsOf(floods.remove) }, macs: rows, bindings };
  }

  private add(route: RemoteMac, touched: Map<string, Mac>): void {
    const key = `${route.vni} ${route.mac}`;
    const mac = this.macs.get(key) ?? { routes: new Map<string, RemoteMac>(), told: null };
    this.macs.set(key, mac);
    const ip = route.ip ?? '';
    // The last one that came is the last one of the map.
    mac.routes.delete(ip);
    mac.routes.set(ip, route);
    touched.set(key, mac);
  }

  private remove(route: RemoteMac, touched: Map<string, Mac>): void {
    const key = `${route.vni} ${route.mac}`;
    const mac = this.macs.get(key);
    if (mac?.routes.delete(route.ip ?? '') === true) touched.set(key, mac);
  }

  private rowOf(route: RemoteMac | undefined): PeerMac | null {
    const port = route === undefined ? undefined : this.portOf(route.vni);
    if (route === undefined || port === undefined) return null;
    const { vni, mac, remote, sentVni, sticky } = route;
    return { port, vni, mac, remote, sticky, ...(sentVni === undefined ? {} : { sentVni }) };
  }

  private floodsOf(floods: readonly RemoteFlood[]): PeerFlood[] {
    return floods.flatMap(({ vni, remote, sentVni }) => {
      const port = this.portOf(vni);
      return port === undefined ? [] : [{ port, vni, remote, ...(sentVni === undefined ? {} : { sentVni }) }];
    });
  }

  private bindingsOf(routes: readonly RemoteMac[]): PeerBinding[] {
    return routes.flatMap(({ vni, mac, ip, isRouter }) => {
      const port = this.portOf(vni);
      return port === undefined || ip === undefined ? [] : [{ port, vni, ip, mac, isRouter }];
    });
  }
}
