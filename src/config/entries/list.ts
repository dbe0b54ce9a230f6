/**
 * The configured FDB of a switch as a flat list: one row for each MAC and VLAN or VNI, flood lists included.
 *
 * Produces the rows without duplicates; `expand.ts` expands single entries. Engine indexes are unknown here.
 */

import { ZERO_MAC } from '../../values/address.js';
import { isTunnelPort } from '../options/kinds.js';
import type { BridgeConfig, PortConfig, SwitchConfig, VxlanConfig } from '../types.js';
import { type Attributes, PLAIN } from './attributes.js';
import { type ConfiguredEntry, expandBridgeEntry, expandEntry } from './expand.js';
import { isForMany } from './rules.js';

/** All rows of a configuration, port by port. */
export function entriesOf(config: SwitchConfig): ConfiguredEntry[] {
  const out: ConfiguredEntry[] = [];
  for (const bridge of config.bridges) {
    addDistinct(
      out,
      bridge.fdb.flatMap((entry) => expandBridgeEntry(entry, bridge)),
    );
    for (const port of bridge.ports) addRows(out, port, bridge);
  }
  for (const port of config.ports) addRows(out, port, undefined);
  return out;
}

/** Skips duplicate rows: the first one counts. */
function addRows(out: ConfiguredEntry[], port: PortConfig, bridge: BridgeConfig | undefined): void {
  const lists = isTunnelPort(port) ? floodRows(port) : [];
  const entries = port.fdb.flatMap((entry) => expandEntry(entry, port, bridge));
  const isEverywhere = (row: ConfiguredEntry): boolean => row.mac === ZERO_MAC && row.vni === null;
  const everywhere = new Set([...lists, ...entries].filter(isEverywhere).map(destinationOf));
  const isCovered = (row: ConfiguredEntry): boolean => row.vni !== null && everywhere.has(destinationOf(row));
  // An explicit entry is always listed, as at run time; a VLAN's remote only where the port's list does not contain it.
  addDistinct(out, [...lists.filter((one) => !isCovered(one)), ...entries]);
}

function addDistinct(out: ConfiguredEntry[], rows: readonly ConfiguredEntry[]): void {
  const seen = new Set<string>();
  for (const row of rows) {
    const key = keyOf(row);
    if (seen.has(key)) continue;
    seen.add(key);
    out.push(row);
  }
}

/** The port's group and `remotes`, and those of its VNIs. */
function floodRows(port: VxlanConfig): ConfiguredEntry[] {
  const row = (dst: string, vlan: number, vni: number | null): ConfiguredEntry => ({
    mac: ZERO_MAC,
    port: port.name,
    vlan,
    vni,
    dst,
    ...PLAIN,
  });
  const ofVlans = port.vlans.flatMap(({ vid, vni, group, remotes }) =>
    vni === undefined ? [] : [...(group === undefined ? [] : [group]), ...remotes].map((dst) => row(dst, vid, vni)),
  );
  const group = port.group === undefined ? [] : [port.group];
  return [...[...group, ...port.remotes].map((dst) => row(dst, 0, null)), ...ofVlans];
}

function destinationOf({ dst, udpPort, sentVni }: EntryKey): string {
  return `${dst} ${udpPort ?? ''} ${sentVni ?? ''}`;
}

/** The key of an entry. */
export type EntryKey = Omit<ConfiguredEntry, keyof Attributes>;

/**
 * The identity of an entry on its port. A unicast MAC has one location in each VLAN; all-zeros and multicast MACs have any
 * number of destinations.
 */
export function keyOf(row: EntryKey): string {
  return isForMany(row.mac) ? `${row.mac} ${row.vlan} ${row.vni} ${destinationOf(row)}` : `${row.mac} ${row.vlan}`;
}
