/**
 * VLAN membership and the VLAN to VNI table in the columns of `bridge vlan`. Pure.
 */
import type { GlobalRow, TunnelRow, VlanRange, VlanRow } from '../../api/api.js';
import { range } from './columns.js';

/** Column widths of iproute2, for scripts that depend on them: IFNAMSIZ for a name, 9 for a range of VIDs. */
const NAME = 16;
const VLAN_ID = 9;

const nameColumn = (name: string): string => `${name.padEnd(NAME)}  `;

/**
 * As `bridge vlan show`: one line per VID or range; a port without VLANs has no line.
 * @param details as `bridge -d`: adds `neigh_suppress` of each VLAN, for ports with `neigh_vlan_suppress`, `isolated` and `state` for ports that have them by VLAN, and the multicast options of
 * bridges with `mcast_vlan_snooping`
 */
export function formatVlans(rows: readonly VlanRow[], details = false): string {
  let text = `${nameColumn('port')}vlan-id\n`;
  for (const row of rows) {
    row.vlans.forEach((entry, index) => {
      const words = [range(entry.vlan, entry.vlanEnd), ...entry.flags, ...(details ? detailsOf(entry) : [])];
      text += `${nameColumn(index === 0 ? row.ifname : '')}${words.join(' ')}\n`;
    });
  }
  return text;
}

function detailsOf(vlan: VlanRange): string[] {
  const { state, neigh_suppress, isolated, mcast_router, mcast_max_groups, mcast_n_groups } = vlan;
  const flags = Object.entries({ neigh_suppress, isolated }).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key} ${value ? 'on' : 'off'}`],
  );
  const numbers = Object.entries({ mcast_router, mcast_max_groups, mcast_n_groups });
  const states = state === undefined ? [] : [`state ${state}`];
  return [...states, ...flags, ...numbers.flatMap(([key, value]) => (value === undefined ? [] : [`${key} ${value}`]))];
}

/** As `bridge vlan global show`: for each VLAN or range its options, on lines of their own. */
export function formatGlobals(rows: readonly GlobalRow[]): string {
  let text = `${nameColumn('port')}vlan-id\n`;
  for (const row of rows) {
    row.vlans.forEach(({ vlan, vlanEnd, ...options }, index) => {
      const words = Object.entries(options).map(([key, value]) => `${key} ${value}`);
      text += `${nameColumn(index === 0 ? row.ifname : '')}${range(vlan, vlanEnd)}\n`;
      // Four on a line.
      for (let from = 0; from < words.length; from += 4)
        text += `${nameColumn('')}  ${words.slice(from, from + 4).join(' ')}\n`;
    });
  }
  return text;
}

/** As `bridge vlan tunnelshow`. */
export function formatTunnels(rows: readonly TunnelRow[]): string {
  let text = `${nameColumn('port')}${'vlan-id'.padEnd(VLAN_ID)}  tunnel-id\n`;
  for (const row of rows) {
    row.tunnels.forEach((entry, index) => {
      const vids = range(entry.vlan, entry.vlanEnd).padEnd(VLAN_ID);
      text += `${nameColumn(index === 0 ? row.ifname : '')}${vids}  ${range(entry.tunid, entry.tunidEnd)}\n`;
    });
  }
  return text;
}
