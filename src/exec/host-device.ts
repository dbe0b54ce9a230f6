/**
 * `ip addr` on a vxlan device: its host port in the kernel. A vxlan device of the kernel needs no bridge for that; a port of a switch does,
 * so a device without one gets a bridge of its own, which no listing shows.
 */
import type { LinkOptions, LinkRow } from '../api/api.js';
import { NetlinkFault } from '../netlink/fault.js';
import { type Message, writeMessage } from '../netlink/message.js';
import { IFF, RTM, writeIfinfo } from '../netlink/rtnetlink.js';
import { giveBridge } from './own-bridge.js';
import { isVirtual, type View } from './view.js';

/** `struct ifaddrmsg`: family, prefix length, flags, scope, index. */
const IFADDR_BYTES = 8;
const EADDRNOTAVAIL = 99;

/** RTM_NEWADDR and RTM_DELADDR. @returns null: the link has a device, so it is the kernel's */
export async function changeAddress(view: View, request: Message): Promise<Buffer[] | null> {
  if (request.payload.length < IFADDR_BYTES) return null;
  const index = request.payload.readUInt32LE(4);
  if (!isVirtual(index)) return null;
  const row = await view.need(index);
  if (request.type === RTM.DELADDR) throw new NetlinkFault(`${row.ifname} has no such address`, EADDRNOTAVAIL);
  if (row.type !== 'vxlan' && row.type !== 'geneve' && row.type !== 'bridge') {
    throw new NetlinkFault(`${row.ifname} has no device in this namespace that could have an address`);
  }
  await giveHostPort(view, row);
  const device = await view.kernel.byName(row.ifname);
  if (device === undefined)
    throw new NetlinkFault(`the host port of ${row.ifname} is not there; see "overtap link show"`);
  const payload = Buffer.from(request.payload);
  payload.writeUInt32LE(device.index, 4);
  const { last } = await view.kernel.request(request.type, request.flags, payload);
  return [writeMessage({ ...last, seq: request.seq, pid: view.caller.portid })];
}

/** Gives a tunnel device its host port, which is as the device is: down, or up. @param nic MAC and MTU of it */
export async function giveHostPort(view: View, row: LinkRow, nic: LinkOptions = {}): Promise<void> {
  await giveBridge(view, row);
  await view.post({ op: 'set', name: row.ifname, options: { host_port: true, ...nic } });
  if (row.up === false) await setDeviceDown(view, row.ifname);
}

/** A new link is down in the kernel until it is set up; the switch makes its device up. */
export async function setDeviceDown(view: View, name: string): Promise<void> {
  view.kernel.changed();
  const device = await view.kernel.byName(name);
  if (device === undefined) return;
  await view.kernel.request(RTM.NEWLINK, 0, writeIfinfo({ index: device.index, flags: 0, change: IFF.UP }));
  view.kernel.changed();
}
