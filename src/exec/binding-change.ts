/** `ip neigh` on a vxlan port: a binding that suppression and `proxy` answer from; where the port has a device, the host's too. On a gateway: its neighbour. */
import type { LinkRow, NeighRequest } from '../api/api.js';
import { NetlinkFault, unsupported } from '../netlink/fault.js';
import { acknowledgement, type Message, NLM_F, writeMessage } from '../netlink/message.js';
import { type Neighbour, NTF, NUD } from '../netlink/neigh.js';
import { RTM } from '../netlink/rtnetlink.js';
import type { View } from './view.js';

/** @returns null: the kernel's alone */
export async function changeBinding(
  view: View,
  request: Message,
  asked: Neighbour,
  row: LinkRow,
): Promise<Buffer[] | null> {
  const device = await view.device(row);
  if (row.type !== 'vxlan' && row.type !== 'gateway') {
    if (device !== undefined) return null;
    throw unsupported(`${row.ifname} has no neighbours: bindings are of vxlan ports and gateways`);
  }
  if (device !== undefined) {
    const { errno, last } = await view.kernel.request(request.type, request.flags, request.payload);
    if (errno !== 0) return [writeMessage({ ...last, seq: request.seq, pid: view.caller.portid })];
  }
  await view.client.post('/v1/neigh', requestOf(request, asked, row));
  return [acknowledgement(request, view.caller.portid)];
}

function requestOf({ type, flags }: Message, asked: Neighbour, { ifname }: LinkRow): NeighRequest {
  if (asked.dst === undefined) throw new NetlinkFault('give the address of the neighbour');
  const place = { dst: asked.dst, dev: ifname };
  if (type === RTM.DELNEIGH) return { op: 'del', ...place };
  if (asked.mac === undefined) throw new NetlinkFault('give the MAC of the neighbour: lladdr MAC');
  return {
    op: (flags & NLM_F.REPLACE) !== 0 ? 'replace' : 'add',
    ...place,
    lladdr: asked.mac,
    state: (asked.state & NUD.PERMANENT) !== 0 ? 'permanent' : (asked.state & NUD.NOARP) !== 0 ? 'noarp' : 'reachable',
    ...((asked.flags & NTF.ROUTER) !== 0 ? { router: true } : {}),
  };
}
