/**
 * Existing interfaces, attached by packet sockets: a veth end, the vnet0 of a virtual machine, a NIC, a bond.
 *
 * Owns the descriptors: closing them takes the interface out of promiscuous mode and gives the host's stack its frames back, also
 * when the process is killed. Changes nothing of the interface but its LRO. Never moves a frame: the PacketIo does.
 */
import type { NetdevState } from '../native/binding.js';
import * as native from '../native/binding.js';
import { deviceOfDefaultRoute } from './default-route.js';
import { explainNetdev, NetdevError } from './netdev-error.js';
import { netnsNumber, netnsPath } from './netns.js';
import { VNET_HEADER_SIZE } from './packet-io.js';
import { nameOf } from './tap-error.js';

export type { NetdevState } from '../native/binding.js';
export { NetdevError } from './netdev-error.js';

export interface NetdevOptions {
  /** Name (as of `ip netns`) or path of a network namespace; absent: the switch's own. */
  netns?: string;
  ifname: string;
  /** Packet sockets, one for each engine. */
  queues: number;
  /** They receive by rings, where the kernel can do that. */
  ring: boolean;
  /** The host's stack keeps what the interface receives. */
  host: boolean;
  /** Attaches the interface of the default route even without `host`. */
  force: boolean;
}

export interface NetdevHandle {
  readonly fds: readonly number[];
  /** For `attachTap`. */
  readonly vnetHeaderSize: number;
  /** Whether the host's stack gets nothing from the interface. */
  readonly isSilent: boolean;
  /** Last known MTU in bytes, and MAC. */
  readonly mtu: number;
  readonly mac: string;
  /** Frames lost so far because the engines did not read them in time. */
  readonly missed: number;
  /** `null`: the interface was deleted or moved to another namespace; the handle stays without one then. */
  state(): NetdevState | null;
  /** What `continueNetdev` in another process needs; the descriptors stay this handle's too. */
  bequeath(): { home: number; silencer: boolean; fds: number[] };
  /** Gives the host's stack its frames back: a moved interface would stay silenced. Idempotent. */
  release(): void;
  /** Idempotent. */
  close(): void;
}

/**
 * Attaches an interface. Without `host` its frames are kept from the host's stack, where the kernel can do that (`isSilent`).
 * @throws NetdevError
 */
export function openNetdev(options: NetdevOptions): NetdevHandle {
  refuseDefaultRoute(options);
  const { netns, ifname, queues, ring, host } = options;
  try {
    const place = netns === undefined ? { ifname } : { ifname, netns: netnsPath(netns) };
    return new OpenedNetdev(native.openNetdev({ ...place, queues, ring, silence: !host }), netns);
  } catch (error) {
    throw native.isNativeError(error) ? new NetdevError(explainNetdev(error, options), error.code, error) : error;
  }
}

/**
 * Goes on with an interface that the process before this one has attached.
 * @param fds as given by `bequeath`: packet sockets, and the silencer behind them
 */
export function continueNetdev(
  netns: string | undefined,
  { home, silencer }: { home: number; silencer: boolean },
  fds: readonly number[],
): NetdevHandle {
  const sockets = silencer ? fds.slice(0, -1) : [...fds];
  return new OpenedNetdev({ fds: sockets, silencer: silencer ? (fds.at(-1) ?? -1) : -1 }, netns, home);
}

/** Whether the interface is there, as far as can be told. @param netns as in NetdevOptions */
export function hasInterface({ ifname, netns }: { ifname: string; netns?: string | undefined }): boolean {
  try {
    return native.linkState({ ifname, ...(netns === undefined ? {} : { netns: netnsPath(netns) }) }) !== null;
  } catch {
    return true;
  }
}

/** The host would be cut off from the network, and so would whoever types the command over it. */
function refuseDefaultRoute({ ifname, netns, host, force }: NetdevOptions): void {
  if (host || force || netnsNumber(netns) !== netnsNumber()) return;
  const device = deviceOfDefaultRoute(ifname);
  if (device === null) return;
  const route = device === ifname ? 'it has' : `it is a part of ${device}, which has`;
  throw new NetdevError(
    `cannot attach the interface ${nameOf({ ifname, netns })}: ${route} the default route of this host, which would be cut off; ` +
      'with "host: true" the host keeps its traffic, with "force: true" it is cut off',
    'EBUSY',
  );
}

class OpenedNetdev implements NetdevHandle {
  readonly fds: readonly number[];
  readonly vnetHeaderSize = VNET_HEADER_SIZE;
  isSilent: boolean;
  mtu = 0;
  mac = '';
  missed = 0;
  private isOpen = true;
  private seen: NetdevState | null = null;

  /** @param home number of the namespace at opening */
  constructor(
    private readonly opened: native.OpenedNetdev,
    private readonly netns: string | undefined,
    private readonly home = netnsNumber(netns),
  ) {
    this.fds = opened.fds;
    this.isSilent = opened.silencer >= 0;
    this.state();
  }

  bequeath(): { home: number; silencer: boolean; fds: number[] } {
    const { home, isSilent } = this;
    return { home, silencer: isSilent, fds: [...this.fds, ...(isSilent ? [this.opened.silencer] : [])] };
  }

  state(): NetdevState | null {
    // The sockets keep a namespace alive that has lost its name.
    if (!this.isOpen || netnsNumber(this.netns) !== this.home) return null;
    try {
      for (const fd of this.fds) this.missed += native.netdevMissed(fd);
      this.seen = native.netdevState(this.fds[0]);
    } catch {
      // It was renamed while the question was asked.
    }
    this.mtu = this.seen?.mtu ?? this.mtu;
    this.mac = this.seen?.mac ?? this.mac;
    return this.seen;
  }

  release(): void {
    if (this.isSilent) native.closeFd(this.opened.silencer);
    this.isSilent = false;
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const fd of this.fds) native.closeFd(fd);
    this.release();
  }
}
