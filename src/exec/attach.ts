/** A link, or a device of the kernel, as port of a bridge: `brctl addif` and `delif`. */
import type { LinkRow } from '../api/api.js';
import { ERRNO, NetlinkFault } from '../netlink/fault.js';
import { changePort } from './port-change.js';
import type { View } from './view.js';

/** @param isPort whether it is to be one from now on */
export async function attach(view: View, bridge: LinkRow, index: number, isPort: boolean): Promise<void> {
  if (bridge.type !== 'bridge') throw new NetlinkFault(`${bridge.ifname} is no bridge`, ERRNO.EOPNOTSUPP);
  const row = await view.byIndex(index);
  if (row !== undefined) {
    if (isPort && row.master !== undefined) throw new NetlinkFault(`${row.ifname} is a port already`, ERRNO.EBUSY);
    if (!isPort && row.master !== bridge.ifname) throw new NetlinkFault(`${row.ifname} is no port of it`, ERRNO.EINVAL);
    await changePort(view, row, isPort ? bridge.ifname : null, {});
    return;
  }
  const device = await view.kernel.byIndex(index);
  if (device === undefined || !isPort) throw new NetlinkFault('no such port', isPort ? ERRNO.ENODEV : ERRNO.EINVAL);
  await view.post({ op: 'add', name: device.name, type: 'netdev', master: bridge.ifname });
}
