/**
 * Values that say who may reach the switch: group and mode of the control socket, and the address of the metrics. Each reader
 * checks one value alone, independent of files and of the host.
 */
import { canonicalIp, isMulticastIp, Refusal } from './address.js';
import { quote } from './show.js';

/** A group of the host: its name, or its number. */
export type Group = string | number;

export interface ListenAddress {
  /** Canonical; may be the unspecified address: every address of the host. */
  address: string;
  port: number;
}

/** Access for the owner, also for the group, or for everyone. A client needs to write, and nothing else makes sense of a socket. */
export const SOCKET_MODES = ['0600', '0660', '0666'] as const;
export type SocketMode = (typeof SOCKET_MODES)[number];

/** The largest gid; the kernel keeps 2^32 - 1 for "none" (chown(2)). */
const GID_MAX = 2 ** 32 - 2;
/** Bytes, as useradd(8) allows. */
const GROUP_MAX = 32;

/** Reads a group's name or number; digits are a number. */
export function readGroup(input: string | number): Group | Refusal {
  const group = typeof input === 'string' && /^[0-9]{1,10}$/.test(input) ? Number(input) : input;
  if (typeof group === 'number') {
    const isGid = Number.isInteger(group) && group >= 0 && group <= GID_MAX;
    return isGid ? group : new Refusal(`expected the number of a group from 0 to ${GID_MAX}, found ${group}`);
  }
  if (/^[\x21-\x7e]+$/.test(group) && !group.includes(':') && group.length <= GROUP_MAX) return group;
  return new Refusal(`expected the name or number of a group, found ${quote(group)}`);
}

/**
 * Reads the mode of a socket. YAML 1.2 reads an unquoted 0660 as the number 660, and 0o660 as 432; since only three modes are
 * allowed, neither can be taken for another one.
 */
export function readSocketMode(input: string | number): SocketMode | Refusal {
  const mode = SOCKET_MODES.find((one) => {
    const digits = one.slice(1);
    if (typeof input === 'string') return input === one || input === digits;
    return input === Number(digits) || input === Number.parseInt(digits, 8);
  });
  if (mode !== undefined) return mode;
  const found = typeof input === 'string' ? quote(input) : String(input);
  return new Refusal(
    `expected the mode of a socket: '0600' (owner), '0660' (group) or '0666' (everyone), found ${found}`,
  );
}

/** Reads ADDRESS:PORT; an IPv6 address stands in brackets. */
export function readListenAddress(text: string): ListenAddress | Refusal {
  const [, bracketed, plain, portText = ''] = /^(?:\[([^\]]*)\]|([^:]*)):([0-9]{1,5})$/.exec(text) ?? [];
  const ip = canonicalIp(bracketed ?? plain ?? '');
  const isBracketed = bracketed !== undefined;
  const port = Number(portText);
  if (ip === undefined || (ip.family === 6) !== isBracketed) {
    return new Refusal(
      `expected an address and a TCP port, such as 127.0.0.1:9477 or "[::1]:9477", found ${quote(text)}`,
    );
  }
  if (port < 1 || port > 65_535)
    return new Refusal(`expected a TCP port from 1 to 65535 after ${ip.text}, found ${port}`);
  if (isMulticastIp(ip.text)) return new Refusal(`${ip.text} is a multicast address; give an address of this host`);
  return { address: ip.text, port };
}

/** Reads where datagrams are sent to. */
export function readCollector(text: string): ListenAddress | Refusal {
  const address = readListenAddress(text);
  if (!(address instanceof Refusal)) return address;
  return new Refusal(
    `expected an address and a UDP port, such as 192.0.2.9:6343 or "[::1]:6343", found ${quote(text)}`,
  );
}

/** As in the file and in a URL. */
export function listenText({ address, port }: ListenAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
