/**
 * TAP devices: opens them where they are to be, and changes the NIC of one that is open.
 *
 * Owns the descriptor and the device's life. Never moves a frame: the PacketIo does, once the descriptor is attached.
 */

import type { LinkState, TapAddress, TapNicChanges, TapState } from '../native/binding.js';
import * as native from '../native/binding.js';
import { netnsNumber, netnsPath } from './netns.js';
import { SEND_BYTES, SEND_SEGMENTS } from './packet-io.js';
import { explainChange, explainOpen, nameOf, TapError, withWords } from './tap-error.js';

export type { LinkState, TapState } from '../native/binding.js';
export { netnsPath } from './netns.js';
export { TapError } from './tap-error.js';

/** TUN_F_*: what the reader of a TAP is able to take in unfinished (linux/if_tun.h). */
export const TUN_F_CSUM = 0x01;
export const TUN_F_TSO4 = 0x02;
export const TUN_F_TSO6 = 0x04;
export const TUN_F_USO4 = 0x20;
export const TUN_F_USO6 = 0x40;
const TSO = TUN_F_TSO4 | TUN_F_TSO6;
/** What the addon's PacketIo splits and completes. */
export const ALL_OFFLOADS = TUN_F_CSUM | TSO | TUN_F_USO4 | TUN_F_USO6;

/** Bytes of the VXLAN and Ethernet headers around each segment's IP packet. */
const SEGMENT_OVERHEAD = 8 + 14;
/** What the kernel gives a new TAP. */
const DEFAULT_MTU = 1500;

export interface TapOptions {
  /** Name (as of `ip netns`) or path of a network namespace; absent: the switch's own. */
  netns?: string;
  ifname: string;
  /** Absent: `newMac`. */
  mac?: string;
  /** Of a TAP that is made; one that is taken over keeps its own. Absent: the kernel's choice. */
  newMac?: string;
  mtu?: number;
  addresses?: readonly TapAddress[];
  /** The device outlives the switch. Default false. Without effect on a TAP that somebody else has made: it stays. */
  persist?: boolean;
  /** Default true. */
  multiQueue?: boolean;
  /** Default true. */
  up?: boolean;
  /** TUN_F_* flags: what the guest may leave unfinished. Default: ALL_OFFLOADS, less what the kernel does not have. */
  offload?: number;
  /** `false`: without a virtio-net header, and so without any offload. Default true. */
  vnetHeader?: boolean;
  /** Segments of the guest's superframes. Default, with TSO: as many as fit one send at the TAP's MTU; 44 at 1450. */
  gsoMaxSegs?: number;
  /** Queues, which are handed out by `openQueue`. Whatever the kernel puts in one that no one reads is lost. Default 1. */
  queues?: number;
}

/** A TAP that is open. It is followed wherever it goes: its NIC may be renamed, or moved to another namespace. */
export interface TapHandle {
  readonly fd: number;
  /** As it was opened. */
  readonly ifname: string;
  /** Path of the namespace's file that it was opened in, when it is not the switch's own. */
  readonly netns: string | undefined;
  /** In lower case, as the kernel shows it; as it was seen last. */
  readonly mac: string;
  /** As it was set last. */
  readonly mtu: number;
  readonly offload: number;
  /** For `attachTap`; 0: none. */
  readonly vnetHeaderSize: number;
  /** It was there before, persistent, and overtap has not made it: it stays so. */
  readonly isForeign: boolean;
  /** Where it is now, and how; as it was seen last, while the kernel does not say. `null` when the device is gone. */
  state(): TapState | null;
  /** Whether it has this name now, in this namespace: name or path; absent: the switch's own. */
  isAt(ifname: string, netns?: string): boolean;
  /** Whether it is in another namespace than the one that it was opened in. */
  readonly hasMoved: boolean;
  /**
   * Also sets the segments of the guest's superframes anew. Below 1280 bytes the kernel takes IPv6 off the device with all
   * its IPv6 addresses, and a greater MTU does not bring these back: `addAddresses` does.
   * @throws TapError, as all that change the device; those with a list leave done what came before the failure
   */
  setMtu(mtu: number): void;
  /** While the device is up, too: neither its carrier nor its addresses change. */
  setMac(mac: string): void;
  /** An address that is there already stays. IPv6 has one prefix length an address: to change it, remove the address first. */
  addAddresses(addresses: readonly TapAddress[]): void;
  /** One that is not there, or has another prefix length, is no error. The other addresses of its subnet stay. */
  removeAddresses(addresses: readonly TapAddress[]): void;
  /** Whether the device outlives `close`; one that is foreign does anyway. */
  setPersist(on: boolean): void;
  /**
   * The descriptor of a further queue, which belongs to this handle: one of those that were opened with the TAP, else a new
   * one. A new one in another namespace keeps that namespace in being until it is closed.
   * @throws TapError, with code EINVAL when the TAP is not multi-queue
   */
  openQueue(): number;
  /** Detach it first. A TAP that is not persistent is gone with it. A second call does nothing. */
  close(): void;
  /** Closes it, and undoes the opening: one that was made goes, even if it was to persist, one that was there before stays. */
  discard(): void;
}

/**
 * A device as its namespace has it, whoever set it so; `null` when the device or the namespace is gone.
 * @param netns name or path; absent: the switch's own
 */
export function tapState(ifname: string, netns?: string): LinkState | null {
  return native.linkState({ ifname, ...pathOf(netns) });
}

function pathOf(netns: string | undefined): { netns?: string } {
  return netns === undefined ? {} : { netns: netnsPath(netns) };
}

