/** Remotes of a port with BFD, as `link show` has them. */
import type { LinkRow } from '../../api/api.js';
import type { SessionStatus } from '../../liveness/contract.js';
import type { Port, VxlanPort } from '../model/model.js';
import { isTunnel } from '../model/model.js';

/** A remote and its session; null: the session has not begun yet. */
export interface RemoteView {
  address: string;
  state: 'unknown' | 'up' | 'down';
  status: SessionStatus | null;
}

/** The part of the liveness control that listings need. */
export interface RemoteSource {
  remotesOf(port: VxlanPort): RemoteView[];
  /** Packets that were discarded, by reason. */
  discards(): Record<string, number>;
}

const STATES = ['admin_down', 'down', 'init', 'up'] as const;

export function remotesPart(port: Port, source: RemoteSource | undefined): Pick<LinkRow, 'bfd_remotes'> {
  if (!isTunnel(port) || port.config.bfd === 'off' || source === undefined) return {};
  return { bfd_remotes: source.remotesOf(port).map(rowOf) };
}

function rowOf({ address, state, status }: RemoteView): NonNullable<LinkRow['bfd_remotes']>[number] {
  if (status === null) return { address, state };
  return {
    address,
    state,
    session: STATES[status.state],
    remote_session: STATES[status.remoteState],
    diag: status.diag,
    discriminator: status.my,
    remote_discriminator: status.your,
    interval: status.sendInterval,
    detection_time: status.detectionTime,
    ups: status.ups,
    rx_packets: status.received,
    tx_packets: status.sent,
    flaps: status.flaps,
    ...(status.damped === 0 ? {} : { damped: status.damped }),
    ...probesPart(status),
  };
}

function probesPart({ probes, pathMtu }: SessionStatus): Partial<NonNullable<LinkRow['bfd_remotes']>[number]> {
  if (probes === null) return {};
  return {
    ...(pathMtu === 0 ? {} : { path_mtu: pathMtu }),
    path_mtu_search: probes.search,
    probes_sent: probes.sent,
    probes_lost: probes.lost,
    black_holes: probes.blackHoles,
  };
}
