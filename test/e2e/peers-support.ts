/** What the tests of sources of peers share: a guest on each of three hosts, and what a switch shows of its remotes. */
import { expect } from 'vitest';
import type { LinkRow, PeerSourceRow } from '../../src/api/api.js';
import { until } from '../../src/lab/testbed/wait.js';
import type { World } from './host-testbed.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, tapPort } from './topologies.js';
import { ping } from './traffic.js';

export const VNI = 42;
const FLOOD = '00:00:00:00:00:00';

/** @param number which is also the last byte of its addresses */
export async function guestOf(world: World, number: number): Promise<Guest> {
  const netns = await world.netns(`guest${number}`);
  return { netns, ifname: 'eth0', address: `198.18.0.${number}`, mac: `02:00:00:00:42:0${number}` };
}

/** YAML of a bridge with the guest and a tunnel. @param options further keys of the vxlan port, as of a flow mapping */
export function peered(host: Host, guest: Guest, options: string): string {
  const tunnel = `      vxlan0: { type: vxlan, local: ${host.address}, id: ${VNI}, ${options} }\n`;
  return plainBridge(tapPort('tap0', guest), tunnel);
}

/** Addresses of the flood list, sorted. */
export async function remotesOf(sw: RunningSwitch): Promise<string[]> {
  const rows = await sw.fdb();
  return rows.flatMap(({ mac, dst }) => (mac === FLOOD && dst !== undefined ? [dst] : [])).sort();
}

export function floods(sw: RunningSwitch, ...remotes: string[]): Promise<true> {
  const wanted = [...remotes].sort().join(' ');
  return until(`floods go to ${wanted}`, async () => (await remotesOf(sw)).join(' ') === wanted);
}

/** The one source of vxlan0. */
export async function sourceOf(sw: RunningSwitch): Promise<PeerSourceRow> {
  const rows = await sw.json<LinkRow[]>('-d link show vxlan0');
  const [source] = rows[0]?.peer_sources ?? [];
  if (source === undefined) throw new Error(`no source: ${JSON.stringify(rows)}`);
  return source;
}

export function hasState(sw: RunningSwitch, state: PeerSourceRow['state']): Promise<true> {
  return until(`the source is ${state}`, async () => (await sourceOf(sw)).state === state);
}

/** All guests reach one another. */
export async function allPing(world: World, guests: readonly Guest[]): Promise<void> {
  for (const from of guests) {
    for (const to of guests) {
      if (from === to) continue;
      const result = await ping(world, from.netns, to.address);
      expect(result, result.output).toMatchObject({ sent: 3, received: 3, duplicates: 0 });
    }
  }
}
