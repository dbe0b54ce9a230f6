/**
 * A look at a wire that owes nothing to overtap: libpcap captures, the decoders of `cap` read the headers.
 *
 *   node sniff.js IFNAME FILTER MEGABYTES   prints {"ready": true}, then one JSON line a frame
 *
 * Each line: {"length", "hex": first bytes of the frame, "ip"?: {...}, "udp"?: {...}, "payload"?: first bytes of UDP's}
 */
import cap from 'cap';

const { Cap, decoders } = cap;

/** A line of output. */
interface Frame {
  length: number;
  hex: string;
  ip?: { source: string; destination: string; ttl: number; length: number; tos: number; df: boolean; mf: boolean };
  udp?: { source: number; destination: number; length: number; checksum: number };
  payload?: string;
}

const SHOWN = 128;

const [ifname, filter, megabytes] = process.argv.slice(2);
const buffer = Buffer.alloc(65536);
const capture = new Cap();
const linkType = capture.open(ifname, filter, Number(megabytes) * 1024 * 1024, buffer);
if (linkType !== 'ETHERNET') throw new Error(`${ifname} is no Ethernet NIC but ${linkType}`);

capture.on('packet', (length) => {
  const frame: Frame = { length, hex: buffer.toString('hex', 0, Math.min(length, SHOWN)) };
  const ethernet = decoders.Ethernet(buffer);
  if (ethernet.info.type === decoders.PROTOCOL.ETHERNET.IPV4) {
    const ip = decoders.IPV4(buffer, ethernet.offset);
    const { srcaddr, dstaddr, ttl, totallen, protocol, flags, dscp, ecn } = ip.info;
    // The bits are "reserved, do not fragment, more fragments", the last one lowest.
    const bits = { df: (flags & 2) !== 0, mf: (flags & 1) !== 0 };
    frame.ip = { source: srcaddr, destination: dstaddr, ttl, length: totallen, tos: (dscp << 2) | ecn, ...bits };
    if (protocol === decoders.PROTOCOL.IP.UDP) {
      const udp = decoders.UDP(buffer, ip.offset);
      const { srcport, dstport, length, checksum } = udp.info;
      frame.udp = { source: srcport, destination: dstport, length, checksum };
      frame.payload = buffer.toString('hex', udp.offset, Math.min(frame.length, udp.offset + SHOWN));
    }
  }
  process.stdout.write(`${JSON.stringify(frame)}\n`);
});
process.stdout.write('{"ready":true}\n');
