/**
 * TAP devices: opens them in their namespaces, and changes the NIC of an open one.
 *
 * Owns the descriptor and the device's life. Never moves a frame: the PacketIo does, once the descriptor is attached.
 */

import type { LinkState, TapAddress, TapNicChanges, TapState } from '../native/binding.js';
import * as native from '../native/binding.js';
import { netnsNumber, netnsPath } from './netns.js';
import { SEND_BYTES, SEND_SEGMENTS } from './packet-io.js';
import { explainAdoption, explainChange, explainOpen, kindOf, nameOf, TapError, withWords } from './tap-error.js';

export type { LinkState, TapState } from '../native/binding.js';
export { netnsPath } from './netns.js';
export { TapError } from './tap-error.js';

/** TUN_F_*: offloads that the reader of a TAP accepts (linux/if_tun.h). */
export const TUN_F_CSUM = 0x01;
export const TUN_F_TSO4 = 0x02;
export const TUN_F_TSO6 = 0x04;
export const TUN_F_USO4 = 0x20;
export const TUN_F_USO6 = 0x40;
const TSO = TUN_F_TSO4 | TUN_F_TSO6;
/** Offloads that the addon can complete: checksums and segmentation. */
export const ALL_OFFLOADS = TUN_F_CSUM | TSO | TUN_F_USO4 | TUN_F_USO6;

/** Bytes of the VXLAN and Ethernet headers around each segment's IP packet. */
const SEGMENT_OVERHEAD = 8 + 14;
/** The kernel's default for a new TAP. */
const DEFAULT_MTU = 1500;

export interface TapOptions {
  /** Name (as of `ip netns`) or path of a network namespace; absent: the switch's own. */
  netns?: string;
  ifname: string;
  /** Absent: `newMac`. */
  mac?: string;
  /** MAC of a TAP that is created; one that is taken over keeps its own. Absent: the kernel's choice. */
  newMac?: string;
  mtu?: number;
  addresses?: readonly TapAddress[];
  /** The device outlives the switch. Default false. A TAP that overtap did not create persists anyway. */
  persist?: boolean;
  /** Default true. */
  multiQueue?: boolean;
  /** Default true. */
  up?: boolean;
  /** TUN_F_* flags: offloads for the guest. Default: ALL_OFFLOADS, as far as the kernel supports them. */
  offload?: number;
  /** `false`: no virtio-net header, and therefore no offloads. Default true. */
  vnetHeader?: boolean;
  /** Maximum segments of the guest's superframes. Default with TSO: as many as fit one send at the TAP's MTU; 44 at 1450. */
  gsoMaxSegs?: number;
  /** Number of queues, which `openQueue` returns. Frames in a queue without a reader are lost. Default 1. */
  queues?: number;
  /** A TUN. It has no MAC of its own: `mac` or `newMac` is the one under which others know it. Default false. */
  layer3?: boolean;
}

/** As for `openTap`; the descriptor tells the device. */
export type AdoptOptions = Omit<TapOptions, 'netns' | 'persist'>;

/** An open TAP. The handle stays valid when its NIC is renamed or moved to another namespace. */
export interface TapHandle {
  readonly fd: number;
  /** The name at opening. */
  readonly ifname: string;
  /** Path of the namespace's file at opening, unless it is the switch's own. */
  readonly netns: string | undefined;
  /** Last known MAC, in lower case. */
  readonly mac: string;
  /** The MTU last set. */
  readonly mtu: number;
  readonly offload: number;
  /** For `attachTap`; 0: none. */
  readonly vnetHeaderSize: number;
  /** A persistent TAP that overtap did not create: it stays persistent. */
  readonly isForeign: boolean;
  /** It has several queues, and the kernel chooses among them: a flow may change its queue at its first answer. */
  readonly isUnsteered?: boolean;
  /** Current name, namespace and state; the last known ones while the kernel does not report them. `null` if the device is gone. */
  state(): TapState | null;
  /** Whether it currently has this name in this namespace (name or path; absent: the switch's own). */
  isAt(ifname: string, netns?: string): boolean;
  /** Whether it has left the namespace in which it was opened. */
  readonly hasMoved: boolean;
  /**
   * Also recomputes the maximum segments of the guest's superframes. Below 1280 bytes the kernel removes IPv6 and all IPv6
   * addresses from the device; after an increase `addAddresses` restores them.
   * @throws TapError, like all methods that change the device; after a failure the earlier items of a list stay applied
   */
  setMtu(mtu: number): void;
  /** Also possible while the device is up: its carrier and addresses stay. */
  setMac(mac: string): void;
  /** Existing addresses stay. IPv6 has one prefix length per address: to change it, remove the address first. */
  addAddresses(addresses: readonly TapAddress[]): void;
  /** Ignores addresses that do not exist or have another prefix length. Other addresses of the subnet stay. */
  removeAddresses(addresses: readonly TapAddress[]): void;
  /** Sets whether the device outlives `close`; a foreign one always does. */
  setPersist(on: boolean): void;
  /**
   * The descriptor of another queue, owned by this handle: one that was opened with the TAP, or a new one. A new one in another
   * namespace keeps that namespace alive until it is closed.
   * @throws TapError, with code EINVAL if the TAP is not multi-queue
   */
  openQueue(): number;
  /** Closes all queues, which must be detached first. Deletes a TAP that is not persistent. A second call does nothing. */
  close(): void;
  /** What `continueTap` in another process needs; the descriptors stay this handle's too. */
  bequeath(): { facts: TapFacts; fds: number[] };
  /** Closes it and reverts the opening: a created TAP is deleted, even if persistent; one that was taken over stays. */
  discard(): void;
}

