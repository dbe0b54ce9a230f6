/**
 * Collects facts of this host: capabilities, /dev/net/tun, kernel features, limits, ICMP, the control socket. Each probe is
 * short and leaves nothing behind; `judge-host.ts` interprets the facts.
 */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { cniPluginPath, preloadLibraryPath } from '../exec/native-files.js';
import { namesOf } from '../port/capabilities.js';
import { lacksRights, type Obstacle, obstacle } from '../port/rootless.js';
import type { SelfTest } from '../port/self-test.js';
import { IcmpUnavailable, openIcmpSocket } from './icmp-socket.js';

/** Bits of the capability sets (linux/capability.h). */
const CAP_NET_ADMIN = 12n;
const CAP_NET_RAW = 13n;

export interface Rights {
  readonly netAdmin: boolean;
  readonly netRaw: boolean;
  /** In the initial user namespace. In a container's, some capabilities are not valid for the host. */
  readonly initialUsers: boolean;
}

export interface HostFacts {
  readonly rights: Rights;
  /** Why an ordinary user's switch cannot have namespaces of its own; null: it can. Absent: not asked, as for root. */
  readonly noNamespaces?: Obstacle | null;
  /** The errno's name if /dev/net/tun cannot be opened. */
  readonly tunError?: string;
  /** Absent: the addon cannot be loaded, and `addonError` says why. */
  readonly features?: SelfTest;
  readonly addonError?: string;
  /** Bytes; absent: unreadable. */
  readonly rmemMax?: number;
  readonly wmemMax?: number;
  /** Why ICMP is unavailable. */
  readonly noIcmp?: IcmpUnavailable;
  readonly programs: NativePrograms;
}

/** Paths of the native programs beside the addon; absent: missing. */
export interface NativePrograms {
  readonly execLibrary?: string;
  readonly cniPlugin?: string;
}

export interface SocketFacts {
  readonly path: string;
  /** The errno's name if the socket is not visible. */
  readonly error?: string;
  readonly isSocket: boolean;
  /** Permission bits. */
  readonly mode: number;
}

/** Relation of the switch's network namespace to this process's. */
export type Namespaces =
  | { state: 'same' }
  /** `name` as in `ip netns`, if it has one. `isForeign`: in a user namespace of its own. */
  | { state: 'other'; name?: string; isForeign?: boolean }
  | { state: 'unknown'; code: string };

export async function hostFacts(): Promise<HostFacts> {
  const tunError = errorOf(() => closeSync(openSync('/dev/net/tun', 'r+')));
  const rmemMax = numberIn('/proc/sys/net/core/rmem_max');
  const wmemMax = numberIn('/proc/sys/net/core/wmem_max');
  const noIcmp = await icmpFault();
  return {
    rights: rights(),
    ...(lacksRights() ? { noNamespaces: obstacle() ?? null } : {}),
    ...(tunError === undefined ? {} : { tunError }),
    ...(await features()),
    ...(rmemMax === undefined ? {} : { rmemMax }),
    ...(wmemMax === undefined ? {} : { wmemMax }),
    ...(noIcmp === undefined ? {} : { noIcmp }),
    programs: nativePrograms(),
  };
}

function nativePrograms(): NativePrograms {
  const [execLibrary, cniPlugin] = [preloadLibraryPath(), cniPluginPath()];
  return {
    ...(execLibrary === undefined ? {} : { execLibrary }),
    ...(cniPlugin === undefined ? {} : { cniPlugin }),
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

/** The capabilities of a process; undefined: unknown, as in another PID namespace. @param pid the switch's */
export function capabilitiesOf(pid: number): string[] | undefined {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(textOf(`/proc/${pid}/status`) ?? '')?.[1];
  return hex === undefined ? undefined : namesOf(BigInt(`0x${hex}`));
}

/** @param pid the switch's */
export function compareNamespaces(pid: number): Namespaces {
  try {
    const theirs = readlinkSync(`/proc/${pid}/ns/net`);
    if (theirs === readlinkSync('/proc/self/ns/net')) return { state: 'same' };
    const name = nameOfNamespace(statSync(`/proc/${pid}/ns/net`));
    const isForeign = readlinkSync(`/proc/${pid}/ns/user`) !== readlinkSync('/proc/self/ns/user');
    return name === undefined ? { state: 'other', isForeign } : { state: 'other', name };
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
    return undefined; // no named namespaces on this machine
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
