/** Takes what a source says into its claims. Sends nothing: the rows that have changed are collected. */
import { ZERO_MAC } from '../../values/address.js';
import { readBinding, readFlood, readMac, type Surroundings } from './checks.js';
import type { Claimant } from './claims.js';
import type { PeerBinding, PeerFlood, PeerMac } from './contract.js';
import type { Limits } from './limits.js';
import type { BindingRow, BindingValue, FloodRow, MacRow, Network } from './network.js';
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
    const value = { mac: ZERO_MAC, ...destinationOfRow(read) };
    const network = networks.need(read.port, read.vni);
    const key = keyOfFlood(read);
    const fault = network.floods.has(key) ? null : (limits.floods() ?? teller.faultOf(network.place, value));
    if (fault !== null) return this.refuse(network, fault);
    this.put(network.flood(key), network).claim(this.by, value, isSameDestination);
    return null;
  }

  private addMac(given: PeerMac): string | null {
    const read = readMac(given, this.parts.around);
    if (typeof read === 'string') return read;
    const { limits, networks, teller } = this.parts;
    const value = { mac: read.mac, ...destinationOfRow(read), sticky: read.sticky };
    const network = networks.need(read.port, read.vni);
    const full = network.macs.has(read.mac) ? null : limits.macs();
    const fault = full ?? teller.faultOf(network.place, value);
    if (fault !== null) return this.refuse(network, fault);
    this.put(network.mac(read.mac), network).claim(
      this.by,
      value,
      (one, other) => isSameDestination(one, other) && one.sticky === other.sticky,
    );
    return null;
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

function destinationOfRow({ remote, dstport, sentVni }: PeerFlood): {
  dst: string;
  udpPort?: number;
  sentVni?: number;
} {
  return {
    dst: remote,
    ...(dstport === undefined ? {} : { udpPort: dstport }),
    ...(sentVni === undefined ? {} : { sentVni }),
  };
}

function keyOfFlood({ remote, dstport = 0, sentVni = 0, vni }: PeerFlood): string {
  return `${remote} ${dstport} ${sentVni === vni ? 0 : sentVni}`;
}
