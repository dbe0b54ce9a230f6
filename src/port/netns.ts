/**
 * Network namespaces by name, path and number. Never enters one.
 */
import { readdirSync, statSync } from 'node:fs';
import * as native from '../native/binding.js';

const NAMED = '/run/netns';
const OWN = '/proc/thread-self/ns/net';

/** The path of a namespace's file: a name stands for a file of `ip netns`. */
export function netnsPath(netns: string): string {
  return netns.includes('/') ? netns : `${NAMED}/${netns}`;
}

/** What tells a namespace from others, the inode of its file; 0: it is not there. @param netns name or path; absent: the switch's own */
export function netnsNumber(netns?: string): number {
  try {
    return statSync(netns === undefined ? OWN : netnsPath(netns), { throwIfNoEntry: false })?.ino ?? 0;
  } catch {
    return 0;
  }
}

/**
 * Whether its owner may act in there without being root for the switch: it belongs to a user namespace of its own, as that of an
 * unprivileged container.
 */
export function netnsIsForeign(netns: string): boolean {
  return native.netnsIsForeign({ netns: netnsPath(netns) });
}

/** How `ip netns` calls a namespace, or the kernel: `net:[4026532177]`. */
export function netnsName(number: number): string {
  return netnsNames().find((name) => netnsNumber(`${NAMED}/${name}`) === number) ?? `net:[${number}]`;
}

function netnsNames(): string[] {
  try {
    return readdirSync(NAMED);
  } catch {
    return []; // none was ever made by name
  }
}
