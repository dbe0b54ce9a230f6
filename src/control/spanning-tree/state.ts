/**
 * The variables of one bridge in a spanning tree and of its ports, by the names of IEEE 802.1D-2004 clauses 17.18 and 17.19. Timers are
 * milliseconds that are left, times are milliseconds. Plain data; the machines beside this file change it.
 */
import type { Bpdu, BpduTimes } from '../../wire/bpdu.js';
import { BEST_VECTOR, type Vector } from './vector.js';

export type Role = 'disabled' | 'root' | 'designated' | 'alternate' | 'backup';

/** What a port does with frames of others. */
export type Forwarding = 'discarding' | 'learning' | 'forwarding';

/** Milliseconds that a port listens to what its neighbours speak, before it changes its own protocol (Migrate Time). */
export const MIGRATE_MS = 3000;
/**
 * Milliseconds for which a port that was designated, is so again, and was not in between, takes no agreement. Where old news of a lost root
 * goes round, the two ends of a LAN may change their minds at the same time, and each would get the other's agreement to what it
 * said before. Longer than a BPDU is held back (a second), and the way there and back.
 */
export const FLAP_MS = 1500;
/** BPDUs that a port sends at once; one more a second later (Transmit Hold Count). */
export const TX_HOLD_COUNT = 6;

/** What a port is told to be. */
export interface PortSettings {
  /** The device is there and up, so frames may come and go (portEnabled). */
  enabled: boolean;
  cost: number;
  /** Port identifier: 6 bits of priority, 10 of number, as the kernel has it. */
  id: number;
  /** `on`: an edge port from the beginning (AdminEdge). `auto`: once no BPDU was heard (AutoEdge). */
  edge: 'auto' | 'on' | 'off';
  /** At most one other bridge is behind it (operPointToPointMAC). */
  pointToPoint: boolean;
  /** It never becomes the root port (restrictedRole). */
  rootBlock: boolean;
}

export interface TreePort extends PortSettings {
  // Port receive, migration, bridge detection.
  edgeDelayWhile: number;
  operEdge: boolean;
  mdelayWhile: number;
  /** Sends BPDUs of RSTP, not of STP. */
  sendRstp: boolean;
  rcvdRstp: boolean;
  rcvdStp: boolean;
  /** Migration: whether it listens to what the neighbours speak. */
  isSensing: boolean;
  // Port information.
  infoIs: 'disabled' | 'aged' | 'mine' | 'received';
  /** The BPDU that waits (rcvdMsg). */
  msg: Bpdu | null;
  portPriority: Vector;
  portTimes: BpduTimes;
  designatedPriority: Vector;
  designatedTimes: BpduTimes;
  rcvdInfoWhile: number;
  proposing: boolean;
  proposed: boolean;
  agree: boolean;
  agreed: boolean;
  disputed: boolean;
  reselect: boolean;
  selected: boolean;
  updtInfo: boolean;
  // Roles and states.
  selectedRole: Role;
  role: Role;
  learn: boolean;
  learning: boolean;
  forward: boolean;
  forwarding: boolean;
  sync: boolean;
  synced: boolean;
  reRoot: boolean;
  fdWhile: number;
  /** Since the port was designated last: agreements to what it was then may still be on their way (FLAP_MS). Not of the standard. */
  flapWhile: number;
  rrWhile: number;
  rbWhile: number;
  // Topology changes.
  tcState: 'inactive' | 'learning' | 'active';
  tcWhile: number;
  tcProp: boolean;
  tcAck: boolean;
  rcvdTc: boolean;
  rcvdTcn: boolean;
  rcvdTcAck: boolean;
  // Port transmit.
  newInfo: boolean;
  helloWhen: number;
  /** BPDUs of late; falls by one a second. */
  txCount: number;
}

export interface TreeBridge {
  /** 16 hexadecimal digits, priority first. */
  id: string;
  /** BridgeTimes: message age 0. */
  times: BpduTimes;
  /** False: STP of 802.1D-1998 only (Force Protocol Version 0). */
  isRapid: boolean;
  rootPriority: Vector;
  rootTimes: BpduTimes;
  /** Identifier of the root port; 0: the bridge is the root. */
  rootPortId: number;
  ports: TreePort[];
}

/** What the machines do to the switch. */
export interface TreeEffects {
  send(port: TreePort, bpdu: Bpdu): void;
  /** Learned entries of the port are to go (fdbFlush). @param isSlow by a short ageing time: the tree is one of STP */
  flush(port: TreePort, isSlow: boolean): void;
  state(port: TreePort, state: Forwarding): void;
  /** A topology change begins or is told; for those who watch. */
  changed(port: TreePort): void;
}

export function createBridge(id: string, times: Omit<BpduTimes, 'messageAge'>, isRapid: boolean): TreeBridge {
  const own = { ...times, messageAge: 0 };
  return { id, times: own, isRapid, rootPriority: ownVector(id), rootTimes: own, rootPortId: 0, ports: [] };
}

/** The vector of a bridge that believes to be the root. */
export function ownVector(id: string): Vector {
  return { root: id, cost: 0, bridge: id, port: 0 };
}

/** Adds a port; the machines are where they are after BEGIN. */
export function addPort(bridge: TreeBridge, settings: PortSettings): TreePort {
  const port: TreePort = {
    ...settings,
    edgeDelayWhile: MIGRATE_MS,
    operEdge: settings.edge === 'on',
    mdelayWhile: MIGRATE_MS,
    sendRstp: bridge.isRapid,
    rcvdRstp: false,
    rcvdStp: false,
    isSensing: false,
    infoIs: 'disabled',
    msg: null,
    portPriority: BEST_VECTOR,
    portTimes: bridge.rootTimes,
    designatedPriority: BEST_VECTOR,
    designatedTimes: bridge.rootTimes,
    rcvdInfoWhile: 0,
    proposing: false,
    proposed: false,
    agree: false,
    agreed: false,
    disputed: false,
    reselect: true,
    selected: false,
    updtInfo: false,
    selectedRole: 'disabled',
    role: 'disabled',
    learn: false,
    learning: false,
    forward: false,
    forwarding: false,
    sync: false,
    synced: true,
    reRoot: false,
    fdWhile: bridge.rootTimes.maxAge,
    flapWhile: 0,
    rrWhile: 0,
    rbWhile: 0,
    tcState: 'inactive',
    tcWhile: 0,
    tcProp: false,
    tcAck: false,
    rcvdTc: false,
    rcvdTcn: false,
    rcvdTcAck: false,
    newInfo: true,
    helloWhen: bridge.times.helloTime,
    txCount: 0,
  };
  bridge.ports.push(port);
  return port;
}

/**
 * Time to the next state of a port whose neighbour does not agree (forwardDelay, 17.20.6). On a LAN of several bridges it is that of STP:
 * there nobody agrees, and a hello time is too short for old news of a lost root to end.
 */
export function forwardDelay({ pointToPoint, sendRstp, designatedTimes }: TreePort): number {
  return sendRstp && pointToPoint ? designatedTimes.helloTime : designatedTimes.forwardDelay;
}

/**
 * Time without a BPDU after which nobody but end stations is behind a port (EdgeDelay, 17.20.4). 802.1D-2004 takes the short one after each
 * BPDU, also on a LAN of several bridges, where one of them may be silent for longer.
 */
export function edgeDelay({ pointToPoint, designatedTimes }: TreePort): number {
  return pointToPoint ? MIGRATE_MS : designatedTimes.maxAge;
}
