/**
 * The last dropped frames: the engines' records (`dataplane/state/drop-ring.ts`) with names. Read-only.
 */
import type { DroppedFrame } from '../../api/api.js';
import { DROPPED_OUT, type DropReader, type DroppedFrame as KeptFrame } from '../../dataplane/state/drop-ring.js';
import { DROP_REASONS } from '../../dataplane/state/drop-reasons.js';
import { toHex } from '../../wire/bytes.js';
import { formatAddress } from '../../wire/ip-address.js';
import type { SwitchModel } from '../model/model.js';

/**
 * The earliest first. Frames of ports that are no more are omitted.
 * @param reason the one that is wanted @returns null for a name that is no reason
 */
export function viewDrops(model: SwitchModel, drops: DropReader, reason?: string): DroppedFrame[] | null {
  const names: readonly string[] = DROP_REASONS;
  const only = reason === undefined ? undefined : names.indexOf(reason);
  if (only === -1) return null;
  return drops.list(only).flatMap((frame) => {
    const port = model.portAt[frame.port];
    return port === undefined ? [] : [rowOf(port.name, frame)];
  });
}

function rowOf(
  port: string,
  { engine, number, time, direction, reason, length, bytes, vid, vni, remote }: KeptFrame,
): DroppedFrame {
  return {
    time: new Date(time).toISOString(),
    port,
    direction: direction === DROPPED_OUT ? 'tx' : 'rx',
    reason: DROP_REASONS[reason],
    length,
    frame: toHex(bytes),
    ...(vid === 0 ? {} : { vlan: vid }),
    ...(vni === 0 ? {} : { vni }),
    ...(remote === null ? {} : { remote: formatAddress(...remote) }),
    engine,
    number,
  };
}
