/**
 * A port of the switch as a member of a spanning tree: its settings from the configuration, and what of it is of this switch only.
 */
import type { Bpdu } from '../../wire/bpdu.js';
import { encodeBpdu } from '../../wire/bpdu.js';
import { isHostPort, isTunnel, type Port, type SwitchModel } from '../model/model.js';
import { isUp, kindOf } from '../ports/registry.js';
import type { OwnFrame } from '../../dataplane/send.js';
import type { PortSettings, TreePort } from './state.js';
import { addressOf } from './vector.js';

/** Path costs of ports that give none: the kernel's for 10 Gbit/s, and for a device without a speed (`port_cost`, net/bridge/br_if.c). */
const LOCAL_COST = 2;
const TUNNEL_COST = 100;
/** The kernel has 10 bits for the number of a port, 6 for its priority. */
const NUMBER_BITS = 10;
export const MOST_MEMBERS = (1 << NUMBER_BITS) - 1;

/** BPDUs that a port may bring at once, and for each further second: far more than bridges send. */
const BURST = 40;
const PER_SECOND = 20;

export interface Member {
  port: Port;
  at: TreePort;
  number: number;
  /** A BPDU has closed the port (`bpdu_guard`). */
  isGuarded: boolean;
  /** BPDUs that it may bring. */
  allowance: number;
  /** Its learned entries are to go. */
  isToFlush: boolean;
  /** BPDUs, as the kernel's counters of a port: `skipped` are those beyond the limit, and no valid ones. */
  counts: { rx: number; tx: number; skipped: number; changes: number };
}

/** Whether a port takes part in the tree of its bridge. */
export function takesPart(port: Port): boolean {
  const { bridge, config } = port;
  if (bridge === null || !bridge.config.stp_state || bridge.config.xconnect) return false;
  if (!config.stp || config.mirror !== 'off' || isHostPort(port) || port.kind === 'tun' || port.kind === 'gateway')
    return false;
  return !(isTunnel(port) && port.config.vlan_tunnel);
}

/** Whether frames may come and go. */
export function isUsable(port: Port, { lost }: SwitchModel): boolean {
  return isUp(port) && !lost.has(port.index) && kindOf(port).isDark?.(port) !== true;
}

/** @param number of the port in its bridge, from 1 */
export function settingsOf(port: Port, number: number, enabled: boolean): PortSettings {
  const { config } = port;
  const isLocal = !isTunnel(port);
  return {
    enabled,
    cost: config.cost ?? (isLocal ? LOCAL_COST : TUNNEL_COST),
    id: (config.priority << NUMBER_BITS) | number,
    edge: config.edge,
    pointToPoint: config.point_to_point === 'auto' ? isLocal : config.point_to_point === 'on',
    rootBlock: config.root_block,
  };
}

export function createMember(port: Port, at: TreePort, number: number): Member {
  const counts = { rx: 0, tx: 0, skipped: 0, changes: 0 };
  return { port, at, number, isGuarded: false, allowance: BURST, isToFlush: false, counts };
}

/** Lets time pass for the limit of BPDUs. */
export function refill(member: Member, ms: number): void {
  member.allowance = Math.min(BURST, member.allowance + (ms * PER_SECOND) / 1000);
}

/** @returns whether one more BPDU of the port is looked at */
export function admit(member: Member): boolean {
  if (member.allowance < 1) {
    member.counts.skipped++;
    return false;
  }
  member.allowance--;
  member.counts.rx++;
  return true;
}

/** The frame of a BPDU. @param bridge identifier of the bridge, whose MAC is the source */
export function frameOf(member: Member, bridge: string, bpdu: Bpdu): OwnFrame {
  member.counts.tx++;
  return { port: member.port.index, vid: 0, untagged: true, bytes: encodeBpdu(bpdu, addressOf(bridge)) };
}
