/**
 * The receive counters: the one place where received frames are counted. Each counts for its port; one that entered a VLAN also for
 * its remote and VNI, and for the VLAN.
 */
import { DROPPED } from '../state/batch.js';
import type { Context } from '../state/context.js';

/** Counts row `head`, and with it the rows behind it in its GRO batch, all of one length: `frames` in all. */
export function countReceived({ batch, counters, forwarding, layer3 }: Context, head: number, frames: number): void {
  const port = batch.port[head];
  const length = batch.length[head];
  // What the engine says for a layer-3 port was not received: it counts as a copy (`egress/originate.ts`).
  if (head < layer3.spoken) {
    counters.replicated(1);
    return;
  }
  if (batch.stage[head] === DROPPED) {
    // A datagram too short for a VXLAN header has no inner length.
    counters.received(port, length < 0 ? 0 : length, 1);
    return;
  }
  const vid = batch.vid[head];
  const remote = batch.remote[head];
  const bytes = length * frames;
  counters.received(port, bytes, frames);
  if (remote !== 0) counters.receivedFrom(remote, forwarding.tunnels[port].counterOfVlan[vid], bytes, frames);
  const vlanCounter = forwarding.vlanCounter(port, vid);
  if (vlanCounter !== 0) counters.receivedIn(vlanCounter, bytes, frames);
}
