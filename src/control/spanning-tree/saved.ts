/**
 * A tree as one process leaves it to the next one: what its ports know and do. What follows from that is found out anew.
 */
import type { Member } from './member.js';
import type { TreePort } from './state.js';
import type { SwitchTree } from './switch-tree.js';

const KEPT = [
  'edgeDelayWhile',
  'operEdge',
  'mdelayWhile',
  'sendRstp',
  'isSensing',
  'infoIs',
  'portPriority',
  'portTimes',
  'designatedPriority',
  'designatedTimes',
  'rcvdInfoWhile',
  'proposing',
  'agree',
  'agreed',
  'selectedRole',
  'role',
  'learn',
  'learning',
  'forward',
  'forwarding',
  'synced',
  'fdWhile',
  'flapWhile',
  'rrWhile',
  'rbWhile',
  'tcState',
  'tcWhile',
] as const;

type Kept = Pick<TreePort, (typeof KEPT)[number]>;

export interface SavedPort {
  port: string;
  number: number;
  isGuarded: boolean;
  /** See KEPT; `restoreTree` checks it. */
  kept: Record<string, unknown>;
}

export interface SavedTree {
  bridge: string;
  id: string;
  isRapid: boolean;
  ports: SavedPort[];
}

export function saveTree({ bridge, members, tree }: SwitchTree): SavedTree {
  const { id, isRapid } = tree;
  return { bridge: bridge.name, id, isRapid, ports: [...members.values()].map(savePort) };
}

function savePort({ at, isGuarded, number, port }: Member): SavedPort {
  return { port: port.name, number, isGuarded, kept: Object.fromEntries(KEPT.map((key) => [key, at[key]])) };
}

/** Goes on from what another process has left. A port that it does not have, or that it describes in another way, begins anew. */
export function restoreTree(to: SwitchTree, saved: SavedTree): void {
  const { members, tree } = to;
  // A bridge of another name for others: what its ports have sent is void.
  if (saved.id !== tree.id || saved.isRapid !== tree.isRapid) return;
  const numbers = new Set(saved.ports.map(({ number }) => number));
  if (numbers.size !== saved.ports.length) return;
  const byName = new Map([...members.values()].map((member) => [member.port.name, member]));
  if (saved.ports.length !== members.size || !saved.ports.every(({ port }) => byName.has(port))) return;
  for (const { isGuarded, kept, number, port } of saved.ports) {
    const member = byName.get(port) as Member;
    member.number = number;
    member.isGuarded = isGuarded;
    if (isKept(kept, member.at)) Object.assign(member.at, kept);
  }
  to.followPorts();
  for (const member of members.values()) to.adopt(member);
}

/** Whether the values are of the kinds that this version has. */
function isKept(kept: Record<string, unknown>, like: TreePort): kept is Kept & Record<string, unknown> {
  return KEPT.every((key) => alike(kept[key], like[key])) && Object.keys(kept).length === KEPT.length;
}

function alike(value: unknown, like: unknown): boolean {
  if (typeof like !== 'object' || like === null) return typeof value === typeof like;
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(like).every(([key, one]) => alike((value as Record<string, unknown>)[key], one));
}
