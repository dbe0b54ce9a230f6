/**
 * TAP devices: opens them where they are to be, and changes the NIC of one that is open.
 *
 * Owns the descriptor and the device's life. Never moves a frame: the Nic does, once the descriptor is attached.
 */

import type { TapAddress, TapNicChanges, TapPlace, TapState } from '../native/binding.js';
import * as native from '../native/binding.js';
import { explainChange, explainOpen, netnsPath, TapError, withWords } from './tap-error.js';

export { netnsPath, TapError } from './tap-error.js';

/** TUN_F_*: what the reader of a TAP is able to take in unfinished (linux/if_tun.h). */
export const TUN_F_CSUM = 0x01;
export const TUN_F_TSO4 = 0x02;
export const TUN_F_TSO6 = 0x04;
export const TUN_F_USO4 = 0x20;
export const TUN_F_USO6 = 0x40;
const TSO = TUN_F_TSO4 | TUN_F_TSO6;
/** What the addon's Nic splits and completes. */
export const ALL_OFFLOADS = TUN_F_CSUM | TSO | TUN_F_USO4 | TUN_F_USO6;

/** Bytes of one send (UDP over IPv4), and of VXLAN and Ethernet headers around each segment's IP packet. */
const SEND_BYTES = 65_507;
const SEGMENT_OVERHEAD = 8 + 14;
/** Segments of one send. */
const SEND_SEGMENTS = 64;
/** What the kernel gives a new TAP. */
const DEFAULT_MTU = 1500;

export interface TapOptions {
  /** Name (as of `ip netns`) or path of a network namespace; absent: the switch's own. */
  netns?: string;
  ifname: string;
  /** Absent: the kernel's choice. */
  mac?: string;
  mtu?: number;
  addresses?: readonly TapAddress[];
  /** The device outlives the switch. Default false. */
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

export interface TapHandle {
  readonly fd: number;
  readonly ifname: string;
  /** Path of the namespace's file, when it is not the switch's own. */
  readonly netns: string | undefined;
  /** In lower case, as the kernel shows it. */
  readonly mac: string;
  readonly mtu: number;
  readonly offload: number;
  /** For `attachTap`; 0: none. */
  readonly vnetHeaderSize: number;
  /** `null` when the device or its namespace is gone. */
  state(): TapState | null;
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
  /** Whether the device outlives `close`. */
  setPersist(on: boolean): void;
  /**
   * The descriptor of a further queue, which belongs to this handle: one of those that were opened with the TAP, else a new
   * one. A new one in another namespace keeps that namespace in being until it is closed.
   * @throws TapError, with code EINVAL when the TAP is not multi-queue
   */
  openQueue(): number;
  /** Detach it first. A TAP that is not persistent is gone with it. A second call does nothing. */
  close(): void;
}

/** Where a device is, as the addon wants it. */
function placeOf(ifname: string, netns: string | undefined): TapPlace {
  return netns === undefined ? { ifname } : { ifname, netns: netnsPath(netns) };
}

/**
 * The device as its namespace has it, whoever set it so; `null` when the device or the namespace is gone.
 * @param netns name or path; absent: the switch's own
 */
export function tapState(ifname: string, netns?: string): TapState | null {
  return native.tapState(placeOf(ifname, netns));
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
  const place = placeOf(options.ifname, netns);
  const segments = (mtu: number): { gsoMaxSegs?: number } => {
    const most = gsoMaxSegs ?? ((offload & TSO) === 0 ? undefined : segmentsPerSend(mtu));
    return most === undefined ? {} : { gsoMaxSegs: most };
  };
  const opened = withWords(
    () =>
      native.openTap({ ...rest, ...place, persist, multiQueue, up, offload, ...segments(options.mtu ?? DEFAULT_MTU) }),
    (error) => explainOpen(error, options, options.mtu),
  );
  const fds = [opened.fd, ...opened.moreQueues];
  let given = 1;
  let { mac, mtu } = opened;
  const change = (changes: TapNicChanges): void =>
    withWords(
      () => native.setTapNic({ ...place, ...changes }),
      (error) => explainChange(error, options, mtu),
    );
  return {
    fd: opened.fd,
    ifname: opened.ifname,
    netns: place.netns,
    get mac() {
      return mac;
    },
    get mtu() {
      return mtu;
    },
    offload: opened.offload,
    vnetHeaderSize: opened.vnetHeaderSize,
    state: () => native.tapState(place),
    setMtu(bytes) {
      change({ mtu: bytes, ...segments(bytes) });
      mtu = bytes;
    },
    setMac(address) {
      change({ mac: address });
      mac = address.toLowerCase();
    },
    addAddresses(addresses) {
      if (addresses.length > 0) change({ addresses });
    },
    removeAddresses(addresses) {
      if (addresses.length > 0) change({ removeAddresses: addresses });
    },
    setPersist(on) {
      // The number may be another file's by now.
      if (fds.length === 0) throw new TapError(`cannot change the TAP ${options.ifname}: it was closed`, 'EBADF');
      withWords(
        () => native.setTapPersist(opened.fd, on),
        (error) => explainChange(error, options, mtu),
      );
    },
    openQueue() {
      if (given === fds.length)
        fds.push(
          withWords(
            () => native.openTapQueue({ ...place, vnetHeader: opened.vnetHeaderSize > 0 }),
            (error) => `cannot open a queue of the TAP ${options.ifname}: ${error.message}`,
          ),
        );
      return fds[given++];
    },
    close() {
      for (const fd of fds.splice(0)) native.closeFd(fd);
      given = 0;
    },
  };
}
