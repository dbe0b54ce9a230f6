/** The rows that sources have for one VNI of a vxlan port, and where they belong while that port is there. */
import type { PeerDestination } from '../model/peer-rows.js';
import { isTunnel, type SwitchModel, type VxlanPort } from '../model/model.js';
import { Claims } from './claims.js';

/** A VLAN of a bridge that a VNI is mapped to. */
export interface Place {
  port: VxlanPort;
  /** Engine index of the bridge. */
  bridge: number;
  bridgeName: string;
  /** Of FDB entries and bindings; 0: the bridge does not look at VLANs. */
  vid: number;
  /** Of flood lists; null: the VNI carries all VLANs of the port. */
  floodVid: number | null;
}

export interface MacValue extends PeerDestination {
  sticky: boolean;
}

export interface BindingValue {
  mac: string;
  isRouter: boolean;
}

/** A row, and what the engines were told of it last; null: nothing. */
interface Row<V> {
  readonly claims: Claims<V>;
  told: { place: Place; value: V } | null;
}

export interface FloodRow extends Row<PeerDestination> {
  kind: 'flood';
  key: string;
}

export interface MacRow extends Row<MacValue> {
  kind: 'mac';
  key: string;
  /** The destination that was told last. */
  destination: number;
}

export interface BindingRow extends Row<BindingValue> {
  kind: 'binding';
  key: string;
}

export class Network {
  place: Place | null = null;
  /** By destination. */
  readonly floods = new Map<string, FloodRow>();
  readonly macs = new Map<string, MacRow>();
  /** By address. */
  readonly bindings = new Map<string, BindingRow>();

  constructor(
    /** Link name. */
    readonly port: string,
    readonly vni: number,
  ) {}

  flood(key: string): FloodRow {
    return rowOf(this.floods, key, () => ({ kind: 'flood', key, claims: new Claims(), told: null }));
  }

  mac(key: string): MacRow {
    return rowOf(this.macs, key, () => ({ kind: 'mac', key, claims: new Claims(), told: null, destination: 0 }));
  }

  binding(key: string): BindingRow {
    return rowOf(this.bindings, key, () => ({ kind: 'binding', key, claims: new Claims(), told: null }));
  }

  *rows(): Generator<MacRow | BindingRow> {
    yield* this.macs.values();
    yield* this.bindings.values();
  }

  /** @returns false when it has gone before */
  forget(row: FloodRow | MacRow | BindingRow): boolean {
    const rows: Map<string, object> =
      row.kind === 'flood' ? this.floods : row.kind === 'mac' ? this.macs : this.bindings;
    return rows.get(row.key) === row && rows.delete(row.key);
  }

  get isEmpty(): boolean {
    return this.floods.size + this.macs.size + this.bindings.size === 0;
  }
}

function rowOf<R>(rows: Map<string, R>, key: string, make: () => R): R {
  let row = rows.get(key);
  if (row === undefined) {
    row = make();
    rows.set(key, row);
  }
  return row;
}

/** Where rows of a VNI belong now; null: the port, its bridge or the VNI is not there. A VNI without a VLAN of its own is in the PVID. */
export function placeOf({ port: name, vni }: Network, { ports }: SwitchModel): Place | null {
  const port = ports.get(name);
  if (!isTunnel(port) || port.bridge === null) return null;
  const mapped = port.vnis.find((one) => one.vni === vni);
  if (mapped === undefined) return null;
  const { index: bridge, name: bridgeName, config } = port.bridge;
  const vid = config.vlan_filtering ? (mapped.vid ?? port.pvid) : 0;
  if (config.vlan_filtering && vid === 0) return null;
  return { port, bridge, bridgeName, vid, floodVid: mapped.vid };
}

export function isSamePlace(one: Place | null, other: Place | null): boolean {
  if (one === null || other === null) return one === other;
  return (
    one.port === other.port && one.bridge === other.bridge && one.vid === other.vid && one.floodVid === other.floodVid
  );
}
