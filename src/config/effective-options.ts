/**
 * All options of a link in force, including defaults, under their keys in the file: the output of `link show -d`.
 *
 * The set of options comes from the table of words, the values from the resolved configuration.
 */
import { hasOwnNic, PORT_KINDS } from './options/kinds.js';
import { NIC_KEYS, OPTION_ROWS } from './options/table.js';
import type { BridgeConfig, NicAddress, PortConfig, RawOptions } from './types.js';

type Link = BridgeConfig | PortConfig;

/** @param bridge the port's bridge; null: none */
export function effectiveOptions(link: Link, bridge: BridgeConfig | null): RawOptions {
  const type = 'type' in link ? link.type : 'bridge';
  const hasNic = ('type' in link && hasOwnNic(link)) || ('host_port' in link && link.host_port);
  const own = 'type' in link ? PORT_KINDS[link.type].options : {};
  const isOfNic = (key: string): boolean => NIC_KEYS.some((one) => one === key) && !(key in own);
  const keys = [...new Set(OPTION_ROWS[type].map(({ key }) => key))].filter((key) => hasNic || !isOfNic(key));
  const all = keys.map((key): [string, unknown] => [key, inForce(link, key, bridge)]);
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

function inForce(link: Link, key: string, bridge: BridgeConfig | null): unknown {
  const value = (link as unknown as Record<string, unknown>)[key];
  switch (key) {
    case 'addresses':
      return (value as NicAddress[]).map(({ address, prefix }) => `${address}/${prefix}`);
    case 'remotes':
      return [...(value as string[]), ...(('names' in link && link.names) || [])];
    case 'ageing':
      return value ?? bridge?.ageing_time;
    default:
      return value;
  }
}
