/** The VNIs of a tunnel port, with the groups and remotes of their own. Consecutive VNIs that are alike are one row. */
import type { VniRange } from '../../api/api.js';
import type { VxlanConfig } from '../../config/types.js';

export function vniRanges(config: VxlanConfig): VniRange[] {
  const ranges: VniRange[] = [];
  for (const { vni, group, remotes } of vnisOf(config)) {
    const remote = group === undefined ? remotes[0] : undefined;
    const last = ranges.at(-1);
    const isNext = last !== undefined && vni === (last.vniEnd ?? last.vni) + 1;
    if (isNext && last.group === group && last.remote === remote) last.vniEnd = vni;
    else ranges.push({ vni, ...(group === undefined ? {} : { group }), ...(remote === undefined ? {} : { remote }) });
  }
  return ranges;
}

function vnisOf({ vlan_tunnel, id, group, remotes, vlans }: VxlanConfig): {
  vni: number;
  group?: string | undefined;
  remotes: string[];
}[] {
  if (!vlan_tunnel) return id === undefined ? [] : [{ vni: id, group, remotes }];
  return vlans
    .flatMap((vlan) => (vlan.vni === undefined ? [] : [{ vni: vlan.vni, group: vlan.group, remotes: vlan.remotes }]))
    .sort((a, b) => a.vni - b.vni);
}
