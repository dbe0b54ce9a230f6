/**
 * Static routes as the configuration writes them: `10.8.0.0/16 via 10.0.10.254`, in one word `10.8.0.0/16=10.0.10.254`; `default` and
 * `default6` are the prefixes of everything. Owns their text form.
 */
import { formatAddress, isInSubnet, parseAddress } from '../wire/ip-address.js';
import { canonicalIp, readHostIp, Refusal } from './address.js';
import { quote } from './show.js';

export interface StaticRoute {
  /** Without host bits. */
  address: string;
  length: number;
  /** The next router. */
  via: string;
}

const FORM = "a route such as '10.8.0.0/16 via 10.0.10.254' or 'default via fd00::fe'";

/** Reads one route. */
export function readRoute(input: string): StaticRoute | Refusal {
  const [prefixText, viaText, ...rest] = input.trim().split(/\s+via\s+|=/);
  if (prefixText === undefined || viaText === undefined || rest.length > 0)
    return new Refusal(`${quote(input)} is no route; give ${FORM}`);
  const via = readHostIp(viaText);
  if (via instanceof Refusal) return via;
  const isV6 = via.includes(':');
  if (prefixText === 'default') return { address: isV6 ? '::' : '0.0.0.0', length: 0, via };
  const prefix = readPrefix(prefixText);
  if (prefix instanceof Refusal) return prefix;
  if (prefix.address.includes(':') !== isV6)
    return new Refusal(`${prefixText} and ${via} are of two families; give a router of the same one`);
  return { ...prefix, via };
}

/** Reads ADDRESS/LENGTH without host bits. */
export function readPrefix(text: string): { address: string; length: number } | Refusal {
  const [addressText = '', lengthText, rest] = text.split('/');
  const ip = canonicalIp(addressText);
  const longest = ip?.family === 6 ? 128 : 32;
  const length = lengthText === undefined ? longest : Number(lengthText);
  const isSound =
    rest === undefined && (lengthText === undefined || /^[0-9]{1,3}$/.test(lengthText)) && length <= longest;
  if (ip === undefined || !isSound) return new Refusal(`${quote(text)} is no prefix; give one such as 10.8.0.0/16`);
  const network = networkOf(ip.text, length);
  if (network !== ip.text)
    return new Refusal(`${text} has bits beyond its length; give ${network}/${length}, or another length`);
  return { address: ip.text, length };
}

/** The first address of the subnet of an address. @param length of its family */
export function networkOf(address: string, length: number): string {
  const parsed = parseAddress(address);
  if (parsed === null) return address;
  let bits = parsed.family === 4 ? 96 + length : length;
  const words = parsed.words.map((word) => {
    const mask = bits >= 32 ? -1 : bits <= 0 ? 0 : -1 << (32 - bits);
    bits -= 32;
    return word & mask;
  }) as [number, number, number, number];
  return formatAddress(...words);
}

/** The one word of a route. */
export function formatRoute({ address, length, via }: StaticRoute): string {
  return `${prefixText(address, length)}=${via}`;
}

/** As `ip route` shows it. */
export function prefixText(address: string, length: number): string {
  return length === 0 ? 'default' : `${address}/${length}`;
}

/** Reads a list of them. @returns canonical text, in the order given */
export function readRoutes(texts: readonly string[]): string[] | Refusal {
  const seen = new Set<string>();
  for (const text of texts) {
    const read = readRoute(text);
    if (read instanceof Refusal) return read;
    const word = formatRoute(read);
    if (seen.has(word)) return new Refusal(`${quote(text)} is given twice; remove one of the two`);
    seen.add(word);
  }
  return [...seen];
}

/** Whether two subnets have an address in common. */
export function overlaps(
  one: { address: string; prefix: number },
  other: { address: string; prefix: number },
): boolean {
  return one.prefix <= other.prefix ? isInSubnet(other.address, one) : isInSubnet(one.address, other);
}
