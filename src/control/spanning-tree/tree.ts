/**
 * One bridge in a spanning tree: what happens to it, and what its machines make of that. A state machine with an injected clock, without
 * I/O: frames are BPDUs, and what it does to the switch are calls of `TreeEffects`.
 *
 * Sources: IEEE 802.1D-2004 clause 17 (RSTP), with a Force Protocol Version for bridges that are to speak STP only.
 */
import type { Bpdu, BpduTimes } from '../../wire/bpdu.js';
import { stepInformation } from './information.js';
import { isOwn, stepDetection, stepMigration, stepTransmit } from './protocol.js';
import { stepRole, stepState } from './roles.js';
import { stepSelection } from './selection.js';
import { edgeDelay, type TreeBridge, type TreeEffects, type TreePort } from './state.js';
import { stepTopologyChange } from './topology-change.js';

const SECOND = 1000;
/** Rounds after which the machines must be at rest. Each of them takes a few steps for one event. */
const MOST_ROUNDS = 200;

const TIMERS = [
  'edgeDelayWhile',
  'mdelayWhile',
  'rcvdInfoWhile',
  'fdWhile',
  'flapWhile',
  'rrWhile',
  'rbWhile',
  'tcWhile',
  'helloWhen',
] as const;

/**
 * Lets the timers run.
 * @returns whether one has run out, or a BPDU that waited may be sent: `settle` is due then
 */
export function passTime({ ports }: TreeBridge, ms: number): boolean {
  let isDue = false;
  for (const port of ports) {
    for (const timer of TIMERS) {
      if (port[timer] === 0 || isHeld(port, timer)) continue;
      port[timer] = Math.max(0, port[timer] - ms);
      if (port[timer] !== 0) continue;
      isDue = true;
      // What was proposed meanwhile is proposed again, for an agreement that counts.
      if (timer === 'flapWhile' && !port.forward) port.proposing = false;
    }
    if (port.txCount !== 0) port.txCount = Math.max(0, port.txCount - ms / SECOND);
    if (port.newInfo) isDue = true;
  }
  return isDue;
}

/** Timers that the machines would set again at once. */
function isHeld({ role, enabled }: TreePort, timer: (typeof TIMERS)[number]): boolean {
  if (!enabled) return timer !== 'rcvdInfoWhile';
  if (timer === 'rrWhile') return role === 'root';
  if (timer === 'rbWhile') return role === 'backup';
  return timer === 'fdWhile' && role !== 'root' && role !== 'designated';
}

/** A port has received a BPDU. `settle` follows; before it several may come, also to one port. */
export function receive(bridge: TreeBridge, port: TreePort, bpdu: Bpdu, effects: TreeEffects): boolean {
  if (!port.enabled || !isValid(port, bpdu)) return false;
  if (port.msg !== null || port.updtInfo || port.infoIs === 'aged' || port.infoIs === 'disabled')
    settle(bridge, effects);
  if (bpdu.kind === 'rst') port.rcvdRstp = bridge.isRapid;
  else port.rcvdStp = true;
  port.operEdge = false;
  port.edgeDelayWhile = edgeDelay(port);
  port.msg = bpdu.kind === 'tcn' ? bpdu : { ...bpdu, times: bounded(bpdu.times) };
  stepInformation(bridge, port);
  return true;
}

const within = (least: number, most: number, value: number): number => Math.max(least, Math.min(most, value));

/**
 * The times of a root, within those that bridges may be set to (802.1D-2004 table 17-1 and 802.1D-1998 table 8-3; the kernel's least
 * forward delay). A neighbour that says others is wrong or hostile: information would live for three times its hello time, up to 54
 * hours, and without a forward delay nothing would be learned for as long as its topology changes.
 */
function bounded({ messageAge, maxAge, helloTime, forwardDelay }: BpduTimes): BpduTimes {
  return {
    messageAge,
    maxAge: within(6 * SECOND, 40 * SECOND, maxAge),
    helloTime: within(SECOND, 10 * SECOND, helloTime),
    forwardDelay: within(2 * SECOND, 30 * SECOND, forwardDelay),
  };
}

/** Validation of 802.1D-2004 9.3.4. */
function isValid(port: TreePort, bpdu: Bpdu): boolean {
  if (bpdu.kind === 'tcn') return true;
  if (isOwn(port, bpdu)) return false;
  return bpdu.kind === 'rst' || bpdu.times.messageAge < bpdu.times.maxAge;
}

/**
 * Lets the machines run until they are at rest, and sends what is due.
 * @throws Error when they do not come to rest, which is a fault of this program
 */
export function settle(bridge: TreeBridge, effects: TreeEffects): void {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    let isMoving = false;
    for (const port of bridge.ports) isMoving = stepPort(bridge, port, effects) || isMoving;
    isMoving = stepSelection(bridge) || isMoving;
    if (!isMoving) {
      for (const port of bridge.ports) stepTransmit(port, effects);
      return;
    }
  }
  throw new Error(`the spanning tree of bridge ${bridge.id} does not come to rest`);
}

function stepPort(bridge: TreeBridge, port: TreePort, effects: TreeEffects): boolean {
  const isMoving = [
    stepMigration(bridge, port),
    stepDetection(port),
    stepInformation(bridge, port),
    stepRole(bridge, port),
    stepState(port, effects),
    stepTopologyChange(bridge, port, effects),
  ];
  return isMoving.includes(true);
}

/** A port is no more. */
export function removePort(bridge: TreeBridge, port: TreePort): void {
  bridge.ports = bridge.ports.filter((other) => other !== port);
  for (const other of bridge.ports) {
    other.reselect = true;
    other.selected = false;
  }
}

/** Settings of the bridge have changed (17.13): roles are selected anew. */
export function reselect({ ports }: TreeBridge): void {
  for (const port of ports) {
    port.reselect = true;
    port.selected = false;
  }
}
