/**
 * Wakes another thread: `ring` ends the wait of the PacketIo that the descriptor is attached to.
 */
import { closeFd, createEventFd, ring } from '../native/binding.js';

export interface Wake {
  /** Descriptor for `attachEvent` of the PacketIo, in any thread. */
  readonly fd: number;
  ring(): void;
  close(): void;
}

export function createWake(): Wake {
  const fd = createEventFd();
  return { fd, ring: () => ring(fd), close: () => closeFd(fd) };
}

/** Rings by the descriptor of another thread's wake. */
export function ringAt(fd: number): void {
  ring(fd);
}
