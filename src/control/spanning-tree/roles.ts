/**
 * From the selected role of a port to its states: the machines Port Role Transition (IEEE 802.1D-2004 17.29) and Port State Transition
 * (17.30). Each step is one transition of the standard's diagrams.
 */
import { edgeDelay, FLAP_MS, forwardDelay, type TreeBridge, type TreeEffects, type TreePort } from './state.js';

/** One step of the machine Port Role Transition. @returns whether anything has changed */
export function stepRole(bridge: TreeBridge, port: TreePort): boolean {
  if (!port.selected || port.updtInfo) return false;
  if (port.role === 'designated' && !['designated', 'disabled'].includes(port.selectedRole)) port.flapWhile = FLAP_MS;
  switch (port.selectedRole) {
    case 'disabled':
      return stepDisabled(port);
    case 'root':
      return stepRoot(bridge, port);
    case 'designated':
      return stepDesignated(port);
    default:
      return stepAlternate(bridge, port);
  }
}

function stepDisabled(port: TreePort): boolean {
  if (port.role !== 'disabled') return close(port);
  if (port.learning || port.forwarding) return false;
  const { maxAge } = port.designatedTimes;
  if (port.fdWhile === maxAge && isAtRest(port)) return false;
  port.fdWhile = maxAge;
  return rest(port);
}

function close(port: TreePort): true {
  port.role = port.selectedRole;
  port.learn = port.forward = false;
  return true;
}

function isAtRest({ synced, sync, reRoot }: TreePort): boolean {
  return synced && !sync && !reRoot;
}

function rest(port: TreePort): true {
  port.synced = true;
  port.rrWhile = 0;
  port.sync = port.reRoot = false;
  return true;
}

function stepRoot(bridge: TreeBridge, port: TreePort): boolean {
  const delay = port.designatedTimes.forwardDelay;
  if (port.role !== 'root' || port.rrWhile !== delay) {
    port.role = 'root';
    port.rrWhile = delay;
    return true;
  }
  if (stepAgreement(bridge, port)) return true;
  if (port.reRoot && port.forward) {
    port.reRoot = false;
    return true;
  }
  if (!port.forward && !port.reRoot) {
    for (const other of bridge.ports) other.reRoot = true;
    return true;
  }
  const mayGoOn = port.fdWhile === 0 || (bridge.isRapid && port.rbWhile === 0 && isReRooted(bridge, port));
  return mayGoOn && goOn(port, () => undefined);
}

/** Learns, and after that forwards. */
function goOn(port: TreePort, forwards: () => void): boolean {
  if (!port.learn) {
    port.learn = true;
    port.fdWhile = forwardDelay(port);
    return true;
  }
  if (port.forward) return false;
  port.forward = true;
  port.fdWhile = 0;
  forwards();
  return true;
}

/** No port that was the root port of late forwards any more. */
function isReRooted({ ports }: TreeBridge, port: TreePort): boolean {
  return ports.every((other) => other === port || other.rrWhile === 0);
}

/** A proposal is answered once all other ports are in line with it. */
function stepAgreement(bridge: TreeBridge, port: TreePort): boolean {
  if (port.proposed && !port.agree) {
    for (const other of bridge.ports) other.sync = true;
    port.proposed = false;
    return true;
  }
  if ((port.proposed && port.agree) || (!port.agree && isAllSynced(bridge, port))) {
    port.proposed = false;
    if (port.role === 'root') port.sync = false;
    port.agree = true;
    port.newInfo = true;
    return true;
  }
  return false;
}

function isAllSynced({ ports }: TreeBridge, port: TreePort): boolean {
  return ports.every(
    (other) =>
      other === port ||
      (other.selected &&
        !other.updtInfo &&
        other.role === other.selectedRole &&
        (other.synced || other.role === 'root')),
  );
}

function stepDesignated(port: TreePort): boolean {
  const { agreed, disputed, forward, learn, learning, forwarding, operEdge, proposing, reRoot, rrWhile } = port;
  if (port.role !== 'designated') {
    port.role = 'designated';
    return true;
  }
  if (!forward && !agreed && !proposing && !operEdge) return propose(port);
  const isSynced = (!learning && !forwarding) || agreed || operEdge;
  if ((isSynced && !port.synced) || (port.sync && port.synced)) {
    port.rrWhile = 0;
    port.synced = true;
    port.sync = false;
    return true;
  }
  if (rrWhile === 0 && reRoot) {
    port.reRoot = false;
    return true;
  }
  const isToClose = (port.sync && !port.synced) || (reRoot && rrWhile !== 0) || disputed;
  if (isToClose && !operEdge && (learn || forward)) {
    port.learn = port.forward = port.disputed = false;
    port.fdWhile = forwardDelay(port);
    return true;
  }
  const mayGoOn = (port.fdWhile === 0 || agreed || operEdge) && (rrWhile === 0 || !reRoot) && !port.sync;
  return (
    mayGoOn &&
    goOn(port, () => {
      port.agreed = port.sendRstp;
    })
  );
}

function propose(port: TreePort): true {
  port.proposing = true;
  port.edgeDelayWhile = edgeDelay(port);
  port.newInfo = true;
  return true;
}

function stepAlternate(bridge: TreeBridge, port: TreePort): boolean {
  if (port.role !== port.selectedRole) return close(port);
  if (port.learning || port.forwarding) return false;
  if (stepAgreement(bridge, port)) return true;
  const twice = 2 * port.designatedTimes.helloTime;
  if (port.role === 'backup' && port.rbWhile !== twice) {
    port.rbWhile = twice;
    return true;
  }
  if (port.fdWhile === forwardDelay(port) && isAtRest(port)) return false;
  port.fdWhile = forwardDelay(port);
  return rest(port);
}

/** One step of the machine Port State Transition. */
export function stepState(port: TreePort, effects: TreeEffects): boolean {
  if (port.learning && !port.learn) {
    port.learning = port.forwarding = false;
    effects.state(port, 'discarding');
    return true;
  }
  if (port.forwarding && !port.forward) {
    // The standard goes to Discarding, and from there to Learning.
    port.learning = port.forwarding = false;
    effects.state(port, 'discarding');
    return true;
  }
  if (port.learn && !port.learning) {
    port.learning = true;
    effects.state(port, 'learning');
    return true;
  }
  if (!port.forward || port.forwarding) return false;
  port.forwarding = true;
  effects.state(port, 'forwarding');
  return true;
}
