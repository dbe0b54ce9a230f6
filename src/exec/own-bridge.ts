/**
 * A tunnel device of the kernel needs no bridge for its table, its groups and its address; a port of a switch does. So a device
 * without a bridge gets one of its own, which no listing shows and which goes when the device becomes a port.
 */
import type { FdbPut, FdbRow, LinkRow } from '../api/api.js';
import { hiddenBridgeOf, type View, virtualIndex } from './view.js';

const isTunnel = ({ type }: LinkRow): boolean => type === 'vxlan' || type === 'geneve';

/** The bridge that a tunnel device without one gets. */
const ownBridge = (name: string): string => `hp-${virtualIndex(name).toString(16).padStart(8, '0')}`;

/** Gives a tunnel device a bridge, unless it has one. */
export async function giveBridge(view: View, row: LinkRow): Promise<void> {
  if (!isTunnel(row) || row.master !== undefined || hiddenBridgeOf(row) !== undefined) return;
  const bridge = ownBridge(row.ifname);
  // A device for many VNIs has them of VLANs.
  await view.post({ op: 'add', name: bridge, type: 'bridge', options: { vlan_filtering: row.vlan_tunnel === true } });
  try {
    await view.post({ op: 'set', name: row.ifname, master: bridge, waits: true });
  } catch (error) {
    await view.post({ op: 'del', name: bridge });
    throw error;
  }
}

/** What the table of a device's own bridge has, to be there also in the table of the bridge that it gets. */
export async function tableOf(view: View, hidden: string): Promise<FdbRow[]> {
  const rows = await view.client.get(`/v1/fdb?br=${encodeURIComponent(hidden)}` as '/v1/fdb');
  return rows.filter(({ state, dst, nhid }) => state !== 'dynamic' && (dst !== undefined || nhid !== undefined));
}

/** Puts entries into the table of the device's new bridge; those that are there already stay. */
export async function putTable(view: View, dev: string, rows: readonly FdbRow[]): Promise<void> {
  const there = await view.client.get(`/v1/fdb?dev=${encodeURIComponent(dev)}` as '/v1/fdb');
  for (const row of rows) {
    if (there.some(({ mac, dst, src_vni }) => mac === row.mac && dst === row.dst && src_vni === row.src_vni)) continue;
    await view.client.post('/v1/fdb', requestOf(dev, row));
  }
}

function requestOf(dev: string, { mac, state, dst, port, vni, src_vni, nhid, flags }: FdbRow): FdbPut {
  const isMany = mac === '00:00:00:00:00:00';
  return {
    op: isMany ? 'append' : 'add',
    mac,
    dev,
    state,
    ...(dst === undefined ? {} : { dst }),
    ...(port === undefined ? {} : { port }),
    ...(vni === undefined ? {} : { vni }),
    ...(src_vni === undefined ? {} : { src_vni }),
    ...(nhid === undefined ? {} : { nhid }),
    ...(flags.includes('extern_learn') ? { extern_learn: true } : {}),
    ...(flags.includes('router') ? { router: true } : {}),
  };
}
