/**
 * The transmit ring: room for the next command, execution of what is in it, and the accounts of each outcome.
 */
import {
  KIND_UDP,
  OFFLOAD_MISFIT,
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
} from '../port/nic.js';
import type { Context } from './context.js';
import { MTU_EXCEEDED, OFFLOAD_INVALID, PORT_DOWN, TX_BACKPRESSURE, TX_ERROR } from './drop-reasons.js';

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
  if ((sw.commands + 1) * TX_STRIDE > sw.tx.length) executeRing(sw, true);
  return sw.commands++ * TX_STRIDE;
}

/** TX_COOKIE2: which accounts of a VNI (0-65535) and of a membership (0: none) count the copy, should it leave. */
export function accountsOf(vniCounter: number, vlanCounter: number): number {
  return (vlanCounter << 16) | vniCounter;
}

/** Hands the commands to the Nic and enters each outcome into the accounts; `more` of the batch follows in another ring. */
export function executeRing(sw: Context, more = false): void {
  const count = sw.commands;
  if (count === 0) return;
  sw.nic.transmit(count, more);
  for (let at = 0; at < count * TX_STRIDE; at += TX_STRIDE) account(sw, at);
  sw.commands = 0;
}

function account(sw: Context, at: number): void {
  const { counters, tx } = sw;
  const port = tx[at + TX_COOKIE];
  const status = tx[at + TX_STATUS];
  if (status !== 0) {
    counters.droppedOut(port, reasonOf(status));
    if (status === EMSGSIZE && tx[at + TX_KIND] === KIND_UDP) sw.oversized.refusedTo = tx[at + TX_REMOTE];
    return;
  }
  const bytes = tx[at + TX_LENGTH] + tagGrowth(tx[at + TX_TAG]);
  counters.transmitted(port, bytes);
  const accounts = tx[at + TX_COOKIE2];
  if (tx[at + TX_KIND] === KIND_UDP) counters.transmittedTo(tx[at + TX_REMOTE], accounts & 0xffff, bytes);
  if (accounts >>> 16 !== 0) counters.transmittedIn(accounts >>> 16, bytes);
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
      return OFFLOAD_INVALID;
    case EMSGSIZE:
      return MTU_EXCEEDED;
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      return TX_BACKPRESSURE;
    case EIO: // a TAP whose NIC is set down
    case EBADF:
    case EBADFD:
    case ENODEV:
    case ENETDOWN:
      return PORT_DOWN;
    default:
      return TX_ERROR;
  }
}
