/** The addresses of an IP packet of either version, as four words each; IPv4 as ::ffff:a.b.c.d. */
import { setMapped } from '../../wire/ip-address.js';
import { ipVersion, ipv4Destination, ipv4Source } from '../../wire/ipv4.js';
import { ipv6Destination, ipv6Source } from '../../wire/ipv6.js';

/** @param l3 offset of the IP header, which is whole; the last two arrays are written */
export function readAddresses(view: DataView, l3: number, source: Int32Array, destination: Int32Array): void {
  if (ipVersion(view, l3) === 4) {
    setMapped(destination, 0, ipv4Destination(view, l3));
    setMapped(source, 0, ipv4Source(view, l3));
    return;
  }
  for (let word = 0; word < 4; word++) {
    destination[word] = ipv6Destination(view, l3, word);
    source[word] = ipv6Source(view, l3, word);
  }
}
