/**
 * Capture and injection of frames on one interface, in both directions.
 *
 * For labs and tests. Owns a packet socket; not used by the switch, not fast.
 */
import * as native from '../native/binding.js';
import { netnsPath } from './tap.js';

/** Longest frame that is not truncated: a superframe of 64 KiB with its header and tags. */
const MAX_FRAME = 65536 + 64;

export interface CaptureOptions {
  /** Name or path of a network namespace; absent: the process's own. */
  netns?: string;
  ifname: string;
  /** Includes frames for other MAC addresses. Default true. */
  promiscuous?: boolean;
}

export interface Capture {
  /** The next frame with its tags, or `null` if none is queued. */
  read(): Uint8Array | null;
  /** Blocks until a frame is queued; `false` on timeout. */
  wait(timeoutMs: number): boolean;
  /** Sends one frame out of the interface. @throws NativeError, with code EMSGSIZE when it is too long */
  write(frame: Uint8Array): void;
  close(): void;
}

/** @throws NativeError, with code ENODEV if the interface does not exist */
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
