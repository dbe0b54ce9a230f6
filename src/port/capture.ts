/**
 * A look at one interface's wire: frames as they pass, in both directions, and a way to put one there.
 *
 * For labs and tests. Owns a packet socket; never part of the switch, never fast.
 */
import * as native from '../native/binding.js';
import { netnsPath } from './tap.js';

/** The longest frame that is kept whole: a superframe of 64 KiB with its header and tags. */
const MAX_FRAME = 65536 + 64;

export interface CaptureOptions {
  /** Name or path of a network namespace; absent: the process's own. */
  netns?: string;
  ifname: string;
  /** Also frames for other MAC addresses. Default true. */
  promiscuous?: boolean;
}

export interface Capture {
  /** One frame with its tags, or `null` when none is waiting. */
  read(): Uint8Array | null;
  /** Blocks until a frame is waiting; `false` when the time was over first. */
  wait(timeoutMs: number): boolean;
  /** Sends one frame out of the interface. @throws NativeError, with code EMSGSIZE when it is too long */
  write(frame: Uint8Array): void;
  close(): void;
}

/** @throws NativeError, with code ENODEV when there is no such interface */
export function openCapture(options: CaptureOptions): Capture {
  const { netns, ifname, promiscuous = true } = options;
  const fd = native.openPacketSocket({
    ifname,
    promiscuous,
    ...(netns === undefined ? {} : { netns: netnsPath(netns) }),
  });
  const buffer = new Uint8Array(MAX_FRAME);
  let open = true;
  return {
    read() {
      const length = native.readPacket(fd, buffer);
      return length === 0 ? null : buffer.slice(0, length);
    },
    wait: (timeoutMs) => native.waitReadable(fd, timeoutMs),
    write: (frame) => native.writePacket(fd, frame),
    close() {
      if (!open) return;
      open = false;
      native.closeFd(fd);
    },
  };
}
