/**
 * The transmit ring: room for the next command, execution of what is in it, and the accounts of each outcome.
 */
import {
  KIND_UDP,
  OFFLOAD_MISFIT,
  STATUS_SENDING,
  TAG_POP,
  TAG_PUSH,
  TX_COOKIE,
  TX_COOKIE2,
  TX_KIND,
  TX_LENGTH,
  TX_REMOTE,
  TX_STATUS,
  TX_STRIDE,
  TX_TAG,
} from '../../port/nic.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';

const EIO = 5;
const EBADF = 9;
const EAGAIN = 11;
const ENOMEM = 12;
const ENODEV = 19;
const EBADFD = 77;
const EMSGSIZE = 90;
const ENETDOWN = 100;
const ENOBUFS = 105;

const TAG_OPERATION = 3 << 16;

/** Word of the next free command in `tx`; a full ring is executed first. */
export function nextCommand(sw: Context): number {
  if ((sw.commands + 1) * TX_STRIDE > sw.tx.length) transmitCommands(sw, true);
  return sw.commands++ * TX_STRIDE;
}

/** TX_COOKIE2: which accounts of a VNI (0-65535) and of a membership (0: none) count the copy, should it leave. */
export function packCounters(vniCounter: number, vlanCounter: number): number {
  return (vlanCounter << 16) | vniCounter;
}

/** Hands the commands to the Nic and enters each outcome into the accounts; `more` of the batch follows in another ring. */
export function transmitCommands(sw: Context, more = false): void {
  const count = sw.commands;
  if (count === 0) return;
  sw.nic.transmit(count, more);
  const took = sw.nic.status[STATUS_SENDING];
  if (took !== 0) sw.floodBudget.measure(took, count + sw.extraSends + (count - sw.floodBegin) * (sw.sends - 1));
  sw.extraSends = 0;
  sw.floodBegin = 0;
  const end = count * TX_STRIDE;
  for (let at = 0; at < end; ) at = sw.tx[at + TX_STATUS] === 0 ? countSent(sw, at, end) : countFailed(sw, at);
  sw.commands = 0;
}

/** Enters the commands from `at` on that were carried out and have the accounts of the first. @returns where others begin */
function countSent({ counters, tx }: Context, at: number, end: number): number {
  const port = tx[at + TX_COOKIE];
  const accounts = tx[at + TX_COOKIE2];
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
    tx[next + TX_COOKIE2] === accounts &&
    tx[next + TX_REMOTE] === remote
  );
  const frames = (next - at) / TX_STRIDE;
  counters.transmitted(port, bytes, frames);
  if (tx[at + TX_KIND] === KIND_UDP) counters.transmittedTo(remote, accounts & 0xffff, bytes, frames);
  if (accounts >>> 16 !== 0) counters.transmittedIn(accounts >>> 16, bytes, frames);
  return next;
}

/** Enters the command at `at`, which failed. @returns where the next one is */
function countFailed(sw: Context, at: number): number {
  const { tx } = sw;
  const status = tx[at + TX_STATUS];
  sw.counters.droppedOut(tx[at + TX_COOKIE], reasonOf(status));
  if (status === EMSGSIZE && tx[at + TX_KIND] === KIND_UDP) sw.tooBig.refusedTo = tx[at + TX_REMOTE];
  return at + TX_STRIDE;
}

/** By how many bytes a tag operation makes a frame longer. */
export function tagGrowth(tag: number): number {
  const operation = tag & TAG_OPERATION;
  if (operation === TAG_PUSH) return 4;
  return operation === TAG_POP ? -4 : 0;
}

/** The drop reason that an errno of the Nic stands for. */
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
      return REASON.port_down;
    default:
      return REASON.tx_error;
  }
}
