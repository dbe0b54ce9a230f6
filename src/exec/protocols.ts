/** Numbers of routing protocols (linux/rtnetlink.h, RTPROT_*) for the names that the switch has. */
const PROTOCOLS: Readonly<Record<string, number>> = {
  unspec: 0,
  redirect: 1,
  kernel: 2,
  boot: 3,
  static: 4,
  gated: 8,
  ra: 9,
  mrt: 10,
  zebra: 11,
  bird: 12,
  dnrouted: 13,
  xorp: 14,
  ntk: 15,
  dhcp: 16,
  keepalived: 18,
  babel: 42,
  openr: 99,
  bgp: 186,
  isis: 187,
  ospf: 188,
  rip: 189,
  eigrp: 192,
};

/** Of a name, or of the digits of a number without one. */
export const protocolCode = (name: string): number =>
  PROTOCOLS[name] ?? (/^[0-9]{1,3}$/.test(name) ? Math.min(Number(name), 255) : 0);

export const protocolName = (code: number): string | undefined =>
  Object.keys(PROTOCOLS).find((name) => PROTOCOLS[name] === code);
