/**
 * Queries of the switch's own, as a multicast querier: the control thread builds them, engine 0 sends them between two batches. They
 * leave by ports that do not get flooded multicast too (Linux `__br_multicast_send_query`), and never enter the bridge.
 */
import { ORIGINATED_FRAMES } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { PORT_LOCAL, UP } from '../state/forwarding.js';
import { emit, emitToRemote, mayEnterTunnel } from './egress.js';
import { beginOriginated, NO_ROOM, ORIGINATED_BYTES } from './originate.js';
import { transmitCommands } from './transmit.js';

export interface OwnQuery {
  bridge: number;
  /** 0 in a bridge without VLAN filtering. */
  vid: number;
  /** Null: every port of the VLAN. */
  port: number | null;
  /** 0: all remotes of a tunnel port. */
  remote: number;
  /** At most ORIGINATED_BYTES. */
  frame: Uint8Array;
}

/** @throws RangeError when the frame is too long */
export function sendQuery(sw: Context, query: OwnQuery): void {
  if (sw.engine !== 0) return;
  if (query.frame.length > ORIGINATED_BYTES) throw new RangeError(`a query of ${query.frame.length} bytes is too long`);
  sw.originated = 0;
  sw.observer?.begin();
  const ports = query.port === null ? sw.forwarding.bridgePorts[query.bridge] : [query.port];
  for (let index = 0; index < ports.length; index++) {
    if (!isMember(sw, query, ports[index])) continue;
    if (sw.originated === ORIGINATED_FRAMES) {
      transmitCommands(sw);
      sw.originated = 0;
    }
    sendBy(sw, query, ports[index]);
  }
  transmitCommands(sw);
  sw.originated = 0;
  sw.observer?.end();
}

function isMember({ forwarding }: Context, { bridge, vid }: OwnQuery, port: number): boolean {
  if (forwarding.portBridge[port] !== bridge || (forwarding.portFlags[port] & UP) === 0) return false;
  return forwarding.bridgeTpid[bridge] === 0 || forwarding.isMember(port, vid);
}

function sendBy(sw: Context, { vid, remote, frame }: OwnQuery, port: number): void {
  const { batch, forwarding } = sw;
  const row = beginOriginated(sw);
  if (row === NO_ROOM) return;
  sw.bytes.set(frame, batch.offset[row]);
  batch.begin(row, port, batch.offset[row], frame.length);
  batch.vid[row] = vid;
  if (forwarding.portKind[port] === PORT_LOCAL) {
    sw.counters.replicated(1);
    emit(sw, row, port, 0);
    return;
  }
  const tunnel = forwarding.tunnels[port];
  if (tunnel.vniOfVlan[vid] === 0) return;
  const remotes = remote === 0 ? tunnel.floodOfVlan[vid] : [remote];
  for (let index = 0; index < remotes.length; index++) {
    sw.counters.replicated(1);
    if (mayEnterTunnel(sw, row, port)) emitToRemote(sw, row, port, remotes[index]);
  }
}