/** An open TAP as another process goes on with it. */
export interface TapFacts
  extends Pick<
    native.OpenedTap,
    | 'ifname'
    | 'mac'
    | 'mtu'
    | 'vnetHeaderSize'
    | 'offload'
    | 'takenOver'
    | 'isForeign'
    | 'madeInside'
    | 'foundVnetHeaderSize'
  > {
  /** Number of the namespace at opening. */
  home: number;
}

/**
 * The state of a device in a namespace; `null` if the device or the namespace does not exist.
 * @param netns name or path; absent: the switch's own
 */
export function tapState(ifname: string, netns?: string): LinkState | null {
  return native.linkState({ ifname, ...pathOf(netns) });
}

function pathOf(netns: string | undefined): { netns?: string } {
  return netns === undefined ? {} : { netns: netnsPath(netns) };
}

/** Maximum segments of a superframe that fits one send; a longer one would need a second, small send. */
export function segmentsPerSend(mtu: number): number {
  return Math.max(1, Math.min(SEND_SEGMENTS, Math.floor(SEND_BYTES / (mtu + SEGMENT_OVERHEAD))));
}

/**
 * Creates a TAP, or takes over a persistent one of that name, which keeps its addresses.
 * @throws TapError; a failed opening leaves nothing behind
 */
export function openTap(options: TapOptions): TapHandle {
  const path = pathOf(options.netns);
  const opened = withWords(
    () => native.openTap({ ...nativeOptions(options), ...path }),
    (error) => explainOpen(error, options, options.mtu),
  );
  return new OpenedTap(options, opened, path, netnsNumber(path.netns));
}

/**
 * Takes a TAP or TUN as the descriptor of another program, such as the one that started this process. The device keeps what this
 * process may not change, and outlives the handle if others have it open or it is persistent.
 * @throws TapError; the descriptor stays open then
 */
export function adoptTap(fd: number, options: AdoptOptions): TapHandle {
  const opened = withWords(
    () => native.adoptTap(fd, nativeOptions(options)),
    (error) => explainAdoption(error, fd),
  );
  const home = native.tapState({ fd })?.netns ?? netnsNumber(undefined);
  return new OpenedTap({ ...options, ifname: opened.ifname }, opened, {}, home);
}

function nativeOptions(options: AdoptOptions & { persist?: boolean }): native.OpenTapOptions {
  const { multiQueue = true, up = true, offload = ALL_OFFLOADS, persist = false, layer3 = false } = options;
  const { ifname, mtu, addresses, vnetHeader, queues, mac, newMac } = options;
  // A TUN has no MAC.
  const macs = layer3 ? {} : { ...given('mac', mac), ...given('newMac', newMac) };
  return {
    ...{ ifname, multiQueue, up, offload, persist, layer3, ...macs, ...segmentsOf(options, mtu ?? DEFAULT_MTU) },
    ...{ ...given('mtu', mtu), ...given('addresses', addresses), ...given('vnetHeader', vnetHeader) },
    ...given('queues', queues),
  };
}

function given<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}

function segmentsOf({ offload = ALL_OFFLOADS, gsoMaxSegs }: AdoptOptions, mtu: number): { gsoMaxSegs?: number } {
  const most = gsoMaxSegs ?? ((offload & TSO) === 0 ? undefined : segmentsPerSend(mtu));
  return given('gsoMaxSegs', most);
}

/**
 * Goes on with a TAP that the process before this one has open. Changes nothing about it.
 * @param fds one for each queue
 * @param custody while it is not ours, closing the handle closes descriptors and leaves the device as it is
 */
