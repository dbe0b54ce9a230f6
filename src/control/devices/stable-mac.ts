/**
 * MAC addresses for NICs that are made without one: the same at each start, so that the guests' neighbours need not notice
 * that the switch, or the host, was started again.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { switchOptions } from '../../config/options/switch.js';

/** machine-id(5), and where D-Bus keeps it on a host without systemd. */
const MACHINE_ID_FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id'];
/** 32 digits; a new image may hold the word "uninitialized" instead. */
const MACHINE_ID = /^[0-9a-f]{32}$/;

/**
 * What tells this host from others.
 * @param read contents of a file; throws when it cannot be read
 */
export function machineId(read: (path: string) => string = readText, name: () => string = hostname): string {
  for (const path of MACHINE_ID_FILES) {
    try {
      const id = read(path).trim();
      if (MACHINE_ID.test(id)) return id;
    } catch {
      // The next one may be there.
    }
  }
  return name();
}

/**
 * The MAC of a port's NIC: locally administered, unicast, and hashed from what names it, so that it tells nothing of the host.
 * Two switches of one name on one host have different control sockets, of which one at least is not the default.
 */
export function stableMac(host: string, name: string, control: string, port: string): string {
  const place = control === switchOptions.control.default ? '' : control;
  const bytes = createHash('sha256')
    .update(JSON.stringify(['overtap', host, name, place, port]))
    .digest()
    .subarray(0, 6);
  bytes[0] = (bytes[0] & 0xfc) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function readText(path: string): string {
  return readFileSync(path, 'latin1');
}
