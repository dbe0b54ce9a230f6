/**
 * Differences of VLAN memberships and mappings as requests and as commands. Pure.
 */
import type { VlanRequest, VlanSetRequest, VlansRequest, VniAddRequest, VniDelRequest } from '../../api/api.js';
import type { Document } from '../../config/edit/tree.js';
import { setInstance } from '../../config/edit/instances.js';
import { addVlans, deleteVlans, setVlans } from '../../config/edit/vlans.js';
import { setVlanGlobals } from '../../config/edit/vlan-globals.js';
import { deleteVnis, setVnis } from '../../config/edit/vnis.js';
import { commandText } from '../../config/options/words.js';
import type { SwitchConfig, VlanMembership } from '../../config/types.js';
import { PORT_STATES } from '../../values/port-state.js';
import { instanceChanges, mcastSettings, vlanGlobalChanges, vlanGlobalWords } from './commands-vlan-options.js';

/** The document after a request. @throws EditRefused */
export function editVlans(document: Document, request: VlansRequest): Document {
  switch (request.op) {
    case 'add':
      return addVlans(document, request);
    case 'del':
      return deleteVlans(document, request);
    case 'set':
      return setVlans(document, request);
    case 'global':
      return setVlanGlobals(document, request);
    case 'mst':
      return setInstance(document, request);
    case 'vni_add':
      return setVnis(document, request);
    case 'vni_del':
      return deleteVnis(document, request);
  }
}

/** In a valid order: on each link deletions precede additions. */
export function vlanChanges(before: SwitchConfig, after: SwitchConfig): VlansRequest[] {
  const had = membershipsByLink(before);
  const byVlan = portsThatSuppressByVlan(after);
  const gone: VlanRequest[] = [];
  const come: VlansRequest[] = [];
  for (const [dev, vlans] of membershipsByLink(after)) {
    const old = had.get(dev) ?? [];
    const lost = lostOf(old, vlans);
    for (const run of runsOf(lost)) gone.push({ op: 'del', dev, ...range(run) });
    const isSame = (vlan: VlanMembership): boolean => old.some((one) => textOf(one) === textOf(vlan));
    const added = vlans.filter((vlan) => !isSame(vlan) || lost.some(({ vid }) => vid === vlan.vid));
    // Without flags, tunnel_info keeps existing flags; a VLAN that loses its flags needs a request of its own.
    const bare = added.filter(
      ({ vid, vni, pvid, untagged }) =>
        vni !== undefined && !pvid && !untagged && old.some((one) => one.vid === vid && (one.pvid || one.untagged)),
    );
    for (const run of runsOf(bare.map(({ vni: _, ...vlan }) => vlan))) come.push(vlanAdd(dev, run));
    for (const run of runsOf(added)) come.push(vlanAdd(dev, run));
    const kept = old.filter(({ vid }) => !lost.some((vlan) => vlan.vid === vid));
    come.push(...settings(dev, kept, vlans, byVlan.has(dev)), ...stateChanges(dev, kept, vlans));
    come.push(...mcastSettings(dev, kept, vlans));
    come.push(...groupChanges(dev, kept, vlans));
  }
  return [...gone, ...come, ...vlanGlobalChanges(before, after), ...instanceChanges(before, after)];
}

/** The VLANs whose suppression or isolation differs. @param byVlan suppression is set by VLAN: a new VLAN always gets it explicitly */
function settings(
  dev: string,
  kept: readonly VlanMembership[],
  after: readonly VlanMembership[],
  byVlan: boolean,
): VlanSetRequest[] {
  return (['neigh_suppress', 'isolated'] as const).flatMap((key) => {
    const isSaid = key === 'neigh_suppress' && byVlan;
    const has = (vlan: VlanMembership): boolean => vlan[key] === true;
    const differs = (vlan: VlanMembership): boolean => {
      const before = kept.find(({ vid }) => vid === vlan.vid);
      return before === undefined ? isSaid || has(vlan) : has(before) !== has(vlan);
    };
    return [true, false].flatMap((wanted) => {
      const those = after.filter((vlan) => has(vlan) === wanted && differs(vlan));
      const plain = those.map(({ vid }) => ({ vid, pvid: false, untagged: false, remotes: [] }));
      return runsOf(plain).map((run): VlanSetRequest => ({ op: 'set', dev, ...range(run), [key]: wanted }));
    });
  });
}

/** The VLANs whose state differs, and is no matter of an instance. */
function stateChanges(
  dev: string,
  kept: readonly VlanMembership[],
  after: readonly VlanMembership[],
): VlanSetRequest[] {
  return PORT_STATES.flatMap((state) => {
    const those = after.filter((vlan) => {
      if (vlan.msti !== undefined) return false;
      const before = kept.find(({ vid }) => vid === vlan.vid)?.state ?? 'forwarding';
      return (vlan.state ?? 'forwarding') === state && before !== state;
    });
    const plain = those.map(({ vid }) => ({ vid, pvid: false, untagged: false, remotes: [] }));
    return runsOf(plain).map((run): VlanSetRequest => ({ op: 'set', dev, ...range(run), state }));
  });
}

