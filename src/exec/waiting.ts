/**
 * What scripts say of VNIs that no VLAN of their device is mapped to yet. A device of the kernel takes it in any order; a switch has
 * entries of mapped VNIs only. It is kept here, for as long as the command runs, and said to the switch when the VLAN is mapped.
 */
import type { FdbDelete, FdbFlush, FdbPut, FdbRow, VlansAnswer } from '../api/api.js';
import { ERRNO, NetlinkFault } from '../netlink/fault.js';
import type { VniFacts } from '../netlink/vni.js';

/** Entries and VNIs at most, of all devices of a switch. */
const MOST = 65_536;

/** The lowest bit of the first byte: groups, and broadcast. */
const isForMany = (mac: string): boolean =>
  mac === '00:00:00:00:00:00' || (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;

type Key = Pick<FdbPut, 'vni' | 'src_vni'>;

/** The VNI that an entry of an "external" device is of; undefined: of all that it has. */
export const ownVni = ({ vni, src_vni }: Key): number | undefined => src_vni ?? vni;

/** The VNI that its frames are sent with. */
const sentVni = (key: Key): number | undefined => key.vni ?? ownVni(key);

/** True for a VNI that a VLAN of the device is mapped to. */
export function mappedVnis({ vnis }: VlansAnswer, dev: string): (vni: number) => boolean {
  const ranges = vnis?.find(({ ifname }) => ifname === dev)?.vnis ?? [];
  return (vni) => ranges.some((range) => vni >= range.vni && vni <= (range.vniEnd ?? range.vni));
}

/** A VNI of a device, which tells it from the same one of another device where both have one port and address. */
export interface WaitingVni {
  readonly dev: string;
  readonly vni: number;
  readonly address?: string;
}

export class Waiting {
  private readonly entries = new Map<string, FdbPut>();
  /** By VNI and device: a VNI is asked for with each one that is added. */
  private readonly vnis = new Map<number, Map<string, WaitingVni>>();
  private vniCount = 0;

  /** Nothing waits, which is so with nearly all scripts. */
  get isEmpty(): boolean {
    return this.entries.size + this.vniCount === 0;
  }

  /** Keeps an entry. @throws NetlinkFault as the kernel refuses one */
  put(request: FdbPut): void {
    const { op, mac, dst, nhid } = request;
    if (isForMany(mac)) {
      if (op === 'replace')
        throw new NetlinkFault('an entry of many destinations is not replaced; use append', ERRNO.EOPNOTSUPP);
      if (dst === undefined) throw new NetlinkFault('give the VTEP (dst) that its frames are sent to');
    } else if (op === 'append')
      throw new NetlinkFault('append is for the all-zeros and multicast MACs', ERRNO.EOPNOTSUPP);
    else if (dst === undefined && nhid === undefined)
      throw new NetlinkFault('give the VTEP (dst) that the MAC is behind');
    const key = keyOf(request);
    if (op === 'add' && this.entries.has(key)) throw new NetlinkFault('the entry exists', ERRNO.EEXIST);
    this.checkRoom();
    this.entries.set(key, request);
  }

  /** @returns false: no such entry waits */
  del({ mac, dev, dst, port, ...vnis }: FdbDelete): boolean {
    const before = this.entries.size;
    for (const [key, one] of this.entries) {
      const isSame = one.mac === mac && one.dev === dev && ownVni(one) === ownVni(vnis);
      if (isSame && (dst === undefined || (one.dst === dst && one.port === port))) this.entries.delete(key);
    }
    return this.entries.size < before;
  }

  flush({ dev, vlan, vni, src_vni, dst, port, nhid, state, ...flags }: FdbFlush): void {
    if (dev === undefined || vlan !== undefined) return;
    for (const [key, one] of this.entries) {
      const isMeant =
        one.dev === dev &&
        (vni === undefined || sentVni(one) === vni) &&
        (src_vni === undefined || ownVni(one) === src_vni) &&
        (dst === undefined || one.dst === dst) &&
        (port === undefined || one.port === port) &&
        (nhid === undefined || one.nhid === nhid) &&
        (state === undefined || state === 'all' || state.includes(one.state ?? 'permanent')) &&
        FLAGS.every((flag) => flags[flag] === undefined || flags[flag] === (one[flag] === true)) &&
        flags.offloaded !== true;
      if (isMeant) this.entries.delete(key);
    }
  }

  /** As the switch lists its own. */
  rows(): FdbRow[] {
    return [...this.entries.values()].map(rowOf);
  }

  /** Keeps a VNI, or the address of one that waits. */
  putVni(one: WaitingVni): void {
    const devices = this.vnis.get(one.vni) ?? new Map<string, WaitingVni>();
    if (!devices.has(one.dev)) {
      this.checkRoom();
      this.vniCount++;
    }
    this.vnis.set(one.vni, devices.set(one.dev, one));
  }

  /** @returns false: it does not wait */
  delVni(dev: string, vni: number): boolean {
    const devices = this.vnis.get(vni);
    const isGone = devices?.delete(dev) === true;
    if (isGone) this.vniCount--;
    if (devices?.size === 0) this.vnis.delete(vni);
    return isGone;
  }

  vnisOf(dev: string): VniFacts[] {
    return this.of(dev).map(({ vni, address }) => ({ vni, address }));
  }

  holdersOf(vni: number): string[] {
    return [...(this.vnis.get(vni)?.keys() ?? [])];
  }

  /** What is of a device, and of a VNI that is mapped now; it waits no longer. */
  take(dev: string, isMapped: (vni: number) => boolean): { entries: FdbPut[]; vnis: WaitingVni[] } {
    const entries = [...this.entries].filter(([, one]) => one.dev === dev && isMapped(ownVni(one) ?? 0));
    const vnis = this.of(dev).filter(({ vni }) => isMapped(vni));
    for (const [key] of entries) this.entries.delete(key);
    for (const { vni } of vnis) this.delVni(dev, vni);
    return { entries: entries.map(([, one]) => one), vnis };
  }

  /** The device has gone. */
  forget(dev: string): void {
    for (const [key, one] of this.entries) if (one.dev === dev) this.entries.delete(key);
    for (const { vni } of this.of(dev)) this.delVni(dev, vni);
  }

  /** A text about entries that end with the command; undefined: there are none. */
  get loss(): string | undefined {
    const [first] = this.entries.values();
    if (first === undefined) return undefined;
    const more = this.entries.size === 1 ? '' : ` and ${this.entries.size - 1} more`;
    return `not kept: the FDB entry of ${first.mac} on ${first.dev}${more}, as no VLAN of the device is mapped to VNI ${ownVni(first)}; map it first: bridge vlan add dev ${first.dev} vid VLAN tunnel_info id ${ownVni(first)}`;
  }

  private of(dev: string): WaitingVni[] {
    return [...this.vnis.values()].flatMap((devices) => devices.get(dev) ?? []);
  }

  private checkRoom(): void {
    if (this.entries.size + this.vniCount >= MOST)
      throw new NetlinkFault(`${MOST} entries wait for VLANs of their VNIs already; map these first`, ERRNO.ENOSPC);
  }
}

const FLAGS = ['extern_learn', 'sticky', 'router'] as const;

function keyOf(request: FdbPut): string {
  const { dev, mac, dst, port } = request;
  const place = isForMany(mac) ? ` ${dst} ${port} ${sentVni(request)}` : '';
  return `${dev} ${mac} ${ownVni(request)}${place}`;
}

function rowOf({ mac, dev, dst, port, nhid, state = 'permanent', proto, ...rest }: FdbPut): FdbRow {
  const { vni, src_vni } = rest;
  return {
    mac,
    ifname: dev,
    master: '',
    state,
    moves: 0,
    flags: FLAGS.filter((flag) => rest[flag] === true),
    ...(vni === undefined ? (src_vni === undefined ? {} : { vni: src_vni }) : { vni }),
    ...(vni === undefined || src_vni === undefined || vni === src_vni ? {} : { src_vni }),
    ...(dst === undefined ? {} : { dst }),
    ...(port === undefined ? {} : { port }),
    ...(nhid === undefined ? {} : { nhid }),
    ...(proto === undefined ? {} : { proto }),
  };
}
