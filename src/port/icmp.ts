/**
 * A raw ICMP socket of the addon, for the doctor's probes: packets are handed over with their IP header, and answers are looked for
 * while any may come. Never part of the switch.
 */
import * as native from '../native/binding.js';

const LARGEST_PACKET = 65_535;
/** Answers that come soon after a request are looked for at each turn of the event loop: their time is measured. */
const BUSY_MS = 20;
const POLL_MS = 2;

export interface Icmp {
  /** @throws NativeError, with code EMSGSIZE when the packet is longer than the MTU of the interface */
  send(packet: Uint8Array, address: string): void;
  close(): void;
}

/** @throws NativeError, with code EPERM without CAP_NET_RAW */
export function openIcmp(
  options: { family: 4 | 6; dev?: string; filter: Uint8Array },
  listener: (packet: Uint8Array, source: string) => void,
): Icmp {
  const fd = native.openIcmp(options);
  const buffer = new Uint8Array(LARGEST_PACKET);
  let busyUntil = 0;
  let timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  let isOpen = true;

  function look(): void {
    timer = undefined;
    for (;;) {
      const got = read();
      if (got === null) break;
      listener(buffer.slice(0, got.length), got.source);
      if (!isOpen) return;
    }
    timer = performance.now() < busyUntil ? setImmediate(look) : setTimeout(look, POLL_MS).unref();
  }

  /** An error of the socket is one that an earlier packet met on its way; the probes see no answer then. */
  function read(): { length: number; source: string } | null {
    try {
      return native.readIcmp(fd, buffer);
    } catch {
      return null;
    }
  }

  return {
    send(packet, address) {
      native.sendIcmp(fd, packet, address);
      busyUntil = performance.now() + BUSY_MS;
      timer ??= setImmediate(look);
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      clearTimeout(timer as NodeJS.Timeout | undefined);
      clearImmediate(timer as NodeJS.Immediate | undefined);
      native.closeFd(fd);
    },
  };
}
