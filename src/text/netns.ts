/**
 * The remedy for a network namespace that does not exist. Pure.
 */
import { command } from './shell.js';

/** For the end of a message, with its semicolon; empty for a path, since `ip netns` creates names only. */
export function netnsRemedy(netns: string): string {
  return netns.includes('/') ? '' : `; create it with "${command`ip netns add ${netns}`}"`;
}
