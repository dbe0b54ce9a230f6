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

const GET_PORT_LIST = 7;
const MAX_PORTS = 256;

/** What brctl sets of a port, by the port's number. */
const OF_PORT: Readonly<Record<number, (value: number) => LinkOptions>> = {
  16: (value) => ({ priority: value }),
  17: (value) => ({ cost: value }),
};

/**
 * @param bytes code and two arguments, each of 8 bytes @returns what the program gets; undefined: nothing
 * @throws NetlinkFault EOPNOTSUPP, EINVAL
 */
export async function carryCode(view: View, bridge: LinkRow, bytes: Buffer): Promise<Buffer | undefined> {
  const [code, value, second] = [0, 8, 16].map((at) => Number(bytes.readBigUInt64LE(at))) as [number, number, number];
  if (code === GET_PORT_LIST) return indicesOfPorts(view, bridge);
  if (code === ADD_IF || code === DEL_IF) {
    await attach(view, bridge, value, code === ADD_IF);
    return undefined;
  }
  const [name, options] =
    code in OF_PORT
      ? [await nameOfPort(view, bridge, value), OF_PORT[code]?.(second)]
      : [bridge.ifname, OF_BRIDGE[code]?.(value)];
  if (options === undefined) throw new NetlinkFault('brctl asks for what overtap has not', ERRNO.EOPNOTSUPP);
  await view.post({ op: 'set', name, options });
  return undefined;
}

async function nameOfPort(view: View, bridge: LinkRow, number: number): Promise<string> {
  const port = portsOf(await view.links(), bridge)[number - 1];
  if (port === undefined) throw new NetlinkFault('the bridge has no such port', ERRNO.EINVAL);
  return port.ifname;
}

/** Indices by number of the port, as 32-bit words; 0: none. */
async function indicesOfPorts(view: View, bridge: LinkRow): Promise<Buffer> {
  const out = Buffer.alloc(MAX_PORTS * 4);
  const ports = portsOf(await view.links(), bridge).slice(0, MAX_PORTS - 1);
  for (const [at, port] of ports.entries()) out.writeInt32LE(await view.indexOf(port), (at + 1) * 4);
  return out;
}
