/**
 * Who may connect to the control socket: its group and mode. A new socket is its owner's only; access is widened before the
 * socket gets its final name.
 */
import type { SwitchConfig } from '../../config/types.js';
import { groupId } from '../../port/service.js';
import { setSocketRights } from '../../port/socket-rights.js';
import { ControlSocketError } from './control-socket.js';

export interface SocketAccess {
  /** Permission bits. */
  mode: number;
  /** The socket's group; null: that of the process. */
  gid: number | null;
}

/** For its owner only. */
export const PRIVATE: SocketAccess = { mode: 0o600, gid: null };

/** The access that a configuration asks for. @throws ControlSocketError when the host has no such group */
export function accessOf({ control_group: group, control_mode: mode }: SwitchConfig): SocketAccess {
  const gid = group === undefined || typeof group === 'number' ? (group ?? null) : idOf(group);
  return { mode: Number.parseInt(mode ?? (gid === null ? '0600' : '0660'), 8), gid };
}

/** Gives a socket its group and mode. @throws ControlSocketError */
export function giveAccess(path: string, { mode, gid }: SocketAccess): void {
  if (gid === null && mode === PRIVATE.mode) return;
  try {
    setSocketRights(path, { mode, gid: gid ?? -1 });
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    // Only with CAP_CHOWN may a process give its socket to a group that it is no member of (chown(2)).
    if (gid === null || code !== 'EPERM') throw error;
    throw new ControlSocketError(
      `control_group: the socket cannot be given to group ${gid}: ${message}; run the switch with that group (SupplementaryGroups= of its unit) or with CAP_CHOWN`,
    );
  }
}

function idOf(group: string): number {
  const gid = groupId(group);
  if (gid === null)
    throw new ControlSocketError(
      `control_group: this host has no group ${group}; create it (groupadd ${group}) or name another one`,
    );
  return gid;
}
