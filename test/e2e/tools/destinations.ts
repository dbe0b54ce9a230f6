/**
 * Counts what passes a NIC by its IPv4 destination, by libpcap.
 *
 *   node destinations.js IFNAME FILTER      prints {"ready": true}, then, while it changes, a line of
 *       {"total", "distinct", "least", "most"}: datagrams, different addresses, datagrams of the rarest and commonest one
 */
import cap from 'cap';

const EVERY_MS = 100;
/** Of the destination in an Ethernet frame with an IPv4 header. */
const DESTINATION = 14 + 16;

const [ifname, filter] = process.argv.slice(2);
const buffer = Buffer.alloc(65536);
const capture = new cap.Cap();
const linkType = capture.open(ifname, filter, 64 * 1024 * 1024, buffer);
if (linkType !== 'ETHERNET') throw new Error(`${ifname} is no Ethernet NIC but ${linkType}`);

const counts = new Map<number, number>();
let total = 0;
let told = 0;
capture.on('packet', () => {
  const address = buffer.readUInt32BE(DESTINATION);
  counts.set(address, (counts.get(address) ?? 0) + 1);
  total++;
});

const print = (value: object): unknown => process.stdout.write(`${JSON.stringify(value)}\n`);
setInterval(() => {
  if (total === told) return;
  told = total;
  const values = [...counts.values()];
  print({ total, distinct: values.length, least: Math.min(...values), most: Math.max(...values) });
}, EVERY_MS);
print({ ready: true });
