/**
 * Which protocol a port speaks, whether a bridge is behind it, and when it speaks: the machines Port Receive, Port Protocol Migration,
 * Bridge Detection and Port Transmit (IEEE 802.1D-2004 17.23 to 17.26).
 */
import type { ConfigBpdu } from '../../wire/bpdu.js';
import { MIGRATE_MS, type TreeBridge, type TreeEffects, type TreePort, TX_HOLD_COUNT } from './state.js';
import { compareVectors } from './vector.js';

/** One step of Port Protocol Migration. @returns whether anything has changed */
export function stepMigration({ isRapid }: TreeBridge, port: TreePort): boolean {
  if (!port.enabled) {
    port.mdelayWhile = MIGRATE_MS;
    port.isSensing = port.rcvdRstp = port.rcvdStp = false;
    if (port.sendRstp === isRapid) return false;
    port.sendRstp = isRapid;
    return true;
  }
  if (!port.isSensing) {
    if (port.mdelayWhile !== 0) return false;
    port.isSensing = true;
    port.rcvdRstp = port.rcvdStp = false;
    return true;
  }
  if (port.sendRstp && port.rcvdStp) return speak(port, false);
  return isRapid && !port.sendRstp && port.rcvdRstp && speak(port, true);
}

function speak(port: TreePort, sendRstp: boolean): true {
  port.sendRstp = sendRstp;
  port.mdelayWhile = MIGRATE_MS;
  port.isSensing = port.rcvdRstp = port.rcvdStp = false;
  return true;
}

/** One step of Bridge Detection. */
export function stepDetection(port: TreePort): boolean {
  if (!port.enabled) {
    port.edgeDelayWhile = MIGRATE_MS;
    const isEdge = port.edge === 'on';
    if (port.operEdge === isEdge) return false;
    port.operEdge = isEdge;
    return true;
  }
  const isAlone = port.edge !== 'off' && port.edgeDelayWhile === 0 && port.sendRstp && port.proposing;
  if (port.operEdge || !isAlone) return false;
  port.operEdge = true;
  return true;
}

/** Sends what is due; at most one BPDU. @returns whether anything has changed */
export function stepTransmit(port: TreePort, effects: TreeEffects): boolean {
  if (!port.enabled || !port.selected || port.updtInfo) return false;
  if (port.helloWhen === 0) {
    port.helloWhen = port.designatedTimes.helloTime;
    port.newInfo = port.newInfo || port.role === 'designated' || (port.role === 'root' && port.tcWhile !== 0);
  }
  if (!port.newInfo || port.txCount > TX_HOLD_COUNT - 1) return false;
  if (port.sendRstp) {
    if (port.role === 'disabled') return false;
    effects.send(port, rapid(port));
    port.tcAck = false;
  } else if (port.role === 'designated') {
    effects.send(port, config(port));
    port.tcAck = false;
  } else if (port.role === 'root') {
    if (port.tcWhile !== 0) effects.send(port, { kind: 'tcn' });
    else {
      port.newInfo = false;
      return false;
    }
  } else return false;
  port.newInfo = false;
  port.txCount += 1;
  port.helloWhen = port.designatedTimes.helloTime;
  return true;
}

/** txRstp (17.21.20). */
function rapid(port: TreePort): ConfigBpdu {
  const { role, proposing, agree, tcWhile, learning, forwarding } = port;
  return {
    ...common(port),
    kind: 'rst',
    topologyChange: tcWhile !== 0,
    // Never set in an RST BPDU.
    topologyChangeAck: false,
    role: role === 'root' ? 'root' : role === 'designated' ? 'designated' : 'alternate',
    proposal: role === 'designated' && proposing,
    // That of a designated port, which the standard lets through, says nothing to anybody.
    agreement: role !== 'designated' && agree,
    learning,
    forwarding,
  };
}

/** txConfig (17.21.19). */
function config(port: TreePort): ConfigBpdu {
  return {
    ...common(port),
    kind: 'config',
    topologyChange: port.tcWhile !== 0,
    topologyChangeAck: port.tcAck,
    role: 'designated',
    proposal: false,
    agreement: false,
    learning: false,
    forwarding: false,
  };
}

function common({ designatedPriority, designatedTimes }: TreePort) {
  const { root, cost, bridge, port } = designatedPriority;
  return { root, cost, bridge, port, times: designatedTimes };
}

/** Whether a BPDU is the port's own, which has come back (9.3.4). */
export function isOwn({ designatedPriority }: TreePort, { root, cost, bridge, port }: ConfigBpdu): boolean {
  return (
    bridge === designatedPriority.bridge &&
    port === designatedPriority.port &&
    compareVectors({ root, cost, bridge, port }, designatedPriority) === 0
  );
}
