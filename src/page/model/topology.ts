/**
 * What is drawn: the switches, what is at their ports, and the tunnels between them, derived from the listings. A remote whose
 * address belongs to a vxlan port that is also shown becomes a tunnel between the two; any other is a node of its own.
 * Pure. Bounded: beyond the limits, what is left is one node that tells how many.
 */
import type { Guest, Link } from './messages.js';
import { isTunnelType } from './tunnel-type.js';

export type NodeKind = 'switch' | 'guest' | 'remote' | 'group' | 'more';

export interface Node {
  readonly id: string;
  readonly kind: NodeKind;
  readonly title: string;
  /** Further lines of text, the most important first. */
  readonly lines: readonly string[];
  readonly up: boolean;
  /** Of a guest, and of what stands for several: the switch node that it is at. */
  readonly at?: string;
}

/** One end of an edge: the node, and its port if it is a switch. */
export interface End {
  readonly node: string;
  readonly port?: string;
  /** Of a tunnel: the address that the port has in the underlay. */
  readonly address?: string;
}

export interface Edge {
  readonly id: string;
  readonly kind: 'local' | 'tunnel' | 'patch';
  readonly a: End;
  readonly b: End;
  readonly up: boolean;
}

/** Where a frame is seen to leave or enter a switch: the edge, and which of its ends the switch is. */
export interface Road {
  readonly edge: string;
  readonly isA: boolean;
}

export interface Topology {
  readonly nodes: readonly Node[];
  readonly edges: readonly Edge[];
  /** By `SWITCH PORT` and `SWITCH PORT ADDRESS`: see `roadOf`. */
  readonly roads: ReadonlyMap<string, Road>;
}

export interface ShownSwitch {
  readonly name: string;
  readonly answers: boolean;
  readonly links: readonly Link[];
}

/** More than these would not be readable. */
export const MAX_GUESTS = 12;
export const MAX_REMOTES = 10;
export const MAX_SWITCHES = 16;

const isTunnel = ({ local, type }: Link): boolean => isTunnelType(type) || local !== undefined;

/** A topology while it is built. */
class Draft {
  readonly nodes = new Map<string, Node>();
  readonly edges = new Map<string, Edge>();
  readonly roads = new Map<string, Road>();

  /** @param keys names of the road at each end */
  join(edge: Edge, atA: readonly string[], atB: readonly string[] = []): void {
    const known = this.edges.get(edge.id);
    if (known === undefined || (edge.up && !known.up)) this.edges.set(edge.id, edge);
    for (const key of atA) this.roads.set(key, { edge: edge.id, isA: true });
    for (const key of atB) this.roads.set(key, { edge: edge.id, isA: false });
  }
}

const switchNode = (name: string, bridge: string): string => `switch ${name} ${bridge}`;
const roadKey = (sw: string, port: string, remote?: string): string =>
  remote === undefined ? `${sw} ${port}` : `${sw} ${port} ${remote}`;

export function topologyOf(switches: readonly ShownSwitch[], guests: readonly Guest[]): Topology {
  const draft = new Draft();
  const shown = switches.slice(0, MAX_SWITCHES);
  for (const one of shown) addBridges(draft, one);
  for (const one of shown) addLocalPorts(draft, one, guests);
  const owners = ownersOf(shown);
  for (const one of shown) addTunnels(draft, one, owners);
  return { nodes: [...draft.nodes.values()], edges: [...draft.edges.values()], roads: draft.roads };
}

/** The road of a frame at a port, and behind a tunnel to or from a remote. */
export function roadOf({ roads }: Topology, sw: string, port: string, remote?: string): Road | undefined {
  return (remote === undefined ? undefined : roads.get(roadKey(sw, port, remote))) ?? roads.get(roadKey(sw, port));
}

function addBridges(draft: Draft, { name, answers, links }: ShownSwitch): void {
  const bridges = links.filter(({ type }) => type === 'bridge');
  const names = bridges.length === 0 ? [''] : bridges.map((bridge) => bridge.name);
  for (const bridge of names) {
    const id = switchNode(name, bridge);
    const line = answers ? bridge : 'does not answer';
    draft.nodes.set(id, { id, kind: 'switch', title: name, lines: line === '' ? [] : [line], up: answers });
  }
}

function addLocalPorts(draft: Draft, sw: ShownSwitch, guests: readonly Guest[]): void {
  const counts = new Map<string, number>();
  for (const link of sw.links) {
    const bridge = link.type === 'bridge' ? (link.hostPort ? link.name : undefined) : link.master;
    if (bridge === undefined || isTunnel(link)) continue;
    if (link.peer !== undefined) {
      addPatch(draft, sw, link, bridge);
      continue;
    }
    const at = switchNode(sw.name, bridge);
    const count = (counts.get(at) ?? 0) + 1;
    counts.set(at, count);
    if (count > MAX_GUESTS) addMore(draft, at, sw, link.name, count - MAX_GUESTS);
    else addGuest(draft, at, sw, link, guests);
  }
}

function addGuest(draft: Draft, at: string, sw: ShownSwitch, link: Link, guests: readonly Guest[]): void {
  const id = `guest ${sw.name} ${link.name}`;
  const known = guests.find((guest) => guest.switch === sw.name && guest.port === link.name);
  const addresses = known?.addresses ?? link.addresses;
  const isHost = link.type === 'bridge';
  const title = known?.name ?? (isHost ? 'the host itself' : link.name);
  const what = link.type === 'tap' || isHost ? [] : [link.type];
  const lines = [...addresses.slice(0, 1), ...what, ...(addresses.length === 0 && link.mac ? [link.mac] : [])];
  draft.nodes.set(id, { id, kind: 'guest', title, lines: link.up ? lines : ['DOWN', ...lines], up: link.up, at });
  const edge: Edge = {
    id,
    kind: 'local',
    a: { node: at, port: link.name },
    b: { node: id },
    up: link.up && sw.answers,
  };
  draft.join(edge, [roadKey(sw.name, link.name)]);
}

