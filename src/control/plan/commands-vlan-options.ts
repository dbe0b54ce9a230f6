/**
 * Differences of the options of VLANs as requests and as words: those of memberships that are about multicast, and those of the VLANs
 * of a bridge. Pure.
 */
import type { MstRequest, VlanGlobalRequest, VlanSetRequest } from '../../api/api.js';
import { bridgeVlanOptions } from '../../config/options/mcast.js';
import { defaultsOf } from '../../config/options/option.js';
import type { InstanceState, PortConfig, SwitchConfig, VlanGlobalConfig, VlanMembership } from '../../config/types.js';

const DEFAULTS: Readonly<Record<string, unknown>> = defaultsOf(bridgeVlanOptions);
const OPTIONS = Object.keys(bridgeVlanOptions) as (keyof typeof bridgeVlanOptions)[];

/** @param kept memberships that are not added anew */
export function mcastSettings(
  dev: string,
  kept: readonly VlanMembership[],
  after: readonly VlanMembership[],
): VlanSetRequest[] {
  const before = new Map(kept.map((vlan) => [vlan.vid, mcastOf(vlan)]));
  const changes = after.map((vlan): [number, Partial<Mcast>] => [
    vlan.vid,
    difference(before.get(vlan.vid) ?? NONE, mcastOf(vlan)),
  ]);
  return runsOf(changes).map(({ vid, vidEnd, options }) => ({ op: 'set', dev, vid, ...end(vid, vidEnd), ...options }));
}

interface Mcast {
  mcast_router: 0 | 1 | 2;
  mcast_max_groups: number;
}

const NONE: Mcast = { mcast_router: 1, mcast_max_groups: 0 };

function mcastOf({ mcast_router = 1, mcast_max_groups = 0 }: VlanMembership): Mcast {
  return { mcast_router, mcast_max_groups };
}

/** Of bridges in both, and of new ones. */
export function vlanGlobalChanges(before: SwitchConfig, after: SwitchConfig): VlanGlobalRequest[] {
  return after.bridges.flatMap(({ name, vlan_global }) => {
    const had = byVid(before.bridges.find((bridge) => bridge.name === name)?.vlan_global ?? []);
    const wanted = byVid(vlan_global);
    const vids = [...new Set([...had.keys(), ...wanted.keys()])].sort((one, other) => one - other);
    const changes = vids.map((vid): [number, VlanGlobalRequest['options']] => [
      vid,
      difference(had.get(vid) ?? DEFAULTS, wanted.get(vid) ?? DEFAULTS),
    ]);
    return runsOf(changes).map(({ vid, vidEnd, options }) => ({
      op: 'global',
      dev: name,
      vid,
      ...end(vid, vidEnd),
      options,
    }));
  });
}

/** The states of ports in instances. */
export function instanceChanges(before: SwitchConfig, after: SwitchConfig): MstRequest[] {
  const portsOf = ({ bridges, ports }: SwitchConfig): PortConfig[] => [
    ...bridges.flatMap((one) => one.ports),
    ...ports,
  ];
  const had = new Map(portsOf(before).map(({ name, mst }) => [name, statesOf(mst)]));
  return portsOf(after).flatMap(({ name: dev, mst }) => {
    const [old, wanted] = [had.get(dev) ?? new Map(), statesOf(mst)];
    const instances = [...new Set([...old.keys(), ...wanted.keys()])].sort((one, other) => one - other);
    return instances.flatMap((msti): MstRequest[] => {
      const state = wanted.get(msti) ?? 'disabled';
      return (old.get(msti) ?? 'disabled') === state ? [] : [{ op: 'mst', dev, msti, state }];
    });
  });
}

function statesOf(list: readonly InstanceState[]): Map<number, InstanceState['state']> {
  return new Map(list.map(({ msti, state }) => [msti, state]));
}

function byVid(list: readonly VlanGlobalConfig[]): Map<number, Readonly<Record<string, unknown>>> {
  return new Map(list.map(({ vid, ...options }) => [vid, options]));
}

function difference<T extends object>(before: T, after: T): Partial<T> {
  const keys = Object.keys(after) as (keyof T)[];
  return Object.fromEntries(
    keys.filter((key) => before[key] !== after[key]).map((key) => [key, after[key]]),
  ) as Partial<T>;
}

function end(vid: number, vidEnd: number): { vidEnd?: number } {
  return vid === vidEnd ? {} : { vidEnd };
}

/** Consecutive VLANs with the same change. */
function runsOf<T extends object>(
  changes: readonly (readonly [number, T])[],
): { vid: number; vidEnd: number; options: T }[] {
  const runs: { vid: number; vidEnd: number; options: T }[] = [];
  for (const [vid, options] of changes) {
    if (Object.keys(options).length === 0) continue;
    const run = runs.at(-1);
    if (run !== undefined && run.vidEnd + 1 === vid && JSON.stringify(run.options) === JSON.stringify(options))
      run.vidEnd = vid;
    else runs.push({ vid, vidEnd: vid, options });
  }
  return runs;
}

/** The options of a VLAN as words of `vlan global set`. */
export function vlanGlobalWords(options: VlanGlobalRequest['options']): string[] {
  return OPTIONS.flatMap((key) => (options[key] === undefined ? [] : [key, String(Number(options[key]))]));
}
