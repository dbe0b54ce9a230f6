/**
 * The interfaces that the default routes of this process's network namespace depend on. Reads /proc and /sys.
 */
import { readdirSync, readFileSync } from 'node:fs';

const RTF_REJECT = 0x200;
const ZEROS = /^0+$/;
/** Bonds of bonds and the like. */
const MOST_LEVELS = 8;

/**
 * The device of a default route, IPv4 or IPv6, that an interface carries: itself, or a bond, bridge or VLAN device above it. `null`:
 * none.
 */
export function deviceOfDefaultRoute(ifname: string): string | null {
  const devices = new Set([
    ...ofIpv4(read('/proc/thread-self/net/route')),
    ...ofIpv6(read('/proc/thread-self/net/ipv6_route')),
  ]);
  let level = [ifname];
  for (let depth = 0; depth < MOST_LEVELS && level.length > 0; depth++) {
    const found = level.find((name) => devices.has(name));
    if (found !== undefined) return found;
    level = level.flatMap(above);
  }
  return null;
}

/** The devices of the default routes in /proc/net/route. */
export function ofIpv4(table: string): string[] {
  return rowsOf(table).flatMap(([device, destination, , flags, , , , mask]) =>
    isZero(destination) && isZero(mask) && isUsed(flags) ? [device] : [],
  );
}

/** The devices of the default routes in /proc/net/ipv6_route. */
export function ofIpv6(table: string): string[] {
  return rowsOf(table).flatMap(([destination, prefix, , , , , , , flags, device]) =>
    isZero(destination) && isZero(prefix) && isUsed(flags) && device !== undefined ? [device] : [],
  );
}

function rowsOf(table: string): string[][] {
  return table.split('\n').map((line) => line.trim().split(/\s+/));
}

function isZero(field: string | undefined): boolean {
  return field !== undefined && ZEROS.test(field);
}

/** Where nothing else leads, the kernel has a route of its own that refuses. */
function isUsed(flags: string | undefined): boolean {
  return (Number.parseInt(flags ?? '', 16) & RTF_REJECT) === 0;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // no such family
  }
}

function above(ifname: string): string[] {
  try {
    return readdirSync(`/sys/class/net/${ifname}`).flatMap((name) =>
      name.startsWith('upper_') ? [name.slice(6)] : [],
    );
  } catch {
    return [];
  }
}
