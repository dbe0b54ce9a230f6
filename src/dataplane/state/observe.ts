/**
 * What stages tell the observer (`observer.ts`): called only while there is one.
 */
import {
  KIND_UDP,
  RX_ADDRESS,
  RX_KIND,
  RX_STRIDE,
  TX_COOKIE,
  TX_COOKIE3,
  TX_HEADER,
  TX_KIND,
  TX_REMOTE,
  TX_STATUS,
  TX_STRIDE,
  TX_TAG,
} from '../../port/packet-io.js';
import { vni } from '../../wire/vxlan.js';
import { OUTCOME_ANSWER, OUTCOME_DROP, OUTCOME_HELD } from './batch.js';
import type { Context } from './context.js';
import { datagramVni } from './datagram-vni.js';
import { destinationPort } from './destination.js';
import {
  type Observer,
  RECORD_DROPPED_IN,
  RECORD_DROPPED_OUT,
  RECORD_SENT,
  VERDICT_ANSWERED,
  VERDICT_DROPPED,
  VERDICT_FLOODED,
  VERDICT_FORWARDED,
  VERDICT_ORIGINATED,
} from './observer.js';

const NOBODY = new Int32Array(4);
const remoteAddress = new Int32Array(4);

/** The frames of a batch, decided and not yet acted on. */
export function observeDecided(sw: Context, observer: Observer, count: number): void {
  const { batch } = sw;
  observer.begin();
  for (let row = 0; row < count; row++) {
    const outcome = batch.outcome[row];
    const to = outcome >= 0 ? destinationPort(outcome) : -1;
    const isWanted =
      outcome === OUTCOME_DROP ? observer.wants(batch.port[row], batch.port[row]) : observer.wants(batch.port[row], to);
    if (outcome === OUTCOME_HELD || !isWanted) observer.skip(row);
    else observeFrame(sw, observer, row, outcome);
  }
}

function observeFrame(sw: Context, observer: Observer, row: number, outcome: number): void {
  const { batch, rx, view } = sw;
  const at = row * RX_STRIDE;
  const isDatagram = rx[at + RX_KIND] === KIND_UDP;
  observer.frame(
    row,
    batch.port[row],
    batch.vid[row],
    isDatagram ? datagramVni(sw, at) : 0,
    verdictOf(outcome),
    outcome === OUTCOME_DROP ? batch.reason[row] : 0,
    isDatagram ? rx : NOBODY,
    isDatagram ? at + RX_ADDRESS : 0,
    view,
    batch.offset[row],
    batch.length[row],
  );
}

function verdictOf(outcome: number): number {
  if (outcome >= 0) return VERDICT_FORWARDED;
  if (outcome === OUTCOME_DROP) return VERDICT_DROPPED;
  return outcome === OUTCOME_ANSWER ? VERDICT_ANSWERED : VERDICT_FLOODED;
}

/** The first `count` commands, of which those without an error were sent. Failed ones are told as drops. */
export function observeSent(sw: Context, observer: Observer, count: number): void {
  const { batch, tx, view } = sw;
  for (let at = 0; at < count * TX_STRIDE; at += TX_STRIDE) {
    const row = tx[at + TX_COOKIE3];
    if (tx[at + TX_STATUS] !== 0) continue;
    if (row >= batch.size) observeOriginated(sw, observer, row);
    if (!observer.follows(row)) continue;
    const isDatagram = tx[at + TX_KIND] === KIND_UDP;
    if (isDatagram) sw.remotes.addressInto(tx[at + TX_REMOTE], remoteAddress);
    const sent = isDatagram ? vni(view, tx[at + TX_HEADER]) : 0;
    observer.copy(RECORD_SENT, row, tx[at + TX_COOKIE], sent, tx[at + TX_TAG], isDatagram ? remoteAddress : NOBODY);
  }
}

/** A row that a gateway has taken. @param tag TX_TAG */
export function observeDelivered(observer: Observer, row: number, port: number, tag: number): void {
  if (observer.follows(row)) observer.copy(RECORD_SENT, row, port, 0, tag, NOBODY);
}

/** A frame of the switch's own: its record stands right before that of its one copy. */
function observeOriginated({ batch, view }: Context, observer: Observer, row: number): void {
  const port = batch.port[row];
  if (!observer.wants(port, port)) observer.skip(row);
  else {
    const { offset, length, vid } = batch;
    observer.frame(row, port, vid[row], 0, VERDICT_ORIGINATED, 0, NOBODY, 0, view, offset[row], length[row]);
  }
}

/** A drop at the port that the frame came in by. One by ingress or the bridge is in the frame's own record already. */
export function observeDropIn({ batch }: Context, observer: Observer, row: number, reason: number): void {
  if (batch.outcome[row] === OUTCOME_DROP) return;
  observer.copy(RECORD_DROPPED_IN, row, batch.port[row], 0, reason, NOBODY);
}

/** A copy that was not sent. @param vni 0: none @param remote 0: none */
export function observeDropOut(
  sw: Context,
  observer: Observer,
  row: number,
  port: number,
  vni: number,
  reason: number,
  remote: number,
): void {
  if (row >= sw.batch.size) observeOriginated(sw, observer, row);
  if (!observer.follows(row)) return;
  if (remote === 0) remoteAddress.fill(0);
  else sw.remotes.addressInto(remote, remoteAddress);
  observer.copy(RECORD_DROPPED_OUT, row, port, vni, reason, remoteAddress);
}

/** A dropped frame that is in no batch: called between two batches. */
export function observeKept(
  { view }: Context,
  observer: Observer,
  port: number,
  reason: number,
  offset: number,
  length: number,
): void {
  if (!observer.wants(port, port)) return;
  observer.begin();
  observer.frame(0, port, 0, 0, VERDICT_DROPPED, reason, NOBODY, 0, view, offset, length);
  observer.end();
}
