/** What the bridge writes into a frame, in words: MACs, and the MSS of a SYN segment. */
import type { TraceStep } from '../../api/trace.js';
import { mssOf } from '../../dataplane/egress/mss.js';
import { DROPPED } from '../../dataplane/state/batch.js';
import type { Context } from '../../dataplane/state/context.js';
import { viewOf } from '../../wire/bytes.js';
import { formatMac, macHigh, macLow } from '../../wire/ethernet.js';
import type { Incoming } from './ingress-steps.js';

/** MACs that the switch has written: of a short-circuited frame, and of a layer-3 port's packet. */
export function rewriteStep({ frame, outer }: Incoming, { batch, view, forwarding, layer3 }: Context): TraceStep[] {
  const offset = batch.offset[0];
  if (frame.length < 12 || batch.length[0] < 12) return [];
  const now = [macText(view, offset), macText(view, offset + 6)] as const;
  const given = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (now[0] === macText(given, 0) && now[1] === macText(given, 6)) return [];
  const isPacket =
    outer === undefined && layer3.of[batch.port[0]] !== undefined && forwarding.portKind[batch.port[0]] > 0;
  const why = isPacket ? 'The packet gets an Ethernet header' : 'The frame goes straight to its host (rsc)';
  const code = isPacket ? 'addressed' : 'short_circuit';
  return [{ stage: 'neigh', code, text: `${why}: to ${now[0]}, from ${now[1]}.` }];
}

/** The MSS of a SYN segment that a port with `mss_clamp` has lowered. */
export function mssStep({ frame }: Incoming, { batch, view }: Context): TraceStep[] {
  if (batch.stage[0] === DROPPED) return [];
  const before = mssOf(viewOf(frame), 0, frame.length);
  const after = mssOf(view, batch.offset[0], batch.length[0]);
  if (before === after) return [];
  return [
    { stage: 'send', code: 'mss_clamp', text: `The MSS of the SYN segment is lowered from ${before} to ${after}.` },
  ];
}

function macText(view: DataView, at: number): string {
  return formatMac(macHigh(view, at), macLow(view, at));
}