export function continueTap(
  options: TapOptions,
  { home, ...facts }: TapFacts,
  fds: readonly number[],
  custody: { readonly isOurs: boolean },
): TapHandle {
  const [fd, ...moreQueues] = fds;
  return new OpenedTap(options, { ...facts, fd, moreQueues }, pathOf(options.netns), home, custody);
}

class OpenedTap implements TapHandle {
  readonly fd: number;
  readonly ifname: string;
  readonly netns: string | undefined;
  readonly offload: number;
  readonly vnetHeaderSize: number;
  readonly isForeign: boolean;
  readonly isUnsteered: boolean;
  mac: string;
  mtu: number;
  /** Descriptors of its queues; empty when closed. */
  private readonly fds: number[];
  private given = 1;
  private seen: TapState | null;

  /** @param home number of its namespace */
  constructor(
    private readonly options: TapOptions,
    private readonly opened: native.OpenedTap,
    private readonly path: { netns?: string },
    private readonly home: number,
    private readonly custody: { readonly isOurs: boolean } = { isOurs: true },
  ) {
    ({ fd: this.fd, offload: this.offload, vnetHeaderSize: this.vnetHeaderSize, isForeign: this.isForeign } = opened);
    ({ ifname: this.ifname, mac: this.mac, mtu: this.mtu } = opened);
    this.netns = path.netns;
    this.fds = [opened.fd, ...opened.moreQueues];
    this.isUnsteered = opened.moreQueues.length > 0 && opened.isSteered === false;
    const { ifname, mtu } = opened;
    if (options.layer3 === true) this.mac = (options.mac ?? options.newMac ?? opened.mac).toLowerCase();
    const { mac } = this;
    this.seen = { ifname, mac, mtu, netns: this.home, index: 0, up: options.up ?? true };
    this.seen = this.state();
  }

  state(): TapState | null {
    if (this.fds.length === 0) return null;
    const { fd, path, seen } = this;
    try {
      const found = native.tapState({ fd, ...path, ...(seen === null ? {} : { seen }) });
      // Of a namespace that may not be entered, the NIC's MTU and MAC are taken to be those last set.
      this.seen = found?.mtu === 0 ? { ...found, mac: this.mac, mtu: this.mtu } : found;
      if (this.seen !== null && this.options.layer3 === true) this.seen = { ...this.seen, mac: this.mac };
    } catch {
      // No descriptor was free, or the owner renames and moves the device continuously.
    }
    if (this.isLeftBehind()) return null;
    this.mac = this.seen?.mac ?? this.mac;
    return this.seen;
  }

  /** The descriptor of a TAP that was opened in its namespace keeps that alive after the namespace has lost its name. */
  private isLeftBehind(): boolean {
    const { opened, path, home, seen } = this;
    return (
      (opened.takenOver || opened.madeInside) &&
      path.netns !== undefined &&
      seen?.netns === home &&
      netnsNumber(path.netns) !== home
    );
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
    // The descriptor number may have been reused.
    const kind = kindOf(options);
    if (fds.length === 0) throw new TapError(`cannot ${verb} the ${kind} ${options.ifname}: it was closed`, 'EBADF');
    if (this.isLeftBehind())
      throw new TapError(
        `cannot ${verb} the ${kind} ${nameOf(options)}: the network namespace ${options.netns} is gone`,
        'ENOENT',
      );
    return withWords(action, (error) => explainChange(error, options, this.mtu, verb));
  }

  private change(changes: TapNicChanges): void {
    this.attempt('change', () => native.setTapNic({ fd: this.fd, ...this.path, ...changes }));
  }

  setMtu(mtu: number): void {
    this.change({ mtu, ...segmentsOf(this.options, mtu) });
    this.mtu = mtu;
  }

  setMac(mac: string): void {
    if (this.options.layer3 !== true) this.change({ mac });
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

  bequeath(): { facts: TapFacts; fds: number[] } {
    const { fd: _, moreQueues: __, ...opened } = this.opened;
    return { facts: { ...opened, mac: this.mac, mtu: this.mtu, home: this.home }, fds: [...this.fds] };
  }

  close(): void {
    const fds = this.fds.splice(0);
    if (fds.length > 0 && this.isForeign && this.custody.isOurs)
      native.leaveTap(this.fd, this.opened.foundVnetHeaderSize);
    for (const fd of fds) native.closeFd(fd);
    this.given = 0;
  }

  discard(): void {
    if (this.fds.length > 0 && !this.isForeign && this.custody.isOurs) {
      try {
        native.setTapPersist(this.fd, this.opened.takenOver);
      } catch {
        // The device is already gone.
      }
    }
    this.close();
  }
}
