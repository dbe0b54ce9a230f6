/**
 * What a switch with one TAP and no traffic occupies. The bounds are generous: page sizes, allocators and versions of Node differ.
 * Figures of one machine, and where the memory goes: docs/performance.md.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../control/http/server-harness.js';
import { World } from './host-testbed.js';
import { type Guest, plainBridge, tapPort } from './topologies.js';

/** MiB of the switch's own: without the program files of Node and libraries, which the kernel shares among processes. */
const OWN_LIMIT = 48;
const RESIDENT_LIMIT = 76;
/** Program files: a start maps 40 MiB and more, a switch at rest uses 12 to 17. */
const FILE_LIMIT = 28;

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

/** A size of /proc/PID/status (proc_pid_status(5)) in MiB. */
function sizeOf(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
}

test('a switch at rest is small', async () => {
  const host = await world.netns('host1');
  const netns = await world.netns('guest1');
  const guest: Guest = { netns, ifname: 'eth0', address: '198.18.0.1', mac: '02:00:00:00:00:01' };
  const sw = await world.startSwitch(host, 'host1', plainBridge(tapPort('tap0', guest)));
  const read = () => readFileSync(`/proc/${sw.program.pid}/status`, 'latin1');
  // The pages of the start are given back two seconds after "ready".
  await until('the pages of the start are given back', () => sizeOf(read(), 'RssFile') < FILE_LIMIT);
  // What the start allocated has been collected before.
  const [resident, own] = [sizeOf(read(), 'VmRSS'), sizeOf(read(), 'RssAnon')];
  console.log(`a switch at rest: ${resident.toFixed(1)} MiB, of which ${own.toFixed(1)} its own`);
  expect(own).toBeLessThan(OWN_LIMIT);
  expect(resident).toBeLessThan(RESIDENT_LIMIT);
});
