/**
 * Which frames mirrors get (`state/mirrors.ts`). Exists only where there is a mirror: a batch is looked at before it is acted on, and each
 * list of commands before it is transmitted. `mirror.ts` makes the copies.
 *
 * A copy is never mirrored itself, and no frame enters by a mirror, so no loop goes through one. Nothing is decided about the traffic.
 */
import {
  STATUS_MORE,
  TAG_KEEP,
  TX_COOKIE,
  TX_COOKIE3,
  TX_CSUM,
  TX_GSO,
  TX_STRIDE,
  TX_TAG,
  TX_VNET,
} from '../../port/packet-io.js';
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { DROPPED, OUTCOME_HELD } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { dropOut } from '../state/drop.js';
import { REASON } from '../state/drop-reasons.js';
import { MIRROR } from '../state/forwarding.js';
import {
  BUSY_SHARE,
  MIRROR_COPIES,
  MIRROR_EGRESS,
  MIRROR_INGRESS,
  type Mirror,
  NOTE_CSUM,
  NOTE_GSO,
  NOTE_MIRROR,
  NOTE_ROW,
  NOTE_TAG,
  NOTE_VNET,
  NOTE_WORDS,
} from '../state/mirrors.js';

/** Begins a batch of `count` frames: notes those that are mirrored as they came in. */
export function mirrorReceived(sw: Context, count: number): void {
  const { batch, mirrors } = sw;
  mirrors.seen.fill(0);
  mirrors.count = 0;
  mirrors.looked = 0;
  const isBusy = sw.io.status[STATUS_MORE] !== 0;
  mirrors.left = isBusy ? Math.ceil(count / BUSY_SHARE) : MIRROR_COPIES;
  for (let row = 0; row < count; row++) {
    if (batch.length[row] < ETHERNET_HEADER || (batch.stage[row] === DROPPED && batch.outcome[row] === OUTCOME_HELD))
      continue;
    const { csum, gso, vnet } = batch;
    note(sw, MIRROR_INGRESS, row, batch.port[row], TAG_KEEP, vnet[row], gso[row], csum[row]);
  }
}

/** Notes the commands that are about to be transmitted and whose ports are mirrored as frames leave. */
export function mirrorSent(sw: Context): void {
  const { forwarding, mirrors, tx } = sw;
  for (; mirrors.looked < sw.commands; mirrors.looked++) {
    const at = mirrors.looked * TX_STRIDE;
    const port = tx[at + TX_COOKIE];
    if ((forwarding.portFlags[port] & MIRROR) !== 0) continue;
    note(
      sw,
      MIRROR_EGRESS,
      tx[at + TX_COOKIE3],
      port,
      tx[at + TX_TAG],
      tx[at + TX_VNET],
      tx[at + TX_GSO],
      tx[at + TX_CSUM],
    );
  }
}

function note(
  sw: Context,
  direction: number,
  row: number,
  port: number,
  tag: number,
  vnet: number,
  gso: number,
  csum: number,
): void {
  const { batch, forwarding, mirrors } = sw;
  for (let index = 0; index < mirrors.list.length; index++) {
    const mirror = mirrors.list[index];
    const bit = 1 << index;
    if ((mirror.directions & direction) === 0 || (mirrors.seen[row] & bit) !== 0 || mirror.port === port) continue;
    if (forwarding.portBridge[port] !== forwarding.portBridge[mirror.port]) continue;
    if ((mirror.ports !== null && mirror.ports[port] === 0) || !hasVlan(mirror, batch.vid[row])) continue;
    mirrors.seen[row] |= bit;
    if (mirrors.count === MIRROR_COPIES) {
      copyDropped(sw, row, mirror.port, REASON.turn_exceeded);
      continue;
    }
    const at = mirrors.count++ * NOTE_WORDS;
    mirrors.notes[at + NOTE_ROW] = row;
    mirrors.notes[at + NOTE_MIRROR] = index;
    mirrors.notes[at + NOTE_TAG] = tag;
    mirrors.notes[at + NOTE_VNET] = vnet;
    mirrors.notes[at + NOTE_GSO] = gso;
    mirrors.notes[at + NOTE_CSUM] = csum;
  }
}

function hasVlan({ vlans }: Mirror, vid: number): boolean {
  return vlans === null || vlans[vid] !== 0;
}

/** Counts a copy that is not made. */
export function copyDropped(sw: Context, row: number, port: number, reason: number): void {
  sw.counters.replicated(1);
  dropOut(sw, row, port, reason);
}
