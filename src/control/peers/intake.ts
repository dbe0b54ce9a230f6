/** Takes what a source says into its claims. Sends nothing: the rows that have changed are collected. */
import { readNicMac, ZERO_MAC } from '../../values/address.js';
import type { PeerDestination } from '../model/peer-rows.js';
import { readBinding, readFlood, type Surroundings } from './checks.js';
import type { Claimant } from './claims.js';
import type { PeerBinding, PeerFlood, PeerMac } from './contract.js';
import type { Limits } from './limits.js';
import type { BindingRow, BindingValue, FloodRow, MacRow, MacValue, Network } from './network.js';
import type { Networks } from './networks.js';
import type { Piece } from './owner.js';
import { isSameDestination, type Teller } from './teller.js';

export type AnyRow = FloodRow | MacRow | BindingRow;

export interface IntakeParts {
  around: Surroundings;
  networks: Networks;
  limits: Limits;
  teller: Pick<Teller, 'faultOf'>;
}

export class Intake {
  /** What has changed, with its networks. */
  readonly touched = new Map<AnyRow, Network>();
  /** Why rows were refused, one for each. */
  readonly reasons: string[] = [];
  /** The last MAC's place, as it was given and read: most MACs of a piece are behind the same remote. */
  private given: PeerFlood | null = null;
  private read: PeerFlood | string = '';

  constructor(
    private readonly parts: IntakeParts,
    private readonly by: Claimant,
  ) {}

  take({ floods, macs, bindings }: Piece): void {
    for (const row of floods?.remove ?? []) this.removeFlood(row);
    for (const row of macs?.remove ?? []) this.removeMac(row);
    for (const row of bindings?.remove ?? []) this.removeBinding(row);
    for (const row of floods?.add ?? []) this.note(this.addFlood(row));
    for (const row of macs?.add ?? []) this.note(this.addMac(row));
    for (const row of bindings?.add ?? []) this.note(this.addBinding(row));
  }

  private note(reason: string | null): void {
    if (reason !== null) this.reasons.push(reason);
  }

  private removeFlood(row: PeerFlood): void {
    const network = this.parts.networks.find(row.port, row.vni);
    const flood = network?.floods.get(keyOfFlood(row));
    if (network !== undefined && flood?.claims.withdraw(this.by, () => true) === true) this.touched.set(flood, network);
  }

  /** Only if it is still behind that remote. */
  private removeMac(row: PeerMac): void {
    const network = this.parts.networks.find(row.port, row.vni);
    const mac = network?.macs.get(row.mac.toLowerCase());
    const fits = ({ dst }: { dst: string }): boolean => dst === row.remote;
    if (network !== undefined && mac?.claims.withdraw(this.by, fits) === true) this.touched.set(mac, network);
  }

  private removeBinding(row: PeerBinding): void {
    const network = this.parts.networks.find(row.port, row.vni);
    const binding = network?.bindings.get(row.ip);
    const fits = ({ mac }: BindingValue): boolean => mac === row.mac.toLowerCase();
    if (network !== undefined && binding?.claims.withdraw(this.by, fits) === true) this.touched.set(binding, network);
  }

  private addFlood(given: PeerFlood): string | null {
    const read = readFlood(given, this.parts.around);
    if (typeof read === 'string') return read;
    const { limits, networks, teller } = this.parts;
    const value = destinationOf(read);
    const network = networks.need(read.port, read.vni);
    const key = keyOfFlood(read);
    const fault = network.floods.has(key) ? null : (limits.floods() ?? teller.faultOf(network.place, value));
    if (fault !== null) return this.refuse(network, fault);
    this.put(network.flood(key), network).claim(this.by, value, isSameDestination);
    return null;
  }

  private addMac(given: PeerMac): string | null {
    const mac = readNicMac(given.mac);
    if (typeof mac !== 'string') return mac.message;
    const place = this.placeOf(given);
    if (typeof place === 'string') return place;
    const { limits, networks, teller } = this.parts;
    const value = macValue(mac, given.sticky, place);
    const network = networks.need(place.port, place.vni);
    const full = network.macs.has(mac) ? null : limits.macs();
    const fault = full ?? teller.faultOf(network.place, value);
    if (fault !== null) return this.refuse(network, fault);
    this.put(network.mac(mac), network).claim(this.by, value, isSameMac);
    return null;
  }

  private placeOf(row: PeerMac): PeerFlood | string {
    if (this.given === null || !isSameFlood(this.given, row)) {
      this.read = readFlood(row, this.parts.around);
      this.given = row;
    }
    return this.read;
  }

  private addBinding(given: PeerBinding): string | null {
    const read = readBinding(given);
    if (typeof read === 'string') return read;
    const { ip, mac, isRouter, port, vni } = read;
    const network = this.parts.networks.need(port, vni);
    const fault = network.bindings.has(ip) ? null : this.parts.limits.bindings();
    if (fault !== null) return this.refuse(network, fault);
    this.put(network.binding(ip), network).claim(
      this.by,
      { mac, isRouter },
      (one, other) => one.mac === other.mac && one.isRouter === other.isRouter,
    );
    return null;
  }

  /** Notes a row that gets a claim. @returns its claims */
  private put<R extends AnyRow>(row: R, network: Network): R['claims'] {
    // One that has just lost its last claim is counted still.
    if (row.claims.isEmpty && !this.touched.has(row)) this.parts.limits.begin(row);
    this.touched.set(row, network);
    return row.claims;
  }

  /** A network that was made for a refused row goes again. */
  private refuse(network: Network, reason: string): string {
    this.parts.networks.tidy(network);
    return reason;
  }
}

function isSameFlood(one: PeerFlood, other: PeerFlood): boolean {
  return (
    one.remote === other.remote &&
    one.vni === other.vni &&
    one.port === other.port &&
    one.dstport === other.dstport &&
    one.sentVni === other.sentVni
  );
}

function isSameMac(one: MacValue, other: MacValue): boolean {
  return isSameDestination(one, other) && one.sticky === other.sticky;
}

function macValue(mac: string, sticky: boolean, { remote, dstport, sentVni }: PeerFlood): MacValue {
  const value: MacValue = { mac, dst: remote, sticky };
  if (dstport !== undefined) value.udpPort = dstport;
  if (sentVni !== undefined) value.sentVni = sentVni;
  return value;
}

function destinationOf({ remote, dstport, sentVni }: PeerFlood): PeerDestination {
  return {
    mac: ZERO_MAC,
    dst: remote,
    ...(dstport === undefined ? {} : { udpPort: dstport }),
    ...(sentVni === undefined ? {} : { sentVni }),
  };
}

function keyOfFlood({ remote, dstport = 0, sentVni = 0, vni }: PeerFlood): string {
  return `${remote} ${dstport} ${sentVni === vni ? 0 : sentVni}`;
}
