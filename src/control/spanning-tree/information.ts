/**
 * What a port knows of its LAN: the machine Port Information (IEEE 802.1D-2004 17.27), and the procedures of 17.21 that it calls.
 */
import type { Bpdu, ConfigBpdu } from '../../wire/bpdu.js';
import type { TreeBridge, TreePort } from './state.js';
import { compareVectors, isOfOnePort, sameTimes, type Vector } from './vector.js';

const SECOND = 1000;

/** One step of the machine. @returns whether anything has changed */
export function stepInformation(bridge: TreeBridge, port: TreePort): boolean {
  if (!port.enabled) return disable(port);
  switch (port.infoIs) {
    case 'disabled':
      return age(port);
    case 'aged':
      return port.selected && port.updtInfo && update(port);
    default:
      if (port.selected && port.updtInfo) return update(port);
      if (port.infoIs === 'received' && port.rcvdInfoWhile === 0 && !port.updtInfo && port.msg === null)
        return age(port);
      return port.msg !== null && !port.updtInfo && take(bridge, port, port.msg);
  }
}

function disable(port: TreePort): boolean {
  port.msg = null;
  if (port.infoIs === 'disabled') return false;
  port.proposing = port.proposed = port.agree = port.agreed = false;
  port.rcvdInfoWhile = port.flapWhile = 0;
  port.infoIs = 'disabled';
  return mustSelect(port);
}

function age(port: TreePort): true {
  port.infoIs = 'aged';
  return mustSelect(port);
}

function mustSelect(port: TreePort): true {
  port.reselect = true;
  port.selected = false;
  return true;
}

/** The port's information becomes the bridge's own. */
function update(port: TreePort): true {
  port.proposing = port.proposed = false;
  port.agreed = port.agreed && isBetterOrSame(port, 'mine', port.designatedPriority);
  port.synced = port.synced && port.agreed;
  port.portPriority = port.designatedPriority;
  port.portTimes = port.designatedTimes;
  port.updtInfo = false;
  port.infoIs = 'mine';
  port.newInfo = true;
  return true;
}

/** betterorsameInfo (17.21.1). */
function isBetterOrSame(port: TreePort, wanted: 'mine' | 'received', vector: Vector): boolean {
  return port.infoIs === wanted && compareVectors(vector, port.portPriority) <= 0;
}

/** @returns true */
function take(bridge: TreeBridge, port: TreePort, msg: Bpdu): true {
  port.msg = null;
  if (msg.kind === 'tcn') {
    port.rcvdTcn = true;
    return true;
  }
  const vector: Vector = { root: msg.root, cost: msg.cost, bridge: msg.bridge, port: msg.port };
  const order = compareVectors(vector, port.portPriority);
  // A role that is not known is that of a Configuration BPDU (9.2.9).
  const isDesignated = msg.role === 'designated' || msg.role === 'unknown';
  if (!isDesignated) {
    if (order < 0) return withdraw(port);
    recordAgreement(bridge, port, msg);
    setTcFlags(port, msg);
  } else if (order === 0 && sameTimes(msg.times, port.portTimes)) {
    recordProposal(port, msg);
    setTcFlags(port, msg);
    recordAgreement(bridge, port, msg);
    updateWhile(port);
  } else if (order <= 0 || isOfOnePort(vector, port.portPriority)) {
    takeSuperior(bridge, port, msg, vector);
  } else if (msg.kind === 'rst' && msg.learning) {
    // Both ends of a LAN are designated: the worse one does not hear this one (recordDispute).
    port.disputed = true;
    port.agreed = false;
  }
  return true;
}

/**
 * The other end has heard of a better root than this port announces, so it has not agreed to that. 802.1D-2004 passes over such a BPDU
 * (OtherInfo): then an agreement that came just before, with news that has changed since, would count for the better root too, and the
 * port would stay open while the root port moves. Such is the case where old news of a lost root goes round (count to infinity).
 */
function withdraw(port: TreePort): true {
  port.agreed = false;
  return true;
}

function takeSuperior(bridge: TreeBridge, port: TreePort, msg: ConfigBpdu, vector: Vector): void {
  port.agreed = port.proposing = false;
  recordProposal(port, msg);
  setTcFlags(port, msg);
  port.agree = port.agree && isBetterOrSame(port, 'received', vector);
  recordAgreement(bridge, port, msg);
  port.synced = port.synced && port.agreed;
  port.portPriority = vector;
  port.portTimes = msg.times;
  updateWhile(port);
  port.infoIs = 'received';
  mustSelect(port);
}

function recordProposal(port: TreePort, msg: ConfigBpdu): void {
  if (msg.role === 'designated' && msg.proposal) port.proposed = true;
}

/**
 * An agreement counts for the root that the port announces only, as in MSTP (IEEE 802.1Q-2005 13.26.9). 802.1D-2004 leaves this out: two
 * ports that have agreed to each other's former root would both forward.
 */
function recordAgreement({ isRapid }: TreeBridge, port: TreePort, msg: ConfigBpdu): void {
  const { cost, root } = port.portPriority;
  const isMeant = msg.agreement && msg.role !== 'designated' && msg.root === root;
  // A root port's way leads over this one, and costs more.
  const isOld = msg.role === 'root' && msg.cost <= cost;
  port.agreed = isRapid && port.pointToPoint && msg.kind === 'rst' && isMeant && !isOld && port.flapWhile === 0;
  if (port.agreed) port.proposing = false;
}

function setTcFlags(port: TreePort, msg: ConfigBpdu): void {
  if (msg.topologyChange) port.rcvdTc = true;
  if (msg.topologyChangeAck && msg.kind === 'config') port.rcvdTcAck = true;
}

/** updtRcvdInfoWhile (17.21.23). */
function updateWhile(port: TreePort): void {
  const { messageAge, maxAge, helloTime } = port.portTimes;
  const age = Math.round((messageAge + SECOND) / SECOND) * SECOND;
  port.rcvdInfoWhile = age <= maxAge ? 3 * helloTime : 0;
}
