/**
 * Transmit commands: room for the next one, handing them to the PacketIo, and counting their outcomes.
 */
import {
  KIND_UDP,
  OFFLOAD_MISFIT,
  STATUS_SENDING,
  TX_COOKIE,
  TX_COOKIE2,
  TX_COOKIE3,
  TX_KIND,
  TX_LENGTH,
  TX_REMOTE,
  TX_STATUS,
  TX_STRIDE,
  TX_TAG,
} from '../../port/packet-io.js';
import type { Context } from '../state/context.js';
import { dropOut } from '../state/drop.js';
import { REASON } from '../state/drop-reasons.js';
import { observeSent } from '../state/observe.js';
import { mirrorSent } from './mirror-notes.js';
import { tagGrowth } from './tag.js';

const ENOENT = 2;
const EIO = 5;
const EBADF = 9;
const EAGAIN = 11;
const ENOMEM = 12;
const ENODEV = 19;
const EPIPE = 32;
const EBADFD = 77;
const EMSGSIZE = 90;
const ENETDOWN = 100;
const ECONNRESET = 104;
const ENOBUFS = 105;
const ECONNREFUSED = 111;

/** Word of the next free command in `tx`; when all are used, they are transmitted first. */
export function nextCommand(sw: Context): number {
  if ((sw.commands + 1) * TX_STRIDE > sw.tx.length) transmitCommands(sw, true);
  return sw.commands++ * TX_STRIDE;
}

/** TX_COOKIE2: the counters of the VNI (0-65535) and of the VLAN membership (0: none) for which a sent copy counts. */
export function packCounters(vniCounter: number, vlanCounter: number): number {
  return (vlanCounter << 16) | vniCounter;
}

/** Hands the commands to the PacketIo and counts each outcome. @param more commands of this batch follow */
export function transmitCommands(sw: Context, more = false): void {
  const count = sw.commands;
  if (count === 0) return;
  if (sw.mirrors.list.length > 0) mirrorSent(sw);
  sw.io.transmit(count, more);
  const took = sw.io.status[STATUS_SENDING];
  const sends = sw.flooding.settle(count);
  if (took !== 0) sw.floodBudget.measure(took, sends);
  const end = count * TX_STRIDE;
  for (let at = 0; at < end; ) at = sw.tx[at + TX_STATUS] === 0 ? countSent(sw, at, end) : countFailed(sw, at);
  if (sw.observer !== null) observeSent(sw, sw.observer, count);
  if (sw.sampler !== null) observeSent(sw, sw.sampler, count);
  sw.commands = 0;
  sw.mirrors.looked = 0;
}

/** Counts the commands from `at` on that were sent and have the counters of the first. @returns the first of the others */
function countSent({ counters, tx }: Context, at: number, end: number): number {
  const port = tx[at + TX_COOKIE];
  const counted = tx[at + TX_COOKIE2];
  const remote = tx[at + TX_REMOTE];
  let bytes = 0;
  let next = at;
  do {
    bytes += tx[next + TX_LENGTH] + tagGrowth(tx[next + TX_TAG]);
    next += TX_STRIDE;
  } while (
    next < end &&
    tx[next + TX_STATUS] === 0 &&
    tx[next + TX_COOKIE] === port &&
    tx[next + TX_COOKIE2] === counted &&
    tx[next + TX_REMOTE] === remote
  );
  const frames = (next - at) / TX_STRIDE;
  counters.transmitted(port, bytes, frames);
  if (tx[at + TX_KIND] === KIND_UDP) counters.transmittedTo(remote, counted & 0xffff, bytes, frames);
  if (counted >>> 16 !== 0) counters.transmittedIn(counted >>> 16, bytes, frames);
  return next;
}

/** Counts the failed command at `at`. @returns the next one */
function countFailed(sw: Context, at: number): number {
  const { tx } = sw;
  const status = tx[at + TX_STATUS];
  const remote = tx[at + TX_KIND] === KIND_UDP ? tx[at + TX_REMOTE] : 0;
  dropOut(sw, tx[at + TX_COOKIE3], tx[at + TX_COOKIE], reasonOf(status), remote);
  if (status === EMSGSIZE && remote !== 0) sw.tooBig.refusedTo = remote;
  return at + TX_STRIDE;
}

/** The drop reason for an errno of the PacketIo. */
function reasonOf(errno: number): number {
  switch (errno) {
    case OFFLOAD_MISFIT:
      return REASON.offload_invalid;
    case EMSGSIZE:
      return REASON.mtu_exceeded;
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      return REASON.tx_backpressure;
    case EIO: // a TAP whose NIC is set down
    case EBADF:
    case EBADFD:
    case ENODEV:
    case ENETDOWN:
    // The far side of a socket is not there.
    case ENOENT:
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
      return REASON.port_down;
    default:
      return REASON.tx_error;
  }
}