/** The VNIs whose group differs; consecutive ones with one group in one request. */
function groupChanges(dev: string, kept: readonly VlanMembership[], after: readonly VlanMembership[]): VniAddRequest[] {
  const changes: VniAddRequest[] = [];
  for (const { vid, vni, group } of after) {
    const had = kept.find((one) => one.vid === vid)?.group;
    if (vni === undefined || had === group) continue;
    const last = changes.at(-1);
    if (last !== undefined && last.group === group && vni === (last.vniEnd ?? last.vni) + 1) last.vniEnd = vni;
    else changes.push({ op: 'vni_add', dev, vni, ...(group === undefined ? {} : { group }) });
  }
  return changes;
}

function portsThatSuppressByVlan({ bridges, ports }: SwitchConfig): Set<string> {
  const all = [...bridges.flatMap((bridge) => bridge.ports), ...ports];
  return new Set(all.filter(({ neigh_vlan_suppress }) => neigh_vlan_suppress).map(({ name }) => name));
}

/** Memberships to delete, and those whose VNI is removed or changed: these precede additions. */
function lostOf(before: readonly VlanMembership[], after: readonly VlanMembership[]): VlanMembership[] {
  return before.filter(({ vid, vni }) => {
    const same = after.find((vlan) => vlan.vid === vid);
    return same === undefined || (vni !== undefined && same.vni !== vni);
  });
}

/** The change as words. */
export function vlanText(request: VlansRequest): string {
  const text = (first: number, last: number | undefined): string =>
    last === undefined ? `${first}` : `${first}-${last}`;
  if (request.op === 'set') {
    const { dev, vid, vidEnd, op, ...settings } = request;
    const words = Object.entries(settings).flatMap(([key, value]) => [
      key,
      typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value),
    ]);
    return commandText(['vlan', op, 'dev', dev, 'vid', text(vid, vidEnd), ...words]);
  }
  if (request.op === 'global') {
    const { dev, vid, vidEnd, options } = request;
    return commandText(['vlan', 'global', 'set', 'dev', dev, 'vid', text(vid, vidEnd), ...vlanGlobalWords(options)]);
  }
  if (request.op === 'mst') {
    const { dev, msti, state } = request;
    return commandText(['mst', 'set', 'dev', dev, 'msti', String(msti), 'state', state]);
  }
  if (request.op === 'vni_add' || request.op === 'vni_del') return vniText(request, text);
  const { op, dev, vid, vidEnd, tunid, tunidEnd, ...flags } = request;
  const words = Object.entries(flags).flatMap(([word, given]) => (given === true ? [word] : []));
  const tunnel = tunid === undefined ? [] : ['tunnel_info', 'id', text(tunid, tunidEnd)];
  return commandText(['vlan', op, 'dev', dev, 'vid', text(vid, vidEnd), ...words, ...tunnel]);
}

function vniText(
  { op, dev, vni, vniEnd, ...places }: VniAddRequest | VniDelRequest,
  text: (first: number, last: number | undefined) => string,
): string {
  const verb = op === 'vni_add' ? 'add' : 'del';
  return commandText(['vni', verb, 'dev', dev, 'vni', text(vni, vniEnd), ...Object.entries(places).flat()]);
}

function vlanAdd(dev: string, run: readonly VlanMembership[]): VlanRequest {
  const [{ pvid, untagged, vni }] = run;
  return {
    op: 'add',
    dev,
    ...range(run),
    ...(pvid ? { pvid } : {}),
    ...(untagged ? { untagged } : {}),
    ...(vni === undefined ? {} : { tunid: vni, ...(run.length > 1 ? { tunidEnd: vni + run.length - 1 } : {}) }),
  };
}

function range(run: readonly VlanMembership[]): { vid: number; vidEnd?: number } {
  const first = run[0].vid;
  const last = run[run.length - 1].vid;
  return first === last ? { vid: first } : { vid: first, vidEnd: last };
}

/** By port; host-port VLANs by bridge. */
export function membershipsByLink(config: SwitchConfig): Map<string, VlanMembership[]> {
  const found = new Map<string, VlanMembership[]>();
  for (const bridge of config.bridges) {
    if (bridge.host_port) found.set(bridge.name, bridge.vlans);
    for (const port of bridge.ports) found.set(port.name, port.vlans);
  }
  for (const port of config.ports) found.set(port.name, port.vlans);
  return found;
}

/** Runs of consecutive VIDs that one command can express. */
function runsOf(vlans: readonly VlanMembership[]): VlanMembership[][] {
  const runs: VlanMembership[][] = [];
  for (const vlan of [...vlans].sort((a, b) => a.vid - b.vid)) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const joins =
      last !== undefined &&
      last.vid + 1 === vlan.vid &&
      !last.pvid &&
      !vlan.pvid &&
      last.untagged === vlan.untagged &&
      (last.vni === undefined ? vlan.vni === undefined : last.vni + 1 === vlan.vni);
    if (joins) run?.push(vlan);
    else runs.push([vlan]);
  }
  return runs;
}

function textOf({ vid, pvid, untagged, vni }: VlanMembership): string {
  return `${vid} ${pvid} ${untagged} ${vni ?? ''}`;
}
