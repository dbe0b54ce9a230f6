/**
 * Observed frames as blocks of a capture file (`wire/pcapng.ts`) for one client: an interface for each port and for each remote, one
 * packet where a frame came in and one for each copy, all with one packet id, the decision as a comment. Pure.
 */
import { TAG_POP, TAG_PUSH, TAG_REPLACE, TAG_SERVICE } from '../../port/packet-io.js';
import { ETHERTYPE_QINQ, ETHERTYPE_VLAN } from '../../wire/ethernet.js';
import {
  INBOUND,
  interfaceBlock,
  LINK_ETHERNET,
  OUTBOUND,
  packetBlock,
  sectionBlock,
  statisticsBlock,
} from '../../wire/pcapng.js';
import { VLAN_TAG } from '../../wire/vlan.js';
import type { ObservedCopy, ObservedFrame, ObservedPort } from '../controls.js';

/** Interfaces at most; packets of further remotes are shown at their port. */
const MAX_INTERFACES = 4096;
const TAG_OPERATION = 3 << 16;
/** Bytes of a packet's block beside its data, about. */
const PACKET_OVERHEAD = 128;
/** Bytes of both MACs. */
const MACS = 12;

interface Interface {
  index: number;
  received: number;
  dropped: number;
  /** Of `dropped`, those that no packet has told of; and whether the statistics are old. */
  untold: number;
  stale: boolean;
}

export class CaptureBlocks {
  private readonly interfaces = new Map<string, Interface>();
  /** Packets lost on all interfaces. */
  lost = 0;

  /**
   * @param wanted ports and addresses of remotes whose packets are wanted; null: all
   * @param snaplen most bytes of a packet
   * @param application the program that wrote the capture
   */
  constructor(
    private readonly wanted: ReadonlySet<string> | null,
    private readonly snaplen: number,
    private readonly application: string,
    private readonly ports: readonly ObservedPort[],
  ) {}

  /** The beginning of a capture. */
  begin(): Uint8Array[] {
    const blocks = [sectionBlock({ os: 'Linux', application: this.application })];
    for (const { name, isTunnel, description } of this.ports) {
      if (this.wanted === null || this.wanted.has(name) || (isTunnel && this.wanted.size === 0)) {
        this.interfaceOf(name, undefined, blocks, description);
      }
    }
    return blocks;
  }

  /**
   * The packets of a frame, with new interfaces before them. Empty: it was on none of the wanted interfaces.
   * @param room bytes: copies beyond it are lost. A superframe that is flooded to a thousand remotes is 64 MB of packets.
   */
  of(frame: ObservedFrame, room: number): Uint8Array[] {
    const blocks: Uint8Array[] = [];
    const { id, time, port, remote, vlan } = frame;
    let left = room;
    if (frame.verdict !== 'originated' && this.wants(port, remote)) {
      const comment = commentOf({ ...frame, copies: frame.copies.length });
      const data = frame.bytes.subarray(0, this.snaplen);
      this.add(blocks, port, remote, { id, time, data, length: frame.length, flags: INBOUND, comment });
    }
    for (const copy of frame.copies) {
      if (!this.wants(copy.port, copy.remote)) continue;
      if (left <= 0) {
        this.lose(copy.port, 1);
        continue;
      }
      const verdict = copy.reason === undefined ? (frame.verdict === 'originated' ? 'originated' : 'sent') : 'dropped';
      const comment = commentOf({ verdict, ...(vlan === undefined ? {} : { vlan }), ...copy });
      const { data, length } = leaving(frame, copy, this.snaplen);
      this.add(blocks, copy.port, copy.remote, { id, time, data, length, flags: OUTBOUND, comment });
      left -= PACKET_OVERHEAD + data.length;
    }
    return blocks;
  }

  /** Packets of a port that were lost. */
  lose(port: string, count: number): void {
    if (this.wanted !== null && !this.wanted.has(port)) return;
    const at = this.interfaces.get(port);
    if (at === undefined) return;
    at.dropped += count;
    at.untold += count;
    at.stale = true;
    this.lost += count;
  }

  /** Packets that were made, and could not be sent to the client. */
  loseAll(frame: ObservedFrame): void {
    this.lose(frame.port, 1);
    for (const { port } of frame.copies) this.lose(port, 1);
  }