/** Superframes of so many segments are one send each: what is over would be a second send, and a small one. */
export function segmentsPerSend(mtu: number): number {
  return Math.max(1, Math.min(SEND_SEGMENTS, Math.floor(SEND_BYTES / (mtu + SEGMENT_OVERHEAD))));
}

/**
 * Makes a TAP, or takes over a persistent one of that name, whose addresses stay.
 * @throws TapError in plain words; whatever was begun is undone
 */
export function openTap(options: TapOptions): TapHandle {
  const { netns, persist = false, multiQueue = true, up = true, offload = ALL_OFFLOADS, gsoMaxSegs, ...rest } = options;
  const segments = (mtu: number): { gsoMaxSegs?: number } => {
    const most = gsoMaxSegs ?? ((offload & TSO) === 0 ? undefined : segmentsPerSend(mtu));
    return most === undefined ? {} : { gsoMaxSegs: most };
  };
  const path = pathOf(netns);
  const opened = withWords(
    () =>
      native.openTap({ ...rest, ...path, persist, multiQueue, up, offload, ...segments(options.mtu ?? DEFAULT_MTU) }),
    (error) => explainOpen(error, options, options.mtu),
  );
  return new OpenedTap(options, opened, path, segments);
}

class OpenedTap implements TapHandle {
  readonly fd: number;
  readonly ifname: string;
  readonly netns: string | undefined;
  readonly offload: number;
  readonly vnetHeaderSize: number;
  readonly isForeign: boolean;
  mac: string;
  mtu: number;
  /** Its queues; none once it is closed. */
  private readonly fds: number[];
  private given = 1;
  private seen: TapState | null;
  /** Number of the namespace that it was opened in. */
  private readonly home: number;

  constructor(
    private readonly options: TapOptions,
    private readonly opened: native.OpenedTap,
    private readonly path: { netns?: string },
    private readonly segments: (mtu: number) => { gsoMaxSegs?: number },
  ) {
    ({ fd: this.fd, offload: this.offload, vnetHeaderSize: this.vnetHeaderSize, isForeign: this.isForeign } = opened);
    ({ ifname: this.ifname, mac: this.mac, mtu: this.mtu } = opened);
    this.netns = path.netns;
    this.fds = [opened.fd, ...opened.moreQueues];
    const { ifname, mac, mtu } = opened;
    this.home = netnsNumber(path.netns);
    this.seen = { ifname, mac, mtu, netns: this.home, index: 0, up: options.up ?? true };
    this.seen = this.state();
  }

  state(): TapState | null {
    if (this.fds.length === 0) return null;
    const { fd, path, seen } = this;
    try {
      this.seen = native.tapState({ fd, ...path, ...(seen === null ? {} : { seen }) });
    } catch {
      // Out of descriptors, or its owner renames and moves it all the time.
    }
    if (this.isLeftBehind()) return null;
    this.mac = this.seen?.mac ?? this.mac;
    return this.seen;
  }

  /** The descriptor of a TAP that was taken over keeps its namespace in being, when that has lost its name. */
  private isLeftBehind(): boolean {
    const { opened, path, home, seen } = this;
    return opened.takenOver && path.netns !== undefined && seen?.netns === home && netnsNumber(path.netns) !== home;
  }

  isAt(ifname: string, netns?: string): boolean {
    const state = this.state();
    return state?.ifname === ifname && state.netns === netnsNumber(netns);
  }

  get hasMoved(): boolean {
    return this.seen !== null && this.seen.netns !== this.home;
  }

  private attempt<T>(verb: string, action: () => T): T {
    const { fds, options } = this;
    // The number may be another file's by now.
    if (fds.length === 0) throw new TapError(`cannot ${verb} the TAP ${options.ifname}: it was closed`, 'EBADF');
    if (this.isLeftBehind())
      throw new TapError(
        `cannot ${verb} the TAP ${nameOf(options)}: the network namespace ${options.netns} is gone`,
        'ENOENT',
      );
    return withWords(action, (error) => explainChange(error, options, this.mtu, verb));
  }

  private change(changes: TapNicChanges): void {
    this.attempt('change', () => native.setTapNic({ fd: this.fd, ...this.path, ...changes }));
  }

  setMtu(mtu: number): void {
    this.change({ mtu, ...this.segments(mtu) });
    this.mtu = mtu;
  }

  setMac(mac: string): void {
    this.change({ mac });
    this.mac = mac.toLowerCase();
  }

  addAddresses(addresses: readonly TapAddress[]): void {
    if (addresses.length > 0) this.change({ addresses });
  }

  removeAddresses(addresses: readonly TapAddress[]): void {
    if (addresses.length > 0) this.change({ removeAddresses: addresses });
  }

  setPersist(on: boolean): void {
    if (this.isForeign) return;
    this.attempt('change', () => native.setTapPersist(this.fd, on));
    if (on) this.change({ mark: true });
  }

  openQueue(): number {
    const { fds, fd, path, vnetHeaderSize } = this;
    if (this.given === fds.length)
      fds.push(
        this.attempt('open a queue of', () => native.openTapQueue({ fd, ...path, vnetHeader: vnetHeaderSize > 0 })),
      );
    return fds[this.given++];
  }

  close(): void {
    const fds = this.fds.splice(0);
    if (fds.length > 0 && this.isForeign) native.leaveTap(this.fd, this.opened.foundVnetHeaderSize);
    for (const fd of fds) native.closeFd(fd);
    this.given = 0;
  }

  discard(): void {
    if (this.fds.length > 0 && !this.isForeign) {
      try {
        native.setTapPersist(this.fd, this.opened.takenOver);
      } catch {
        // Its device has gone already.
      }
    }
    this.close();
  }
}
