/**
 * Drops: the one place where a frame that is not forwarded is counted under its reason, and kept for `overtap drops`
 * (`drop-ring.ts`), and told to the observer, if there is one.
 */
import { VNI_UNKNOWN, vniPort, vniVid } from '../../encap/vni-table.js';
import { KIND_UDP, RX_ADDRESS, RX_INDEX, RX_KIND, RX_STRIDE, STATUS_NOW } from '../../port/packet-io.js';
import type { Context } from './context.js';
import { datagramVni } from './datagram-vni.js';
import { DROPPED_IN, DROPPED_OUT } from './drop-ring.js';
import { REASON } from './drop-reasons.js';
import { PORT_TUNNEL } from './forwarding.js';
import { observeDropIn, observeDropOut, observeKept } from './observe.js';

const remoteAddress = new Int32Array(4);

/** Drops row `frame` of the batch: counted at its ingress port. */
export function dropIn(sw: Context, frame: number, reason: number): void {
  sw.counters.droppedIn(sw.batch.port[frame], reason);
  if (sw.forwarding.portKind[sw.batch.port[frame]] === PORT_TUNNEL) countLostIn(sw, frame, reason);
  if (sw.drops.admits(reason, sw.tick)) keepIn(sw, frame, reason);
  if (sw.observer !== null) observeDropIn(sw, sw.observer, frame, reason);
  if (sw.sampler !== null) observeDropIn(sw, sw.sampler, frame, reason);
}

/** Drops a copy of row `frame`: counted at the egress port. @param remote that it would have gone to; 0: none */
export function dropOut(sw: Context, frame: number, port: number, reason: number, remote = 0): void {
  sw.counters.droppedOut(port, reason);
  if (sw.forwarding.portKind[port] === PORT_TUNNEL) countLostOut(sw, frame, port, reason);
  if (sw.drops.admits(reason, sw.tick)) keepOut(sw, frame, port, reason, remote);
  if (sw.observer !== null) observeDropOut(sw, sw.observer, frame, port, sentVni(sw, frame, port), reason, remote);
  if (sw.sampler !== null) observeDropOut(sw, sw.sampler, frame, port, sentVni(sw, frame, port), reason, remote);
}

/** Drops a frame that is in no batch: `length` bytes at `offset` of the arena, from a port. */
export function dropKept(sw: Context, port: number, reason: number, offset: number, length: number): void {
  const { drops, io, view } = sw;
  sw.counters.droppedIn(port, reason);
  if (drops.admits(reason, sw.tick))
    drops.keep(io.status[STATUS_NOW], reason, DROPPED_IN, port, 0, 0, view, offset, length);
  if (sw.observer !== null) observeKept(sw, sw.observer, port, reason, offset, length);
}

/** A dropped datagram of a known VNI counts there too, whatever it was dropped for. */
function countLostIn(sw: Context, frame: number, reason: number): void {
  const { batch, counters, forwarding, rx } = sw;
  const at = frame * RX_STRIDE;
  if (frame >= batch.size || rx[at + RX_KIND] !== KIND_UDP) return;
  const found = forwarding.vnis.find(forwarding.socketOf[rx[at + RX_INDEX]], datagramVni(sw, at));
  if (found === VNI_UNKNOWN) return;
  counters.lostIn(forwarding.tunnels[vniPort(found)].counterOfVlan[vniVid(found)], isError(reason));
}

function countLostOut({ batch, counters, forwarding }: Context, frame: number, port: number, reason: number): void {
  const { counterOfVlan, vniOfVlan } = forwarding.tunnels[port];
  const vid = batch.vid[frame];
  if (vniOfVlan[vid] !== 0) counters.lostOut(counterOfVlan[vid], isError(reason));
}

/** As the kernel counts it: errors are neither rules nor limits of somebody's. */
function isError(reason: number): boolean {
  return reason === REASON.ecn_invalid || reason === REASON.tx_error;
}

function keepIn(sw: Context, frame: number, reason: number): void {
  const { batch, drops, io, rx, view } = sw;
  const at = frame * RX_STRIDE;
  const port = batch.port[frame];
  const vid = batch.vid[frame];
  const offset = batch.offset[frame];
  const length = Math.max(0, batch.length[frame]);
  if (frame >= batch.size || rx[at + RX_KIND] !== KIND_UDP) {
    drops.keep(io.status[STATUS_NOW], reason, DROPPED_IN, port, vid, 0, view, offset, length);
    return;
  }
  const found = datagramVni(sw, at);
  drops.keep(io.status[STATUS_NOW], reason, DROPPED_IN, port, vid, found, view, offset, length, rx, at + RX_ADDRESS);
}

function keepOut(sw: Context, frame: number, port: number, reason: number, remote: number): void {
  const { batch, drops, io, view } = sw;
  if (remote === 0) remoteAddress.fill(0);
  else sw.remotes.addressInto(remote, remoteAddress);
  const sent = sentVni(sw, frame, port);
  const length = batch.length[frame];
  drops.keep(
    io.status[STATUS_NOW],
    reason,
    DROPPED_OUT,
    port,
    batch.vid[frame],
    sent,
    view,
    batch.offset[frame],
    length,
    remoteAddress,
  );
}

/** The VNI that carries the frame behind a tunnel port; 0: none. */
function sentVni({ batch, forwarding }: Context, frame: number, port: number): number {
  return forwarding.portKind[port] === PORT_TUNNEL ? forwarding.tunnels[port].vniOfVlan[batch.vid[frame]] : 0;
}
