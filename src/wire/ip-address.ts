/**
 * Text forms of IPv4 and IPv6 addresses (RFC 4291 section 2.2, RFC 5952).
 *
 * An address is four signed 32-bit words in network order; an IPv4 address is held as ::ffff:a.b.c.d. So one shape fits
 * both, and an IPv4-mapped IPv6 text is the IPv4 address.
 *
 * Cold: it allocates and is meant for configuration and listings. It never resolves names, and knows no zones ("%eth0").
 */

export interface IpAddress {
  family: 4 | 6;
  words: [number, number, number, number];
}

/** The third word of every IPv4-mapped address. */
const MAPPED = 0x0000ffff;

/** Parses an address. @returns null when the text is no address */
export function parseAddress(text: string): IpAddress | null {
  if (!text.includes(':')) {
    const word = parseDotted(text);
    return word === null ? null : { family: 4, words: [0, 0, MAPPED, word] };
  }
  const groups = parseGroups(text);
  if (groups === null) return null;
  const word = (i: number): number => ((groups[i * 2] as number) << 16) | (groups[i * 2 + 1] as number);
  const words: IpAddress['words'] = [word(0), word(1), word(2), word(3)];
  return { family: isMapped(words[0], words[1], words[2]) ? 4 : 6, words };
}

/** The canonical text of an address; other text is returned unchanged. */
export function canonicalAddress(text: string): string {
  const parsed = parseAddress(text);
  return parsed === null ? text : formatAddress(...parsed.words);
}

/** Formats an address: dotted when it is IPv4-mapped, otherwise as in RFC 5952. */
export function formatAddress(a0: number, a1: number, a2: number, a3: number): string {
  if (isMapped(a0, a1, a2)) return `${a3 >>> 24}.${(a3 >>> 16) & 255}.${(a3 >>> 8) & 255}.${a3 & 255}`;
  const groups = [a0, a1, a2, a3].flatMap((word) => [word >>> 16, word & 0xffff]);
  const [start, length] = longestZeroRun(groups);
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  // A single zero group is not shortened (RFC 5952 section 4.2.2).
  if (length < 2) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

/** Whether an address is in the subnet of another one; false for invalid text, and between families. */
export function isInSubnet(address: string, { address: of, prefix }: { address: string; prefix: number }): boolean {
  const one = parseAddress(address);
  const other = parseAddress(of);
  if (one === null || other === null || one.family !== other.family) return false;
  let bits = one.family === 4 ? 96 + prefix : prefix;
  for (let word = 0; word < 4 && bits > 0; word++, bits -= 32) {
    const mask = bits >= 32 ? -1 : -1 << (32 - bits);
    if (((one.words[word] as number) ^ (other.words[word] as number)) & mask) return false;
  }
  return true;
}

/** Whether a canonical text is a link-local IPv6 address: fe80::/10 (RFC 4291 section 2.5.6). */
export function isLinkLocal(canonical: string): boolean {
  return /^fe[89ab][0-9a-f]:/.test(canonical);
}

/** True when the first three words mark an IPv4-mapped address. */
export function isMapped(a0: number, a1: number, a2: number): boolean {
  return (a0 | a1) === 0 && a2 === MAPPED;
}

/** The 4 bytes (IPv4) or 16 bytes (IPv6) of an address as they stand in a header. @throws RangeError for other text */
export function addressBytes(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === null) throw new RangeError(`"${text}" is not an IP address: write 192.0.2.1 or 2001:db8::1`);
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 4; i++) view.setInt32(i * 4, address.words[i] as number);
  return address.family === 4 ? bytes.slice(12) : bytes;
}

/** Four decimal bytes as a signed word. Leading zeros are refused: some programs read them as octal. */
function parseDotted(text: string): number | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let word = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return null;
    word = (word << 8) | Number(part);
  }
  return word;
}

/** The eight groups of an IPv6 text. */
function parseGroups(text: string): number[] | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = parseHalf(halves[0] as string, halves.length === 1);
  if (halves.length === 1) return head !== null && head.length === 8 ? head : null;
  const tail = parseHalf(halves[1] as string, true);
  // "::" stands for at least one group (RFC 4291 section 2.2).
  if (head === null || tail === null || head.length + tail.length > 7) return null;
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

/** Groups joined by single colons; only the end of an address may be dotted. */
function parseHalf(text: string, isEnd: boolean): number[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (part.includes('.')) {
      const word = isEnd && i === parts.length - 1 ? parseDotted(part) : null;
      if (word === null) return null;
      groups.push(word >>> 16, word & 0xffff);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return null;
    }
  }
  return groups;
}

/** Start and length of the first longest run of zero groups. */
function longestZeroRun(groups: number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let start = 0;
  for (let i = 0; i < groups.length; i++) {
    if (groups[i] !== 0) start = i + 1;
    else if (i + 1 - start > best[1]) best = [start, i + 1 - start];
  }
  return best;
}

/** The third word of an IPv4 address that is written as IPv6 (::ffff:0:0/96, RFC 4291 section 2.5.5.2). */
export const IPV4_MAPPED = 0xffff;

/** Writes an IPv4 address into four words from `at` on, mapped into IPv6. */
export function setMapped(words: Int32Array, at: number, address: number): void {
  words[at] = 0;
  words[at + 1] = 0;
  words[at + 2] = IPV4_MAPPED;
  words[at + 3] = address;
}
