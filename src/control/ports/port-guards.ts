/** What frames from a port may claim, for the data path, from the options of the port and its bridge. Pure. */
import type { BridgeConfig, PortConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import type { AddressRange, GuardSettings } from '../../dataplane/state/port-guard.js';
import { parseAddress } from '../../wire/ip-address.js';
import { macOf } from '../model/naming.js';

const NOTHING: GuardSettings = { addresses: [], macs: [], dhcp: false, ra: false };

/** The guard of a port that has none. */
export function noGuard({ index }: { index: number }): Operation {
  return { op: 'guard', port: index, ...NOTHING };
}

/** The guard of a port. */
export function guardOperation(
  { index, config }: { index: number; config: PortConfig },
  bridge: BridgeConfig | null,
): Operation {
  const { arp_guard, allowed_macs, trusted } = config;
  return {
    op: 'guard',
    port: index,
    addresses: arp_guard.map(rangeOf),
    macs: allowed_macs.map(macOf),
    dhcp: bridge?.dhcp_guard === true && !trusted,
    ra: bridge?.ra_guard === true && !trusted,
  };
}

/** The addresses of a canonical text ADDRESS or ADDRESS/PREFIX. */
export function rangeOf(text: string): AddressRange {
  const [address = '', prefix] = text.split('/');
  const parsed = parseAddress(address);
  const words = parsed?.words ?? [0, 0, 0, 0];
  if (prefix === undefined) return { words, prefix: 128 };
  return { words, prefix: Number(prefix) + (parsed?.family === 4 ? 96 : 0) };
}
