/**
 * Which process has a TAP open: the kernel refuses a second opener without saying so. A search through /proc, for the error of an
 * opening alone.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { netnsIsForeign, netnsNumber } from './netns.js';

const TUN = '/dev/net/tun';
/** Processes that are looked at, at most. */
const MOST_PROCESSES = 10_000;

/**
 * Whether another process of this host's administration has the TAP open, such as a second switch. One in the guest's own namespace,
 * or in one that belongs to another user, is the guest's. False where none is found: a guest may hide it.
 * @param netns name or path of the namespace of the TAP
 */
export function isHeldHere(ifname: string, netns: string): boolean {
  const theirs = netnsNumber(netns);
  return listed('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .slice(0, MOST_PROCESSES)
    .some((pid) => {
      const own = `/proc/${pid}/ns/net`;
      return holds(pid, ifname) && netnsNumber(own) !== theirs && !netnsIsForeign(own);
    });
}

function holds(pid: string, ifname: string): boolean {
  return listed(`/proc/${pid}/fd`).some((fd) => {
    try {
      if (readlinkSync(`/proc/${pid}/fd/${fd}`) !== TUN) return false;
      return readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8').split('\n').includes(`iff:\t${ifname}`);
    } catch {
      return false; // it is closed by now
    }
  });
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
