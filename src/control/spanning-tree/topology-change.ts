/**
 * Topology changes: the machine of IEEE 802.1D-2004 17.31. A port that begins to forward tells the tree, and ports that are told forget
 * what they have learned.
 */
import type { TreeBridge, TreeEffects, TreePort } from './state.js';

const SECOND = 1000;

/** One step of the machine. @returns whether anything has changed */
export function stepTopologyChange(bridge: TreeBridge, port: TreePort, effects: TreeEffects): boolean {
  switch (port.tcState) {
    case 'inactive':
      if (!port.learn) return false;
      port.tcState = 'learning';
      return clearTold(port);
    case 'learning':
      return stepLearning(bridge, port, effects);
    case 'active':
      return stepActive(bridge, port, effects);
  }
}

function isInTree({ role }: TreePort): boolean {
  return role === 'root' || role === 'designated';
}

function isTold({ rcvdTc, rcvdTcn, rcvdTcAck, tcProp }: TreePort): boolean {
  return rcvdTc || rcvdTcn || rcvdTcAck || tcProp;
}

function clearTold(port: TreePort): true {
  port.rcvdTc = port.rcvdTcn = port.rcvdTcAck = port.tcProp = false;
  return true;
}

function stepLearning(bridge: TreeBridge, port: TreePort, effects: TreeEffects): boolean {
  if (isInTree(port) && port.forward && !port.operEdge) {
    begin(bridge, port, effects);
    tellOthers(bridge, port);
    port.newInfo = true;
    port.tcState = 'active';
    return true;
  }
  if (isTold(port)) return clearTold(port);
  if (isInTree(port) || port.learn || port.learning) return false;
  flush(bridge, port, effects);
  port.tcWhile = 0;
  port.tcAck = false;
  port.tcState = 'inactive';
  return true;
}

function stepActive(bridge: TreeBridge, port: TreePort, effects: TreeEffects): boolean {
  if (!isInTree(port) || port.operEdge) {
    port.tcState = 'learning';
    return clearTold(port);
  }
  if (port.rcvdTcn || port.rcvdTc) {
    if (port.rcvdTcn) begin(bridge, port, effects);
    port.rcvdTcn = port.rcvdTc = false;
    if (port.role === 'designated') port.tcAck = true;
    tellOthers(bridge, port);
    return true;
  }
  if (port.tcProp) {
    begin(bridge, port, effects);
    flush(bridge, port, effects);
    port.tcProp = false;
    return true;
  }
  if (!port.rcvdTcAck) return false;
  port.tcWhile = 0;
  port.rcvdTcAck = false;
  return true;
}

/** newTcWhile (17.21.7). */
function begin(bridge: TreeBridge, port: TreePort, effects: TreeEffects): void {
  if (port.tcWhile !== 0) return;
  const { maxAge, forwardDelay } = bridge.rootTimes;
  port.tcWhile = port.sendRstp ? port.designatedTimes.helloTime + SECOND : maxAge + forwardDelay;
  port.newInfo = true;
  effects.changed(port);
}

/** setTcPropTree (17.21.18). */
function tellOthers({ ports }: TreeBridge, port: TreePort): void {
  for (const other of ports) if (other !== port) other.tcProp = true;
}

function flush({ isRapid }: TreeBridge, port: TreePort, effects: TreeEffects): void {
  effects.flush(port, !isRapid);
}
