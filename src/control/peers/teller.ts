/**
 * Brings the engines to what sources say, row by row: references to remotes first, then, once remotes are settled, FDB entries, flood lists
 * and bindings. A row of a VNI that is not there waits.
 */
import { destinationOf } from '../../dataplane/state/destination.js';
import { fidOf } from '../../dataplane/state/fid.js';
import { FLAG_EXTERN_LEARN, FLAG_STATIC, FLAG_STICKY } from '../../fdb/table.js';
import { ZERO_MAC } from '../../values/address.js';
import { parseAddress } from '../../wire/ip-address.js';
import { DeviceError } from '../model/device-error.js';
import type { SwitchModel, VxlanPort } from '../model/model.js';
import { macOf } from '../model/naming.js';
import type { PeerDestination } from '../model/peer-rows.js';
import type { Transition } from '../model/transition.js';
import type { PortEntries } from '../reconcile/port-entries.js';
import { remoteOf } from '../reconcile/vteps.js';
import type { BindingRow, FloodRow, MacRow, MacValue, Network, Place } from './network.js';

/** Engine indexes of remotes that one row may take: a home, and one beside it. */
const INDEXES = 2;

export interface TellerParts {
  model: SwitchModel;
  entries: Pick<PortEntries, 'vteps' | 'isPlaced' | 'touchVlan' | 'touch' | 'checkRoom'>;
}

export class Teller {
  private readonly macs = new Set<MacRow>();
  private readonly bindings = new Set<BindingRow>();
  /** References that were added since remotes were settled last. */
  private named = 0;

  constructor(private readonly parts: TellerParts) {}

  /** Why a remote finds no room; null: it does. Of rows that wait for their port, nobody knows yet. */
  faultOf(place: Place | null, destination: PeerDestination): string | null {
    if (place === null || this.parts.entries.vteps.isNamed(place.port, destination)) return null;
    try {
      this.parts.entries.checkRoom([], INDEXES * (this.named + 1));
      if (destination.sentVni !== undefined) {
        const entry = { ...destination, port: place.port.name };
        this.parts.entries.vteps.checkRoom([entry], INDEXES * this.named, () => place.port);
      }
      return null;
    } catch (error) {
      if (error instanceof DeviceError) return error.message;
      throw error;
    }
  }

  flood(network: Network, row: FloodRow): void {
    const { entries } = this.parts;
    const { place } = network;
    const wanted = place === null ? undefined : row.claims.value;
    if (row.told !== null && (wanted === undefined || row.told.place !== place)) {
      entries.vteps.unname(row.told.place.port, { ...row.told.value, mac: ZERO_MAC });
      this.touch(row.told.place);
      row.told = null;
    }
    if (wanted === undefined || place === null || row.told !== null) return;
    if (!this.name(place, wanted)) return;
    row.told = { place, value: wanted };
    this.touch(place);
  }

  private touch(place: Place): void {
    if (this.isThere(place)) this.parts.entries.touchVlan(place.port, place.floodVid);
  }

  /** Whether the port is still in that bridge: otherwise its rows were flushed. */
  private isThere({ port, bridge }: Place): boolean {
    return this.parts.model.ports.get(port.name) === port && port.bridge?.index === bridge;
  }

  mac(network: Network, row: MacRow, change: Transition): void {
    const { place } = network;
    const isTaken = place !== null && this.parts.entries.isPlaced(place.bridgeName, place.vid, row.key);
    const wanted = place === null || isTaken ? undefined : row.claims.value;
    if (row.told !== null) this.leave(row, wanted, place, isTaken, change);
    if (wanted === undefined || place === null) return;
    if (row.told === null && !this.name(place, wanted)) return;
    row.told = { place, value: wanted };
    this.macs.add(row);
  }

  /** Ends what was told of a MAC, unless that stays but for its flags. */
  private leave(
    row: MacRow,
    wanted: MacValue | undefined,
    place: Place | null,
    isTaken: boolean,
    change: Transition,
  ): void {
    if (row.told === null) return;
    const { place: from, value } = row.told;
    const isSamePlace = from === place;
    if (wanted !== undefined && isSamePlace && isSameDestination(wanted, value)) return;
    this.parts.entries.vteps.unname(from.port, value);
    // What takes its place in the same VLAN overwrites it; a configured entry has done so already.
    if (this.isThere(from) && !isTaken && !(isSamePlace && wanted !== undefined)) {
      const fid = fidOf(from.bridge, from.vid);
      change.structure.push({ op: 'peer-del', ...macOf(row.key), fid, destination: row.destination });
    }
    row.told = null;
  }

  binding({ place }: Network, row: BindingRow, change: Transition): void {
    const wanted = place === null ? undefined : row.claims.value;
    if (row.told !== null && (wanted === undefined || row.told.place !== place)) {
      const { place: from } = row.told;
      const where = { bridge: from.bridge, vid: from.vid, address: wordsOf(row.key) };
      if (this.isThere(from)) change.structure.push({ op: 'neigh-del', ...where, external: true });
      row.told = null;
    }
    if (wanted === undefined || place === null) return;
    row.told = { place, value: wanted };
    this.bindings.add(row);
  }

  /** Adds the reference to a remote. @returns false when there is no room */
  private name({ port }: Place, destination: PeerDestination): boolean {
    const { vteps } = this.parts.entries;
    if (!vteps.isNamed(port, destination)) {
      if (this.faultOf({ port } as Place, destination) !== null) return false;
      this.named++;
    }
    vteps.name(port, destination);
    return true;
  }

  /** Remotes are settled: entries and bindings can be sent. */
  tell(change: Transition): void {
    for (const row of this.macs) this.tellMac(row, change);
    for (const row of this.bindings) this.tellBinding(row, change);
    this.macs.clear();
    this.bindings.clear();
    this.named = 0;
  }

  private tellMac(row: MacRow, change: Transition): void {
    if (row.told === null) return;
    const { place, value } = row.told;
    row.destination = destinationOf(place.port.index, remoteOf(place.port, value));
    change.entries.push({
      op: 'peer',
      ...macOf(row.key),
      fid: fidOf(place.bridge, place.vid),
      destination: row.destination,
      owner: place.port.index,
      flags: FLAG_EXTERN_LEARN | (value.sticky ? FLAG_STATIC | FLAG_STICKY : 0),
    });
  }

  private tellBinding(row: BindingRow, change: Transition): void {
    if (row.told === null) return;
    const { place, value } = row.told;
    change.entries.push({
      op: 'neigh',
      bridge: place.bridge,
      vid: place.vid,
      address: wordsOf(row.key),
      ...macOf(value.mac),
      router: value.isRouter,
      port: place.port.index,
      external: true,
    });
  }

  /** Rows that lead to these addresses lead to other remotes now. */
  moved(network: Network, port: VxlanPort, addresses: ReadonlySet<string>): void {
    if (network.place?.port !== port) return;
    for (const { told } of network.floods.values())
      if (told !== null && addresses.has(told.value.dst)) this.parts.entries.touch(port);
    for (const row of network.macs.values())
      if (row.told !== null && addresses.has(row.told.value.dst)) this.macs.add(row);
  }

  /** Sends a binding again. */
  again(row: BindingRow): void {
    this.bindings.add(row);
  }
}

export function isSameDestination(one: PeerDestination, other: PeerDestination): boolean {
  return one.dst === other.dst && one.udpPort === other.udpPort && one.sentVni === other.sentVni;
}

function wordsOf(address: string): number[] {
  return [...(parseAddress(address)?.words ?? [])];
}
