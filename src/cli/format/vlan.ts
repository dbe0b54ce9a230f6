/**
 * VLAN membership and the VLAN to VNI table in the columns of `bridge vlan`. Pure.
 */
import type { TunnelRow, VlanRow } from '../../api/api.js';
import { range } from './columns.js';

/** Column widths of iproute2, for scripts that depend on them: IFNAMSIZ for a name, 9 for a range of VIDs. */
const NAME = 16;
const VLAN_ID = 9;

const nameColumn = (name: string): string => `${name.padEnd(NAME)}  `;

/**
 * As `bridge vlan show`: one line per VID or range; a port without VLANs has no line.
 * @param details as `bridge -d`: adds `neigh_suppress` of each VLAN, for ports with `neigh_vlan_suppress`
 */
export function formatVlans(rows: readonly VlanRow[], details = false): string {
  let text = `${nameColumn('port')}vlan-id\n`;
  for (const row of rows) {
    row.vlans.forEach((entry, index) => {
      const isShown = details && entry.neigh_suppress !== undefined;
      const suppression = isShown ? [`neigh_suppress ${entry.neigh_suppress === true ? 'on' : 'off'}`] : [];
      const words = [range(entry.vlan, entry.vlanEnd), ...entry.flags, ...suppression];
      text += `${nameColumn(index === 0 ? row.ifname : '')}${words.join(' ')}\n`;
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
