/** The routes that gateways and static routes of a configuration make, as engines know them. Pure. */
import { ROUTE_LOCAL, ROUTE_NOWHERE, ROUTE_UNICAST, type Way } from '../../dataplane/state/routes.js';
import { formatAddress, IPV4_MAPPED, isLinkLocal, parseAddress } from '../../wire/ip-address.js';

/** Bits of the prefix that marks an IPv4 address among those of IPv6. */
const MAPPED_BITS = 96;
/** Bits of an address. */
const WHOLE = 128;

/** A route of an engine: the prefix has four words, IPv4 mapped, and its length counts 128 bits. */
export interface EngineRoute {
  vrf: number;
  words: readonly number[];
  prefix: number;
  kind: number;
  ways: readonly Way[];
}

/** A gateway as far as routes are concerned. */
export interface RoutedPort {
  /** Its index. */
  port: number;
  vrf: number;
  addresses: readonly { address: string; prefix: number; family: 4 | 6 }[];
}

export function keyOf({ vrf, words, prefix }: Pick<EngineRoute, 'vrf' | 'words' | 'prefix'>): string {
  return `${vrf} ${words.join()} ${prefix}`;
}

/** Words and length of a prefix in 128 bits, without host bits. */
export function prefixOf(address: string, length: number): { words: number[]; prefix: number } {
  const parsed = parseAddress(address);
  if (parsed === null) throw new RangeError(`${address} is no address`);
  const prefix = parsed.family === 4 ? MAPPED_BITS + length : length;
  return { words: masked(parsed.words, prefix), prefix };
}

export function wordsOf(address: string): number[] {
  return [...(parseAddress(address)?.words ?? [])];
}

/** The address itself, its subnet, and the subnet's broadcast address (RFC 919; none in a subnet of two, RFC 3021). */
export function connectedRoutes({ port, vrf, addresses }: RoutedPort): EngineRoute[] {
  return addresses.flatMap(({ address, prefix: length }) => {
    // Each link has a subnet of link-local addresses of its own.
    if (isLinkLocal(address)) return [];
    const own = wordsOf(address);
    const { words, prefix } = prefixOf(address, length);
    const routes: EngineRoute[] = [{ vrf, words: own, prefix: WHOLE, kind: ROUTE_LOCAL, ways: [] }];
    if (prefix < WHOLE) routes.push({ vrf, words, prefix, kind: ROUTE_UNICAST, ways: [{ port }] });
    const isV4 = !address.includes(':');
    if (isV4 && WHOLE - prefix >= 2) {
      const last = [...words.slice(0, 3), words[3] | (2 ** (WHOLE - prefix) - 1)];
      routes.push({ vrf, words: last, prefix: WHOLE, kind: ROUTE_NOWHERE, ways: [] });
    }
    return routes;
  });
}

function masked(words: readonly number[], prefix: number): number[] {
  return words.map((word, at) => {
    const bits = prefix - at * 32;
    return bits >= 32 ? word : bits <= 0 ? 0 : word & (-1 << (32 - bits));
  });
}

/** ADDRESS/LENGTH. @param prefix of 128 bits */
export function prefixTextOf(words: readonly number[], prefix: number): string {
  const isV4 = words[0] === 0 && words[1] === 0 && words[2] === IPV4_MAPPED && prefix >= MAPPED_BITS;
  return `${formatAddress(words[0], words[1], words[2], words[3])}/${isV4 ? prefix - MAPPED_BITS : prefix}`;
}
