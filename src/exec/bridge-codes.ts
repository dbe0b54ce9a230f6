/** The older ioctl of bridges (BRCTL_* of linux/if_bridge.h): what brctl sets of a bridge. */
import type { LinkOptions, LinkRow } from '../api/api.js';
import { ERRNO, NetlinkFault } from '../netlink/fault.js';
import { attach } from './attach.js';
import type { View } from './view.js';

const ADD_IF = 4;
const DEL_IF = 5;
/** Times are in hundredths of a second; `ageing_time` of the configuration in seconds. */
const OF_BRIDGE: Readonly<Record<number, (value: number) => LinkOptions>> = {
  8: (value) => ({ forward_delay: value }),
  9: (value) => ({ hello_time: value }),
  10: (value) => ({ max_age: value }),
  11: (value) => ({ ageing_time: value / 100 }),
  14: (value) => ({ stp_state: value !== 0 }),
  15: (value) => ({ priority: value }),
};

/** The ports of a bridge in the order of their numbers, from 1. */
export const portsOf = (rows: readonly LinkRow[], bridge: LinkRow): LinkRow[] =>
  rows.filter(({ master }) => master === bridge.ifname);

/** @param bytes code and argument, each of 8 bytes @throws NetlinkFault EOPNOTSUPP */
export async function setByCode(view: View, bridge: LinkRow, bytes: Buffer): Promise<void> {
  const [code, value] = [Number(bytes.readBigUInt64LE(0)), Number(bytes.readBigUInt64LE(8))];
  if (code === ADD_IF || code === DEL_IF) {
    await attach(view, bridge, value, code === ADD_IF);
    return;
  }
  const options = OF_BRIDGE[code]?.(value);
  if (options === undefined) throw new NetlinkFault('brctl asks for what overtap has not', ERRNO.EOPNOTSUPP);
  await view.post({ op: 'set', name: bridge.ifname, options });
}