  /** Statistics of the interfaces that have changed. @param now nanoseconds since 1970 */
  statistics(now: bigint): Uint8Array[] {
    const stale = [...this.interfaces.values()].filter((one) => one.stale);
    return stale.map((one) => {
      one.stale = false;
      return statisticsBlock({ interface: one.index, time: now, received: one.received, dropped: one.dropped });
    });
  }

  private wants(port: string, remote: string | undefined): boolean {
    const { wanted } = this;
    return wanted === null || wanted.has(port) || (remote !== undefined && wanted.has(remote));
  }

  private add(
    blocks: Uint8Array[],
    port: string,
    remote: string | undefined,
    packet: { id: bigint; time: bigint; data: Uint8Array; length: number; flags: number; comment: string },
  ): void {
    const at = this.interfaceOf(port, remote, blocks);
    const own = this.interfaces.get(port) ?? at;
    const { id, comment, ...rest } = packet;
    at.received++;
    at.stale = true;
    const dropCount = own.untold;
    own.untold = 0;
    // The loss belongs to the interface whose packet tells of it.
    own.dropped -= dropCount;
    own.stale ||= dropCount > 0;
    at.dropped += dropCount;
    const lost = dropCount === 0 ? {} : { dropCount };
    blocks.push(packetBlock({ interface: at.index, packetId: id, comments: [comment], ...lost, ...rest }));
  }

  private interfaceOf(port: string, remote: string | undefined, blocks: Uint8Array[], description?: string): Interface {
    const isOwn = remote !== undefined && this.interfaces.size < MAX_INTERFACES;
    const name = isOwn ? `${port}/${remote}` : port;
    const known = this.interfaces.get(name);
    if (known !== undefined) return known;
    const made = { index: this.interfaces.size, received: 0, dropped: 0, untold: 0, stale: false };
    this.interfaces.set(name, made);
    const text = description ?? (isOwn ? `remote ${remote} of ${port}` : port);
    blocks.push(interfaceBlock({ name, description: text, linkType: LINK_ETHERNET, snaplen: this.snaplen }));
    return made;
  }
}

interface Facts {
  verdict: string;
  reason?: string;
  port: string;
  vlan?: number;
  vni?: number;
  remote?: string;
  copies?: number;
}

/** As `overtap verdict=flooded port=tap1 vlan=10 copies=3`. */
function commentOf({ verdict, reason, port, vlan, vni, remote, copies }: Facts): string {
  let text = `overtap verdict=${verdict}`;
  if (reason !== undefined) text += ` reason=${reason}`;
  text += ` port=${port}`;
  if (vlan !== undefined) text += ` vlan=${vlan}`;
  if (vni !== undefined) text += ` vni=${vni}`;
  if (remote !== undefined) text += ` remote=${remote}`;
  return copies === undefined ? text : `${text} copies=${copies}`;
}

/** The bytes of a copy, after its tag operation. */
function leaving(
  { bytes, length }: ObservedFrame,
  { tag }: ObservedCopy,
  snaplen: number,
): { data: Uint8Array; length: number } {
  const operation = tag & TAG_OPERATION;
  if (operation === 0 || bytes.length < MACS + VLAN_TAG) return { data: bytes.subarray(0, snaplen), length };
  if (operation === TAG_POP) {
    const data = new Uint8Array(bytes.length - VLAN_TAG);
    data.set(bytes.subarray(0, MACS));
    data.set(bytes.subarray(MACS + VLAN_TAG), MACS);
    return { data: data.subarray(0, snaplen), length: length - VLAN_TAG };
  }
  const pushed = operation === TAG_PUSH ? VLAN_TAG : 0;
  const data = new Uint8Array(bytes.length + pushed);
  data.set(bytes.subarray(0, MACS));
  data.set(bytes.subarray(MACS), MACS + pushed);
  const view = new DataView(data.buffer);
  if (operation !== TAG_REPLACE) view.setUint16(MACS, (tag & TAG_SERVICE) !== 0 ? ETHERTYPE_QINQ : ETHERTYPE_VLAN);
  view.setUint16(MACS + 2, tag & 0xffff);
  return { data: data.subarray(0, snaplen), length: length + pushed };
}
