/**
 * Which role each port plays: the machine Port Role Selection (IEEE 802.1D-2004 17.28), and updtRolesTree (17.21.25).
 */
import { ownVector, type TreeBridge, type TreePort } from './state.js';
import { addressOf, compareVectors, sameTimes, type Vector } from './vector.js';

const SECOND = 1000;
const MOST_COST = 0xffff_ffff;

/** Selects roles, where a port asks for it. @returns whether one did */
export function stepSelection(bridge: TreeBridge): boolean {
  if (!bridge.ports.some(({ reselect }) => reselect)) return false;
  for (const port of bridge.ports) port.reselect = false;
  selectRoot(bridge);
  const root = bridge.ports.find(({ id }) => id === bridge.rootPortId);
  const times = { ...bridge.rootTimes, helloTime: bridge.times.helloTime };
  const { root: rootId, cost } = bridge.rootPriority;
  for (const port of bridge.ports) {
    port.designatedPriority = { root: rootId, cost, bridge: bridge.id, port: port.id };
    port.designatedTimes = times;
    selectRole(bridge, port, port === root);
    port.selected = true;
  }
  return true;
}

function selectRoot(bridge: TreeBridge): void {
  let best: TreePort | null = null;
  let vector: Vector = ownVector(bridge.id);
  for (const port of bridge.ports) {
    if (port.infoIs !== 'received' || port.rootBlock) continue;
    if (addressOf(port.portPriority.bridge) === addressOf(bridge.id)) continue;
    // A field of 32 bits: a sum beyond it would be sent as a small one.
    const path = { ...port.portPriority, cost: Math.min(MOST_COST, port.portPriority.cost + port.cost) };
    const order = compareVectors(path, vector);
    if (order < 0 || (order === 0 && best !== null && port.id < best.id)) [best, vector] = [port, path];
  }
  bridge.rootPriority = vector;
  bridge.rootPortId = best === null ? 0 : best.id;
  bridge.rootTimes =
    best === null ? bridge.times : { ...best.portTimes, messageAge: nextAge(best.portTimes.messageAge) };
}

/** A second more, in whole seconds. */
function nextAge(messageAge: number): number {
  return Math.round((messageAge + SECOND) / SECOND) * SECOND;
}

function selectRole(bridge: TreeBridge, port: TreePort, isRoot: boolean): void {
  port.updtInfo = false;
  const isBetter = compareVectors(port.designatedPriority, port.portPriority) < 0;
  switch (port.infoIs) {
    case 'disabled':
      port.selectedRole = 'disabled';
      return;
    case 'aged':
      port.selectedRole = 'designated';
      port.updtInfo = true;
      return;
    case 'mine':
      port.selectedRole = 'designated';
      port.updtInfo =
        compareVectors(port.designatedPriority, port.portPriority) !== 0 ||
        !sameTimes(port.designatedTimes, port.portTimes);
      return;
    case 'received':
      if (isRoot) port.selectedRole = 'root';
      else if (isBetter) {
        port.selectedRole = 'designated';
        port.updtInfo = true;
      } else {
        const isOwn = addressOf(port.portPriority.bridge) === addressOf(bridge.id);
        port.selectedRole = isOwn ? 'backup' : 'alternate';
      }
  }
}
