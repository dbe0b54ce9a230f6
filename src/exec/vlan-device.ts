/** `ip link add link BR name BR.10 type vlan id 10`: the host's interface in one VLAN of a bridge, which is a port of type tap here. */
import { AttributeMap } from '../netlink/attributes.js';
import { ERRNO, NetlinkFault, unsupported } from '../netlink/fault.js';
import { acknowledgement } from '../netlink/message.js';
import { IFF, IFLA, INFO } from '../netlink/rtnetlink.js';
import { setDeviceDown } from './host-device.js';
import type { LinkRequestParts } from './link-request.js';
import { refuseHiddenName, type View } from './view.js';

/** IFLA_VLAN_ID, IFLA_VLAN_PROTOCOL (linux/if_link.h). */
const VLAN_ID = 1;
const VLAN_PROTOCOL = 5;

/** @returns null: it is on a device of the kernel */
export async function addVlanDevice(
  view: View,
  { request, head, given, info }: LinkRequestParts,
): Promise<Buffer[] | null> {
  const below = given.u32(IFLA.LINK);
  const row = below === undefined ? undefined : await view.byIndex(below);
  if (row === undefined || row.type === 'netdev') return null;
  const data = info?.nested(INFO.DATA) ?? new AttributeMap(Buffer.alloc(0));
  const vid = data.u16(VLAN_ID);
  const name = given.text(IFLA.IFNAME);
  if (vid === undefined || name === undefined) throw new NetlinkFault('give a name and "id VID"');
  refuseHiddenName(name);
  if (row.type !== 'bridge') {
    throw unsupported(`${row.ifname} is no bridge: VLAN interfaces are of bridges here`);
  }
  if ((await view.kernel.byName(name)) !== undefined) throw new NetlinkFault('', ERRNO.EEXIST);
  const protocol = data.be16(VLAN_PROTOCOL);
  const own = row.vlan_protocol === '802.1ad' ? 0x88a8 : 0x8100;
  if (row.vlan_filtering !== true || (protocol !== undefined && protocol !== own)) {
    throw unsupported(
      `a VLAN interface needs a bridge that filters VLANs of its protocol: ip link set ${row.ifname} type bridge vlan_filtering 1`,
    );
  }
  const up = (head.flags & IFF.UP) !== 0;
  await view.post({
    op: 'add',
    name,
    type: 'tap',
    master: row.ifname,
    options: { vlans: [{ vid, pvid: true, untagged: true }], up },
  });
  if (!up) await setDeviceDown(view, name);
  return [acknowledgement(request, view.caller.portid)];
}
