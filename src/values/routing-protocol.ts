/** Who has put an entry in: numbers of linux/rtnetlink.h (RTPROT_*), and names of iproute2 (rt_protos). */

const NAMES: readonly (readonly [number, string])[] = [
  [0, 'unspec'],
  [1, 'redirect'],
  [2, 'kernel'],
  [3, 'boot'],
  [4, 'static'],
  [8, 'gated'],
  [9, 'ra'],
  [10, 'mrt'],
  [11, 'zebra'],
  [12, 'bird'],
  [13, 'dnrouted'],
  [14, 'xorp'],
  [15, 'ntk'],
  [16, 'dhcp'],
  [18, 'keepalived'],
  [42, 'babel'],
  [186, 'bgp'],
  [187, 'isis'],
  [188, 'ospf'],
  [189, 'rip'],
  [192, 'eigrp'],
];

/** The least that may be given: smaller ones are the kernel's own. */
const STATIC = 4;

/** The name of a number, or its digits. */
export function protocolName(proto: number): string {
  return NAMES.find(([number]) => number === proto)?.[1] ?? String(proto);
}

/** The number of a name, or of digits, that may be given for an entry; null: neither. */
export function routingProtocol(text: string): number | null {
  const named = NAMES.find(([, name]) => name === text)?.[0];
  const number = named ?? (/^[0-9]{1,3}$/.test(text) ? Number(text) : Number.NaN);
  return number >= STATIC && number <= 255 ? number : null;
}
