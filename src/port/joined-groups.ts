/**
 * The multicast groups that a host is in, by what its kernel tells in /proc/net. A socket cannot be asked, and does not
 * notice: a device that is deleted, or whose MTU gets too small for IPv6, takes the memberships along. It only reads.
 */
import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { formatAddress } from '../wire/ip-address.js';

/** A device's line: its index, its name, and a colon that may touch the name. */
const DEVICE = /^\d+\s+(\S+?)\s*:\s*\d+/;
/** A group's line: the address as the machine holds the word. */
const GROUP4 = /^\s+([0-9A-F]{8})\s/;
/** Index, device, address. */
const GROUP6 = /^\d+\s+(\S+)\s+([0-9a-f]{32})\s/;
/** The third word of an address that is IPv4. */
const MAPPED = 0x0000ffff;

/**
 * Every group of the process's namespace that someone has joined, as `DEVICE GROUP`, the group in its canonical text.
 * @returns null when the kernel does not tell
 */
export function joinedGroups(): Set<string> | null {
  try {
    const joined = readIgmp(readFileSync('/proc/self/net/igmp', 'latin1'));
    for (const one of readIgmp6(optional('/proc/self/net/igmp6'))) joined.add(one);
    return joined;
  } catch {
    return null;
  }
}

/** A kernel without IPv6 does not have the file. */
function optional(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** @param text of /proc/net/igmp, as a machine of this byte order writes it */
export function readIgmp(text: string, order: 'LE' | 'BE' = endianness()): Set<string> {
  const joined = new Set<string>();
  let device = '';
  for (const line of text.split('\n')) {
    device = DEVICE.exec(line)?.[1] ?? device;
    const digits = GROUP4.exec(line)?.[1];
    if (digits === undefined) continue;
    const bytes = Buffer.from(digits, 'hex');
    joined.add(`${device} ${formatAddress(0, 0, MAPPED, order === 'LE' ? bytes.readInt32LE() : bytes.readInt32BE())}`);
  }
  return joined;
}

/** @param text of /proc/net/igmp6 */
export function readIgmp6(text: string): Set<string> {
  const joined = new Set<string>();
  for (const line of text.split('\n')) {
    const found = GROUP6.exec(line);
    if (found === null) continue;
    const bytes = Buffer.from(found[2], 'hex');
    const word = (at: number): number => bytes.readInt32BE(at * 4);
    joined.add(`${found[1]} ${formatAddress(word(0), word(1), word(2), word(3))}`);
  }
  return joined;
}
