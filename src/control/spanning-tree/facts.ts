/**
 * What listings and log say of trees and their ports, in the words of iproute2 (`ip -d link`). Pure.
 */
import type { Member } from './member.js';
import type { Role } from './state.js';
import type { SwitchTree } from './switch-tree.js';

/** The kernel's state of a port. `blocking`: it is closed by the tree; `listening`: it is about to open. */
export type PortTreeState = 'disabled' | 'blocking' | 'listening' | 'learning' | 'forwarding';

export interface PortTreeFacts {
  state: PortTreeState;
  role: Role;
}

/** The state of a port in its tree. */
export const stateOfTree = ({ at }: Member): PortTreeState => stateOf(at);

export function portFacts({ at }: Member): PortTreeFacts {
  return { state: stateOf(at), role: at.role };
}

function stateOf({ enabled, forwarding, learning, role }: Member['at']): PortTreeState {
  if (!enabled) return 'disabled';
  if (forwarding) return 'forwarding';
  if (learning) return 'learning';
  return role === 'root' || role === 'designated' ? 'listening' : 'blocking';
}

/** The form of the kernel: `8000.020000000a01`. */
function identifier(id: string): string {
  const bytes = id.slice(4).match(/../g) ?? [];
  return `${id.slice(0, 4)}.${bytes.join(':')}`;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** Facts for the listing of a port. @param details all of them */
export function portRow(member: Member, details: boolean): Record<string, unknown> {
  const { at, counts, isGuarded, number } = member;
  const facts = { ...portFacts(member), ...(isGuarded ? { closed_by: 'bpdu_guard' } : {}) };
  if (!details) return facts;
  const { bridge, cost, port, root } = at.portPriority;
  return {
    ...facts,
    cost: at.cost,
    port_no: hex(number),
    port_id: hex(at.id),
    root_id: identifier(root),
    designated_bridge: identifier(bridge),
    designated_port: port,
    designated_cost: cost,
    oper_edge: at.operEdge,
    protocol: at.sendRstp ? 'rstp' : 'stp',
    rx_bpdu: counts.rx,
    tx_bpdu: counts.tx,
    bpdu_skipped: counts.skipped,
  };
}

/** Facts for the listing of a bridge. @param details all of them */
export function bridgeRow(tree: SwitchTree, details: boolean): Record<string, unknown> {
  const { id, ports, rootPortId, rootPriority, rootTimes } = tree.tree;
  const root = [...tree.members.values()].find(({ at }) => at.id === rootPortId);
  const facts = {
    bridge_id: identifier(id),
    root_id: identifier(rootPriority.root),
    root_port: root?.port.name ?? 'none',
    root_path_cost: rootPriority.cost,
    topology_changes: tree.changes,
  };
  if (!details) return facts;
  const { sinceChange } = tree;
  return {
    ...facts,
    topology_change: ports.some(({ tcWhile }) => tcWhile !== 0),
    ...(sinceChange === null ? {} : { since_topology_change: sinceChange }),
    root_hello_time: rootTimes.helloTime / 10,
    root_max_age: rootTimes.maxAge / 10,
    root_forward_delay: rootTimes.forwardDelay / 10,
  };
}
