/**
 * The host around the process as a service: its groups, and the service manager that started it. Owns nothing.
 */
import * as native from '../native/binding.js';

/** The number of a group; null: the host has none of this name. May wait for the host's name service. @throws NativeError */
export function groupId(name: string): number | null {
  return native.groupId(name);
}

/**
 * Sends one datagram to the service manager, as sd_notify(3).
 * @param socket NOTIFY_SOCKET: a path, or a name in the abstract namespace after `@`
 * @throws NativeError; EAGAIN when the manager's queue is full, since nothing here waits. TypeError: another kind of socket
 */
export function sendNotice(socket: string, text: string): void {
  native.sendNotice(socket, text);
}
