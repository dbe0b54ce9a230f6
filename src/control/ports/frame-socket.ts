/** What the kinds of ports over sockets have in common. */
import type { SocketFileAccess } from '../../port/socket-file.js';
import { DeviceError } from '../model/device-error.js';

interface AccessConfig {
  socket_group?: string | number;
  socket_mode?: string;
}

/** Who may use the socket file of a port. */
export function accessOf({ socket_group: group, socket_mode: mode }: AccessConfig): SocketFileAccess {
  return { group, mode };
}

/** @throws DeviceError in place of any other error */
export function deviceErrors(name: string, change: () => void): void {
  try {
    change();
  } catch (error) {
    throw new DeviceError(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
