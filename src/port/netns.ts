/**
 * Network namespaces by name, path and number. Never enters one.
 */
import { readdirSync, statSync } from 'node:fs';
import * as native from '../native/binding.js';

const NAMED = '/run/netns';
const OWN = '/proc/thread-self/ns/net';

/** The path of a namespace's file; a name refers to a namespace of `ip netns`. */
export function netnsPath(netns: string): string {
  return netns.includes('/') ? netns : `${NAMED}/${netns}`;
}

/** The identity of a namespace: the inode of its file; 0: it does not exist. @param netns name or path; absent: the switch's own */
export function netnsNumber(netns?: string): number {
  try {
    return statSync(netns === undefined ? OWN : netnsPath(netns), { throwIfNoEntry: false })?.ino ?? 0;
  } catch {
    return 0;
  }
}

/**
 * Whether another user namespace owns it, as for an unprivileged container: its owner has capabilities there without being root
 * on the host.
 */
export function netnsIsForeign(netns: string): boolean {
  return native.netnsIsForeign({ netns: netnsPath(netns) });
}

/** The name in `ip netns`, otherwise the kernel's: `net:[4026532177]`. */
export function netnsName(number: number): string {
  return netnsNames().find((name) => netnsNumber(`${NAMED}/${name}`) === number) ?? `net:[${number}]`;
}

function netnsNames(): string[] {
  try {
    return readdirSync(NAMED);
  } catch {
    return []; // no named namespace was ever created
  }
}
