/** RTM_NEWVLAN and RTM_DELVLAN: `bridge vlan set` and `bridge vlan global set`. */
import type { VlanGlobalRequest, VlansRequest } from '../api/api.js';
import { unsupported } from '../netlink/fault.js';
import { acknowledgement, type Message } from '../netlink/message.js';
import { RTM } from '../netlink/rtnetlink.js';
import { readVlanChange, type VlanAsked } from '../netlink/vlan-db.js';
import type { View } from './view.js';

/** @returns null: the link is the kernel's */
export async function changeVlans(view: View, request: Message): Promise<Buffer[] | null> {
  const asked = readVlanChange(request.payload);
  const row = asked.index === 0 ? undefined : await view.byIndex(asked.index);
  if (row === undefined) return null;
  const isGone = request.type === RTM.DELVLAN;
  if (isGone && asked.globals.length > 0) throw unsupported('options of a VLAN are set, not deleted');
  const changes = asked.entries.flatMap((one) => requestsOf(row.ifname, one, isGone));
  for (const { options, ...range } of asked.globals) {
    // The table of their attributes has the keys of the configuration.
    changes.push({ op: 'global', dev: row.ifname, ...range, options } as VlanGlobalRequest);
  }
  for (const change of changes) await view.client.post('/v1/vlans', change);
  return [acknowledgement(request, view.caller.portid)];
}

function requestsOf(dev: string, { vid, vidEnd, ...asked }: VlanAsked, isGone: boolean): VlansRequest[] {
  const range = vidEnd === undefined ? { vid } : { vid, vidEnd };
  if (isGone) return [{ op: 'del', dev, ...range }];
  const some: VlansRequest[] = asked.onlyOptions
    ? []
    : [{ op: 'add', dev, ...range, pvid: asked.pvid, untagged: asked.untagged }];
  return Object.keys(asked.options).length === 0 ? some : [...some, { op: 'set', dev, ...range, ...asked.options }];
}
