/** All networks: by port and VNI, by port, and by the VLAN of the bridge that they are in now. */
import type { SwitchModel } from '../model/model.js';
import { isSamePlace, Network, placeOf } from './network.js';

const NONE: ReadonlySet<Network> = new Set();

export class Networks {
  private readonly byName = new Map<string, Network>();
  private readonly byPort = new Map<string, Set<Network>>();
  private readonly byPlace = new Map<string, Set<Network>>();

  constructor(private readonly model: SwitchModel) {}

  find(port: string, vni: number): Network | undefined {
    return this.byName.get(`${port} ${vni}`);
  }

  /** The network, made if it is not there. */
  need(port: string, vni: number): Network {
    const found = this.find(port, vni);
    if (found !== undefined) return found;
    const network = new Network(port, vni);
    this.byName.set(`${port} ${vni}`, network);
    put(this.byPort, port, network);
    network.place = placeOf(network, this.model);
    this.list(network);
    return network;
  }

  /** Forgets a network without rows. @returns whether it is forgotten */
  tidy(network: Network): boolean {
    if (!network.isEmpty) return false;
    this.byName.delete(`${network.port} ${network.vni}`);
    take(this.byPort, network.port, network);
    this.unlist(network);
    return true;
  }

  ofPort(port: string): ReadonlySet<Network> {
    return this.byPort.get(port) ?? NONE;
  }

  at(bridge: string, vid: number): ReadonlySet<Network> {
    return this.byPlace.get(`${bridge} ${vid}`) ?? NONE;
  }

  all(): Iterable<Network> {
    return this.byName.values();
  }

  /** Puts each network where it belongs now. @returns those that have moved */
  *follow(): Generator<Network> {
    for (const network of this.byName.values()) {
      const place = placeOf(network, this.model);
      if (isSamePlace(place, network.place)) continue;
      this.unlist(network);
      network.place = place;
      this.list(network);
      yield network;
    }
  }

  private list(network: Network): void {
    const { place } = network;
    if (place !== null) put(this.byPlace, `${place.bridgeName} ${place.vid}`, network);
  }

  private unlist(network: Network): void {
    const { place } = network;
    if (place !== null) take(this.byPlace, `${place.bridgeName} ${place.vid}`, network);
  }
}

function put(map: Map<string, Set<Network>>, key: string, network: Network): void {
  map.set(key, (map.get(key) ?? new Set<Network>()).add(network));
}

function take(map: Map<string, Set<Network>>, key: string, network: Network): void {
  const set = map.get(key);
  set?.delete(network);
  if (set?.size === 0) map.delete(key);
}
