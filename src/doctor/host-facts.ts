/**
 * What this host gives a switch: rights, /dev/net/tun, the kernel's features, limits, pings, the control socket. It reads
 * and tries, each in a moment, and leaves nothing behind; what the facts mean is for `judge-host.ts`.
 */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { SelfTest } from '../port/self-test.js';
import { IcmpUnavailable, openIcmpSocket } from './icmp-socket.js';

/** Bits of the capability sets (linux/capability.h). */
const CAP_NET_ADMIN = 12n;
const CAP_NET_RAW = 13n;

export interface Rights {
  readonly netAdmin: boolean;
  readonly netRaw: boolean;
  /** Not in a user namespace of a container, where some rights are none outside it. */
  readonly initialUsers: boolean;
}

export interface HostFacts {
  readonly rights: Rights;
  /** The errno's name when /dev/net/tun cannot be opened. */
  readonly tunError?: string;
  /** Absent: the addon cannot be loaded, and `addonError` says why. */
  readonly features?: SelfTest;
  readonly addonError?: string;
  /** Bytes; absent: not to be read here. */
  readonly rmemMax?: number;
  readonly wmemMax?: number;
  /** Why nothing can be pinged. */
  readonly noIcmp?: IcmpUnavailable;
}

export interface SocketFacts {
  readonly path: string;
  /** The errno's name when there is nothing to be seen. */
  readonly error?: string;
  readonly isSocket: boolean;
  /** Permission bits. */
  readonly mode: number;
}

/** How the switch's network namespace and this process's are related. */
export type Namespaces =
  | { state: 'same' }
  /** `name` as of `ip netns`, where it has one. */
  | { state: 'other'; name?: string }
  | { state: 'unknown'; code: string };

export async function hostFacts(): Promise<HostFacts> {
  const tunError = errorOf(() => closeSync(openSync('/dev/net/tun', 'r+')));
  const rmemMax = numberIn('/proc/sys/net/core/rmem_max');
  const wmemMax = numberIn('/proc/sys/net/core/wmem_max');
  const noIcmp = await icmpFault();
  return {
    rights: rights(),
    ...(tunError === undefined ? {} : { tunError }),
    ...(await features()),
    ...(rmemMax === undefined ? {} : { rmemMax }),
    ...(wmemMax === undefined ? {} : { wmemMax }),
    ...(noIcmp === undefined ? {} : { noIcmp }),
  };
}

function rights(): Rights {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(textOf('/proc/self/status') ?? '')?.[1] ?? '0';
  const set = BigInt(`0x${hex}`);
  const has = (bit: bigint): boolean => ((set >> bit) & 1n) === 1n;
  const map = (textOf('/proc/self/uid_map') ?? '').trim().split(/\s+/).map(Number);
  return {
    netAdmin: has(CAP_NET_ADMIN),
    netRaw: has(CAP_NET_RAW),
    initialUsers: map[0] === 0 && map[1] === 0 && map[2] === 0xffffffff,
  };
}

async function features(): Promise<Pick<HostFacts, 'features' | 'addonError'>> {
  try {
    const { selfTest } = await import('../port/self-test.js');
    return { features: selfTest() };
  } catch (error) {
    return { addonError: error instanceof Error ? error.message : String(error) };
  }
}

async function icmpFault(): Promise<IcmpUnavailable | undefined> {
  try {
    (await openIcmpSocket({ family: 4 }, () => undefined)).close();
    return undefined;
  } catch (error) {
    if (error instanceof IcmpUnavailable) return error;
    throw error;
  }
}

export function socketFacts(path: string): SocketFacts {
  try {
    const found = statSync(path);
    return { path, isSocket: found.isSocket(), mode: found.mode & 0o777 };
  } catch (error) {
    return { path, isSocket: false, mode: 0, error: codeOf(error) };
  }
}

/** @param pid the switch's */
export function compareNamespaces(pid: number): Namespaces {
  try {
    const theirs = readlinkSync(`/proc/${pid}/ns/net`);
    if (theirs === readlinkSync('/proc/self/ns/net')) return { state: 'same' };
    const name = nameOfNamespace(statSync(`/proc/${pid}/ns/net`));
    return name === undefined ? { state: 'other' } : { state: 'other', name };
  } catch (error) {
    return { state: 'unknown', code: codeOf(error) };
  }
}

function nameOfNamespace({ ino, dev }: { ino: number; dev: number }): string | undefined {
  try {
    return readdirSync('/run/netns').find((name) => {
      const file = statSync(`/run/netns/${name}`, { throwIfNoEntry: false });
      return file?.ino === ino && file.dev === dev;
    });
  } catch {
    return undefined; // no namespace of this machine has a name
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function numberIn(path: string): number | undefined {
  const text = textOf(path);
  return text === undefined ? undefined : Number(text);
}

function errorOf(action: () => void): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
