/**
 * sFlow version 5 (sflow_version_5.txt of sflow.org, and sflow_tunnels.txt for the tunnel structures): datagrams of flow samples and
 * counter samples. Makes bytes, sends nothing.
 */
import type { PortAccount } from '../../dataplane/state/counters.js';
import type { FrameRecord } from '../../dataplane/state/observer-reader.js';
import { addressBytes, fateOf, interfaceOf } from './sampled.js';
import { Writer } from './writer.js';

/** A datagram is sent when it has so many bytes; one sample more fits into it. */
const FULL = 900;
const SIZE = 2048;

const FLOW_SAMPLE = 1;
const COUNTER_SAMPLE = 2;
const RAW_HEADER = 1;
const ETHERNET = 1;
const FCS = 4;
const EXTENDED_SWITCH = 1001;
const TUNNEL4_EGRESS = 1023;
const TUNNEL4_INGRESS = 1024;
const TUNNEL6_EGRESS = 1025;
const TUNNEL6_INGRESS = 1026;
const VNI_EGRESS = 1029;
const VNI_INGRESS = 1030;
const INTERFACE_COUNTERS = 1;
const ETHERNET_CSMACD = 6;
/** Upper bits of an output interface: discarded, with a reason; several. */
const DISCARDED = 0x40000000;
const SEVERAL = 0x80000000;
const REASON_UNKNOWN = 256;
const NOT_COUNTED = 0xffffffff;
const UDP = 17;
/** Ethernet, UDP and VXLAN headers of an outer packet. */
const OUTER = 30;

type Words = readonly [number, number, number, number];

export interface SflowSite {
  /** 4 or 16 bytes. */
  agent: Uint8Array;
  /** Milliseconds since the switch has started. */
  uptime(): number;
  /** The outer address and UDP port of this switch on a port. */
  local(port: number): { words: Words; udpPort: number };
}

export class SflowAgent {
  private readonly writer = new Writer(SIZE);
  private samples = 0;
  private countAt = 0;
  private sequence = 0;
  private flowSequence = 0;
  private counterSequence = 0;

  constructor(
    private readonly site: SflowSite,
    private readonly send: (datagram: Buffer) => void,
  ) {}

  /** @param pool frames that could have been sampled; @param drops samples that were lost */
  flow(record: FrameRecord, interval: number, pool: number, drops: number): void {
    this.begin();
    const { writer } = this;
    const end = this.sample(FLOW_SAMPLE);
    const { sent, reason } = fateOf(record);
    writer
      .u32(++this.flowSequence)
      .u32(interfaceOf(record.port))
      .u32(interval)
      .u32(pool)
      .u32(drops);
    writer.u32(interfaceOf(record.port));
    if (sent.length === 1) writer.u32(interfaceOf(sent[0].port));
    else if (sent.length > 1) writer.u32(SEVERAL | sent.length);
    else writer.u32(reason < 0 ? 0 : DISCARDED | REASON_UNKNOWN);
    const countAt = writer.at;
    writer.u32(0);
    writer.patch32(countAt, this.records(record));
    end();
  }

  private records(record: FrameRecord): number {
    const { vid, vni, remote } = record;
    const { sent } = fateOf(record);
    let count = 1;
    this.rawHeader(record);
    if (vid !== 0) {
      count++;
      this.record(EXTENDED_SWITCH, () => this.writer.u32(vid).u32(0).u32(vid).u32(0));
    }
    if (remote !== null) {
      count += 2;
      this.record(VNI_INGRESS, () => this.writer.u32(vni));
      this.tunnel(
        TUNNEL4_INGRESS,
        TUNNEL6_INGRESS,
        record.length,
        remote,
        this.site.local(record.port).words,
        record.port,
      );
    }
    const copy = sent.find((one) => one.remote !== null);
    if (copy?.remote != null) {
      count += 2;
      this.record(VNI_EGRESS, () => this.writer.u32(copy.vni));
      this.tunnel(
        TUNNEL4_EGRESS,
        TUNNEL6_EGRESS,
        record.length,
        this.site.local(copy.port).words,
        copy.remote,
        copy.port,
      );
    }
    return count;
  }

  private rawHeader({ bytes, length }: FrameRecord): void {
    this.record(RAW_HEADER, () => {
      this.writer
        .u32(ETHERNET)
        .u32(length + FCS)
        .u32(FCS)
        .u32(bytes.length)
        .put(bytes)
        .pad();
    });
  }

  /** sampled_ipv4 or sampled_ipv6 of the outer header. */
  private tunnel(v4: number, v6: number, length: number, source: Words, destination: Words, port: number): void {
    const [from, to] = [addressBytes(source), addressBytes(destination)];
    const isV4 = from.length === 4 && to.length === 4;
    const { udpPort } = this.site.local(port);
    this.record(isV4 ? v4 : v6, () => {
      this.writer.u32(length + OUTER - 14 + (isV4 ? 20 : 40)).u32(UDP);
      for (const address of [from, to]) this.writer.put(isV4 ? address : mapped(address));
      this.writer.u32(0).u32(udpPort).u32(0).u32(0);
    });
  }

  /** One direction of generic interface counters: multicast and broadcast are not told apart, and errors are none. */
  private direction(bytes: number, packets: number, drops: number, last: number): void {
    const { writer } = this;
    writer
      .u64(bytes)
      .u32(packets % 2 ** 32)
      .u32(NOT_COUNTED)
      .u32(NOT_COUNTED);
    writer
      .u32(drops % 2 ** 32)
      .u32(0)
      .u32(last);
  }

  counters(port: number, isUp: boolean, { traffic, rx, tx }: PortAccount): void {
    this.begin();
    const { writer } = this;
    const end = this.sample(COUNTER_SAMPLE);
    const sum = (drops: PortAccount['rx']): number => Object.values(drops).reduce((total, count) => total + count, 0);
    writer
      .u32(++this.counterSequence)
      .u32(interfaceOf(port))
      .u32(1);
    this.record(INTERFACE_COUNTERS, () => {
      writer
        .u32(interfaceOf(port))
        .u32(ETHERNET_CSMACD)
        .u64(0)
        .u32(1)
        .u32(isUp ? 3 : 0);
      this.direction(traffic.rx_bytes, traffic.rx_packets, sum(rx), NOT_COUNTED);
      // The last word is ifPromiscuousMode.
      this.direction(traffic.tx_bytes, traffic.tx_packets, sum(tx), 0);
    });
    end();
  }

  /** Sends what is there. */
  flush(): void {
    if (this.samples === 0) return;
    this.writer.patch32(this.countAt, this.samples);
    this.samples = 0;
    this.send(this.writer.take());
  }

  private begin(): void {
    if (this.writer.at > FULL) this.flush();
    if (this.samples++ > 0) return;
    const { agent } = this.site;
    this.writer
      .u32(5)
      .u32(agent.length === 4 ? 1 : 2)
      .put(agent);
    this.writer
      .u32(0)
      .u32(++this.sequence)
      .u32(this.site.uptime());
    this.countAt = this.writer.at;
    this.writer.u32(0);
  }

  /** Begins a sample. @returns what ends it */
  private sample(format: number): () => void {
    const at = this.writer.u32(format).at;
    this.writer.u32(0);
    return () => this.writer.patch32(at, this.writer.at - at - 4);
  }

  private record(format: number, write: () => void): void {
    const end = this.sample(format);
    write();
    end();
  }
}

function mapped(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address;
  return Buffer.concat([Buffer.from('00000000000000000000ffff', 'hex'), address]);
}
