/**
 * What this switch tells other hosts: the MACs of local ports in VLANs of EVPN VNIs, and the addresses that suppression of ARP and ND has
 * learned for them. Never what was learned from a tunnel.
 *
 * Changes of the FDB say which MACs to look at; what is told is the difference between the table and what was told before. So lost events cost a
 * walk of the table and nothing else.
 */
import { fidOf } from '../../dataplane/state/fid.js';
import type { LocalMac } from '../../evpn/contract.js';
import { type FdbReader, type FdbRow, FLAG_LOCKED, FLAG_PERMANENT, FLAG_STATIC, FLAG_STICKY } from '../../fdb/table.js';
import { NEIGH_ROUTER, NEIGH_SET, NEIGH_TUNNEL, type NeighReader } from '../../neigh/table.js';
import { formatMac } from '../../wire/ethernet.js';
import { formatAddress } from '../../wire/ip-address.js';
import { isGateway, isTunnel, type SwitchModel } from '../model/model.js';
import { Network, placeOf } from '../peers/network.js';
import { evpnPorts } from './speaker-config.js';

/** Rows read before a pause. */
const PIECE = 16_384;

/** MACs and addresses to announce and to withdraw. */
export interface Difference {
  announce: LocalMac[];
  withdraw: LocalMac[];
}

interface Told {
  mac: LocalMac;
  /** By address. */
  bindings: Map<string, LocalMac>;
}

export interface OwnMacParts {
  model: SwitchModel;
  fdb: Pick<FdbReader, 'find' | 'forEach' | 'slots'>;
  neigh: Pick<NeighReader, 'forEach' | 'slots'>;
}

export class OwnMacs {
  /** By FID: the VNI. */
  private vnis = new Map<number, number>();
  /** By `FID MAC`. */
  private readonly told = new Map<string, Told>();
  private changes = 0;

  constructor(private readonly parts: OwnMacParts) {}

  /** The model has changed. @returns whether other VLANs take part now: then `all` has to be looked at */
  follow(): boolean {
    const vnis = new Map<number, number>();
    for (const port of evpnPorts(this.parts.model)) {
      for (const { vni } of port.vnis) {
        const place = placeOf(new Network(port.name, vni), this.parts.model);
        if (place !== null) vnis.set(fidOf(place.bridge, place.vid), vni);
      }
    }
    const isSame = vnis.size === this.vnis.size && [...vnis].every(([fid, vni]) => this.vnis.get(fid) === vni);
    this.vnis = vnis;
    return !isSame;
  }

  /** Nothing was told, or all of it is void. */
  forget(): void {
    this.changes++;
    this.told.clear();
  }

  /** Everything that is told at present. */
  *everything(): Generator<LocalMac> {
    for (const { mac, bindings } of this.told.values()) {
      yield mac;
      yield* bindings.values();
    }
  }

  /** Looks at one MAC. */
  look(high: number, low: number, fid: number, into: Difference): void {
    const vni = this.vnis.get(fid);
    const row = vni === undefined ? null : this.parts.fdb.find(high, low, fid);
    this.put(keyOf(high, low, fid), vni === undefined || row === null ? null : this.macOf(row, vni), into);
  }

  private put(key: string, mac: LocalMac | null, into: Difference): void {
    const before = this.told.get(key);
    if (mac === null) {
      if (before === undefined) return;
      this.told.delete(key);
      this.changes++;
      into.withdraw.push(...before.bindings.values(), before.mac);
      return;
    }
    if (
      before !== undefined &&
      before.mac.vni === mac.vni &&
      before.mac.sticky === mac.sticky &&
      before.mac.isGateway === mac.isGateway
    )
      return;
    const bindings = new Map<string, LocalMac>();
    if (before !== undefined && before.mac.vni !== mac.vni) into.withdraw.push(...before.bindings.values(), before.mac);
    else
      for (const [ip, binding] of before?.bindings ?? [])
        bindings.set(ip, { ...binding, sticky: mac.sticky, isGateway: mac.isGateway });
    this.told.set(key, { mac, bindings });
    this.changes++;
    into.announce.push(mac, ...bindings.values());
  }

  /** Null: it is not at a local port, or may not send yet. */
  private macOf({ high, low, owner, flags }: FdbRow, vni: number): LocalMac | null {
    const port = this.parts.model.portAt[owner];
    if (port === undefined || isTunnel(port) || (flags & FLAG_LOCKED) !== 0) return null;
    const mac = formatMac(high, low);
    // All hosts may have the same gateway (RFC 7432 section 10.1): its MAC is no claim that another host's could dispute.
    if (isGateway(port)) return { vni, mac, sticky: false, isGateway: true, isRouter: false };
    const sticky = (flags & (FLAG_STATIC | FLAG_PERMANENT | FLAG_STICKY)) !== 0;
    return { vni, mac, sticky, isGateway: false, isRouter: false };
  }

  /** Looks at the whole table, with pauses; a value is a yield point. */
  *all(): Generator<Difference> {
    const seen = new Set<string>();
    const { fdb } = this.parts;
    for (let from = 0; from < fdb.slots; from += PIECE) {
      const into: Difference = { announce: [], withdraw: [] };
      fdb.forEach(
        (row) => {
          const vni = this.vnis.get(row.fid);
          const mac = vni === undefined ? null : this.macOf(row, vni);
          if (mac === null) return;
          const key = keyOf(row.high, row.low, row.fid);
          seen.add(key);
          this.put(key, mac, into);
        },
        from,
        PIECE,
      );
      yield into;
    }
    const into: Difference = { announce: [], withdraw: [] };
    for (const key of [...this.told.keys()]) {
      if (seen.has(key)) continue;
      // It may have come while the table was read.
      const [fid, high, low] = key.split(' ').map(Number);
      this.look(high, low, fid, into);
    }
    yield into;
  }

  /** Looks at all bindings, as `all`. */
  *bindings(): Generator<Difference> {
    const seen = new Map<Told, Set<string>>();
    const { neigh } = this.parts;
    for (let from = 0; from < neigh.slots; from += PIECE) {
      const into: Difference = { announce: [], withdraw: [] };
      neigh.forEach(
        ({ fid, address, high, low, flags }) => {
          if ((flags & (NEIGH_SET | NEIGH_TUNNEL)) !== 0) return;
          const told = this.told.get(keyOf(high, low, fid));
          if (told === undefined) return;
          const ip = formatAddress(...address);
          seen.set(told, (seen.get(told) ?? new Set<string>()).add(ip));
          const isRouter = (flags & NEIGH_ROUTER) !== 0;
          if (told.bindings.get(ip)?.isRouter === isRouter) return;
          const binding = { ...told.mac, ip, isRouter };
          told.bindings.set(ip, binding);
          into.announce.push(binding);
        },
        from,
        PIECE,
      );
      yield into;
    }
    const into: Difference = { announce: [], withdraw: [] };
    for (const told of this.told.values()) {
      for (const [ip, binding] of told.bindings) {
        if (seen.get(told)?.has(ip) === true) continue;
        told.bindings.delete(ip);
        into.withdraw.push(binding);
      }
    }
    yield into;
  }

  /** Another number after each change of the MACs that are told: then bindings may be missing. */
  get generation(): number {
    return this.changes;
  }
}

function keyOf(high: number, low: number, fid: number): string {
  return `${fid} ${high} ${low}`;
}
