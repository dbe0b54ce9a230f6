/**
 * IPFIX messages (RFC 7011) with the elements of RFC 7012 and, for the outer addresses, of VMware (PEN 6876), which Open vSwitch uses too,
 * since the registry of IANA has none. Makes bytes, sends nothing.
 */
import { DROP_REASONS, type DropReason } from '../../dataplane/state/drop-reasons.js';
import type { Flow } from './flows.js';
import { addressBytes } from './sampled.js';
import { Writer } from './writer.js';

const VERSION = 10;
const TEMPLATE_SET = 2;
const SIZE = 2048;
const FULL = 1100;
const VMWARE = 6876;

const TEMPLATE_OTHER = 256;
const TEMPLATE_IPV4 = 257;
const TEMPLATE_IPV6 = 258;

/** Element, length, and enterprise if not IANA. */
type Field = readonly [element: number, length: number, enterprise?: number];

const COMMON: readonly Field[] = [
  [152, 8], // flowStartMilliseconds
  [153, 8], // flowEndMilliseconds
  [2, 8], // packetDeltaCount
  [1, 8], // octetDeltaCount
  [10, 4], // ingressInterface
  [14, 4], // egressInterface
  [56, 6], // sourceMacAddress
  [80, 6], // destinationMacAddress
  [256, 2], // ethernetType
  [58, 2], // vlanId
  [351, 8], // layer2SegmentId
  [89, 1], // forwardingStatus
  [136, 1], // flowEndReason
  [893, 4, VMWARE], // tunnelSourceIPv4Address
  [894, 4, VMWARE], // tunnelDestinationIPv4Address
  [62, 16], // ipNextHopIPv6Address: the VTEP of an underlay of IPv6
];

const ipFields = (source: number, destination: number, size: number): readonly Field[] => [
  [source, size],
  [destination, size],
  [4, 1], // protocolIdentifier
  [5, 1], // ipClassOfService
  [7, 2], // sourceTransportPort
  [11, 2], // destinationTransportPort
];

const TEMPLATES: readonly (readonly [id: number, fields: readonly Field[]])[] = [
  [TEMPLATE_OTHER, COMMON],
  [TEMPLATE_IPV4, [...COMMON, ...ipFields(8, 12, 4)]],
  [TEMPLATE_IPV6, [...COMMON, ...ipFields(27, 28, 16)]],
];

/** layer2SegmentId in IANA's registry: 0x01 is VXLAN, in the first of eight octets; the VNI is in the last three. */
const VXLAN_SEGMENT = 0x01000000;

// forwardingStatus (RFC 7270 section 4.12): the status in two bits, the reason in six.
const FORWARDED = 64;
const DROPPED = 128;
const STATUS: Partial<Record<DropReason, number>> = {
  locked_port: 129,
  isolated_port: 129,
  vlan_not_allowed: 129,
  no_route: 131,
  no_destination: 131,
  neigh_failed: 132,
  mtu_exceeded: 133,
  frame_too_short: 135,
  frame_too_long: 135,
  storm_limited: 138,
  turn_exceeded: 138,
  tx_backpressure: 139,
  source_is_own: 140,
  source_mac_invalid: 140,
  port_down: 142,
};

/** forwardingStatus of a drop reason, an index into DROP_REASONS; -1: forwarded. */
export function statusOf(reason: number): number {
  return reason < 0 ? FORWARDED : (STATUS[DROP_REASONS[reason]] ?? DROPPED);
}

export interface IpfixSite {
  domain(): number;
  /** Milliseconds since 1970. */
  now(): number;
  /** The outer address of this switch on a port, four words. */
  local(port: number): readonly number[];
}

export class IpfixExporter {
  private readonly writer = new Writer(SIZE);
  private records = 0;
  private set = 0;
  private setAt = 0;
  /** Records sent so far, modulo 2^32 (RFC 7011 section 3.1). */
  private sequence = 0;

  constructor(
    private readonly site: IpfixSite,
    private readonly send: (datagram: Buffer) => void,
  ) {}

  /** Sends the templates. Collectors over UDP forget them (RFC 7011 section 8.4). */
  templates(): void {
    this.flush();
    this.begin();
    const { writer } = this;
    const at = writer.at;
    writer.u16(TEMPLATE_SET).u16(0);
    for (const [id, fields] of TEMPLATES) {
      writer.u16(id).u16(fields.length);
      for (const [element, length, enterprise] of fields) {
        writer.u16(enterprise === undefined ? element : element | 0x8000).u16(length);
        if (enterprise !== undefined) writer.u32(enterprise);
      }
    }
    writer.patch16(at + 2, writer.at - at);
    this.finish();
  }

  add(flow: Flow, why: number): void {
    if (this.writer.at > FULL) this.flush();
    if (this.writer.at === 0) this.begin();
    const { family } = flow.headers;
    this.enter(family === 4 ? TEMPLATE_IPV4 : family === 6 ? TEMPLATE_IPV6 : TEMPLATE_OTHER);
    this.common(flow, why);
    if (family !== 0) {
      const { sourceAddress, destinationAddress, protocol, tos, sourcePort, destinationPort } = flow.headers;
      this.writer.put(sourceAddress).put(destinationAddress);
      this.writer.u8(protocol).u8(tos).u16(sourcePort).u16(destinationPort);
    }
    this.records++;
  }

  private common(flow: Flow, why: number): void {
    const { headers, vni, from, to, tunnel } = flow;
    const local = tunnel < 0 ? null : this.site.local(tunnel);
    this.writer.u64(flow.first).u64(flow.last).u64(flow.packets).u64(flow.octets);
    this.writer.u32(flow.ingress).u32(flow.egress).put(headers.source).put(headers.destination);
    this.writer
      .u16(headers.etherType)
      .u16(flow.vid)
      .u32(vni === 0 ? 0 : VXLAN_SEGMENT)
      .u32(vni);
    this.writer.u8(statusOf(flow.reason)).u8(why);
    this.writer.put(v4Of(from ?? local)).put(v4Of(to ?? local));
    const far = to ?? from;
    const bytes = far === null ? NOWHERE : addressBytes(far);
    this.writer.put(bytes.length === 16 ? bytes : NOWHERE);
  }

  /** Sends what is there. */
  flush(): void {
    if (this.writer.at === 0) return;
    this.leave();
    this.finish();
  }

  private enter(set: number): void {
    if (this.set === set) return;
    this.leave();
    this.set = set;
    this.setAt = this.writer.at;
    this.writer.u16(set).u16(0);
  }

  private leave(): void {
    if (this.set !== 0) this.writer.patch16(this.setAt + 2, this.writer.at - this.setAt);
    this.set = 0;
  }

  private begin(): void {
    this.writer
      .u16(VERSION)
      .u16(0)
      .u32(Math.floor(this.site.now() / 1000))
      .u32(this.sequence)
      .u32(this.site.domain());
  }

  private finish(): void {
    this.writer.patch16(2, this.writer.at);
    this.sequence = (this.sequence + this.records) % 2 ** 32;
    this.records = 0;
    this.send(this.writer.take());
  }
}

const NOWHERE = new Uint8Array(16);

function v4Of(words: readonly number[] | null): Uint8Array {
  const bytes = words === null ? NOWHERE : addressBytes(words);
  return bytes.length === 4 ? bytes : NOWHERE.subarray(0, 4);
}
