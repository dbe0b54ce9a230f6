/** Counters of devices, read in their network namespaces. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { NETNS_DIR } from '../../../lab/testbed/namespaces.js';
import { enterNamespace } from '../../../native/binding.js';

export interface DeviceCounters {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly txBytes: number;
  readonly txPackets: number;
}

/** The counters of all devices of a namespace, by name. This thread enters the namespace and comes back, without a program. */
export function devicesIn(netns: string): Record<string, DeviceCounters> {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    enterNamespace(`${NETNS_DIR}/${netns}`);
    return parseDevices(readFileSync('/proc/thread-self/net/dev', 'latin1'));
  } finally {
    enterNamespace(`/proc/self/fd/${home}`);
    closeSync(home);
  }
}

/** @param text of /proc/net/dev */
export function parseDevices(text: string): Record<string, DeviceCounters> {
  const rows = text.split('\n').flatMap((line) => {
    const [name, numbers] = line.split(':');
    if (numbers === undefined) return [];
    const fields = numbers.trim().split(/\s+/).map(Number);
    const [rxBytes, rxPackets, txBytes, txPackets] = [fields[0], fields[1], fields[8], fields[9]];
    return [[name.trim(), { rxBytes, rxPackets, txBytes, txPackets }] as const];
  });
  return Object.fromEntries(rows);
}