/** One node for all ports that are too many. */
function addMore(draft: Draft, at: string, sw: ShownSwitch, port: string, count: number): void {
  const id = `more ${at}`;
  draft.nodes.set(id, { id, kind: 'more', title: `${count} more`, lines: ['ports'], up: true, at });
  draft.join({ id, kind: 'local', a: { node: at, port: '' }, b: { node: id }, up: sw.answers }, [
    roadKey(sw.name, port),
  ]);
}

function addPatch(draft: Draft, sw: ShownSwitch, link: Link, bridge: string): void {
  const other = sw.links.find(({ name }) => name === link.peer);
  if (other?.master === undefined || other.peer !== link.name) return;
  const [first, second] = link.name < other.name ? [link, other] : [other, link];
  const ends = [first, second].map(({ name, master }) => ({ node: switchNode(sw.name, master ?? bridge), port: name }));
  const [a, b] = ends as [End, End];
  const edge: Edge = { id: `patch ${sw.name} ${first.name}`, kind: 'patch', a, b, up: first.up && second.up };
  draft.join(edge, [roadKey(sw.name, first.name)], [roadKey(sw.name, second.name)]);
}

interface Owner {
  readonly sw: ShownSwitch;
  readonly link: Link;
}

/** The vxlan ports that are shown, by their own address. */
function ownersOf(switches: readonly ShownSwitch[]): Map<string, Owner[]> {
  const owners = new Map<string, Owner[]>();
  for (const sw of switches)
    for (const link of sw.links)
      if (isTunnel(link) && link.local !== undefined && link.master !== undefined)
        owners.set(link.local, [...(owners.get(link.local) ?? []), { sw, link }]);
  return owners;
}

function addTunnels(draft: Draft, sw: ShownSwitch, owners: ReadonlyMap<string, readonly Owner[]>): void {
  let strangers = 0;
  for (const link of sw.links) {
    if (!isTunnel(link) || link.master === undefined) continue;
    const here = tunnelEnd(sw.name, link, link.master);
    const up = link.up && sw.answers;
    for (const address of link.remotes) {
      const key = roadKey(sw.name, link.name, address);
      const owner = ownerFor(owners.get(address), link);
      if (owner === undefined) strangers = addRemote(draft, here, address, key, up, strangers);
      else addTunnel(draft, { link, here, up }, owner, key);
    }
    if (link.group !== undefined) addGroup(draft, here, link.group, sw.name, link.name, up);
  }
}

const tunnelEnd = (sw: string, { name, local }: Link, master: string): End => ({
  node: switchNode(sw, master),
  port: name,
  ...(local === undefined ? {} : { address: local }),
});

/** Of several ports at one address, the one with the same VNI. */
function ownerFor(owners: readonly Owner[] = [], { vni }: Link): Owner | undefined {
  return owners.find(({ link }) => link.vni === vni) ?? owners[0];
}

function addTunnel(
  draft: Draft,
  { link, here, up }: { link: Link; here: End; up: boolean },
  owner: Owner,
  key: string,
): void {
  const there = tunnelEnd(owner.sw.name, owner.link, owner.link.master ?? '');
  if (there.node === here.node) return;
  const names = [`${here.node} ${here.port}`, `${there.node} ${there.port}`];
  const isFirst = names[0] < names[1];
  const id = `tunnel ${names.sort().join(' ')}`;
  const [a, b] = isFirst ? [here, there] : [there, here];
  const back = roadKey(owner.sw.name, owner.link.name, link.local);
  const edge: Edge = { id, kind: 'tunnel', a, b, up: up && owner.link.up && owner.sw.answers };
  draft.join(edge, [isFirst ? key : back], [isFirst ? back : key]);
}

/** @returns the number of remotes so far that are not shown as switches */
function addRemote(draft: Draft, here: End, address: string, key: string, up: boolean, before: number): number {
  const id = `remote ${address}`;
  const isNew = !draft.nodes.has(id);
  if (isNew && before >= MAX_REMOTES) {
    const more = `more remotes ${here.node}`;
    const count = before - MAX_REMOTES + 1;
    draft.nodes.set(more, { id: more, kind: 'remote', title: `${count} more`, lines: ['remotes'], up: true });
    draft.join({ id: more, kind: 'tunnel', a: here, b: { node: more }, up }, [key]);
    return before + 1;
  }
  if (isNew) draft.nodes.set(id, { id, kind: 'remote', title: address, lines: ['remote'], up: true });
  draft.join({ id: `${here.node} ${here.port} ${address}`, kind: 'tunnel', a: here, b: { node: id }, up }, [key]);
  return isNew ? before + 1 : before;
}

function addGroup(draft: Draft, here: End, group: string, sw: string, port: string, up: boolean): void {
  const id = `group ${group}`;
  draft.nodes.set(id, { id, kind: 'group', title: group, lines: ['multicast group'], up: true });
  const edge: Edge = { id: `${here.node} ${port} ${group}`, kind: 'tunnel', a: here, b: { node: id }, up };
  draft.join(edge, [roadKey(sw, port, group)]);
}
