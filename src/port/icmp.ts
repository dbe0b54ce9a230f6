/**
 * A raw ICMP socket of the addon, for the doctor's probes. Received packets include their IP header. Never part of the switch.
 */
import * as native from '../native/binding.js';

const LARGEST_PACKET = 65_535;
/** Milliseconds after a request in which each turn of the event loop reads the socket, so that round-trip times are exact. */
const BUSY_MS = 20;
/** Milliseconds between two reads afterwards. */
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
  return new PolledSocket(native.openIcmp(options), listener);
}

/** A raw socket, read by timers. */
class PolledSocket implements Icmp {
  private readonly buffer = new Uint8Array(LARGEST_PACKET);
  private busyUntil = 0;
  private timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  private isOpen = true;

  constructor(
    private readonly fd: number,
    private readonly listener: (packet: Uint8Array, source: string) => void,
  ) {}

  send(packet: Uint8Array, address: string): void {
    native.sendIcmp(this.fd, packet, address);
    this.busyUntil = performance.now() + BUSY_MS;
    this.timer ??= setImmediate(() => this.poll());
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    clearTimeout(this.timer as NodeJS.Timeout | undefined);
    clearImmediate(this.timer as NodeJS.Immediate | undefined);
    native.closeFd(this.fd);
  }

  private poll(): void {
    this.timer = undefined;
    for (let got = this.read(); got !== null; got = this.read()) {
      this.listener(this.buffer.slice(0, got.length), got.source);
      if (!this.isOpen) return;
    }
    const again = (): void => this.poll();
    this.timer = performance.now() < this.busyUntil ? setImmediate(again) : setTimeout(again, POLL_MS).unref();
  }

  /** Errors of the socket are those that earlier packets met on their way; the probes then see no answer. */
  private read(): { length: number; source: string } | null {
    try {
      return native.readIcmp(this.fd, this.buffer);
    } catch {
      return null;
    }
  }
}
