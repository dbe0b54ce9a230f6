/**
 * MAC addresses for NICs that are created without a configured one. They are stable across restarts of the switch and the host,
 * so that neighbour caches of guests remain valid.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { switchOptions } from '../../config/options/switch.js';

/** machine-id(5), and its D-Bus path on hosts without systemd. */
const MACHINE_ID_FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id'];
/** 32 hex digits; a fresh image may contain the word "uninitialized" instead. */
const MACHINE_ID = /^[0-9a-f]{32}$/;

/**
 * A stable identifier of this host.
 * @param read contents of a file; throws when it cannot be read
 */
export function machineId(read: (path: string) => string = readText, name: () => string = hostname): string {
  for (const path of MACHINE_ID_FILES) {
    try {
      const id = read(path).trim();
      if (MACHINE_ID.test(id)) return id;
    } catch {
      // Try the next path.
    }
  }
  return name();
}

/**
 * The MAC of a port's NIC: locally administered, unicast, a hash of host, switch and port, so it discloses nothing about the
 * host. Two switches with the same name on one host differ in their control socket path.
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
