/**
 * Which datagrams are those of a DHCP server or relay agent: to the ports of clients, and answers to the ports of servers, where relay
 * agents wait for them (RFC 2131 section 4.1, RFC 8415 sections 7.2 and 7.3). The source port says nothing: clients do not look at it.
 *
 * Only ports and the first byte of the payload are read: BOOTP's `op`, or the message type of DHCPv6.
 */
import { UDP_HEADER, udpDestinationPort } from './udp.js';

const SERVER_PORT4 = 67;
const CLIENT_PORT4 = 68;
const CLIENT_PORT6 = 546;
const SERVER_PORT6 = 547;

/** RFC 951: the answer of a server. */
const BOOT_REPLY = 2;
/** RFC 8415 section 7.3: ADVERTISE, REPLY, RECONFIGURE, RELAY-REPL. */
const SERVER_TYPES = [2, 7, 10, 13] as const;

/**
 * Whether a UDP header over IPv4 is that of a server's message.
 * @param end of what may be read; a message whose first byte is behind it counts as one
 */
export function isDhcp4ServerMessage(view: DataView, l4: number, end: number): boolean {
  const port = udpDestinationPort(view, l4);
  if (port !== SERVER_PORT4) return port === CLIENT_PORT4;
  return end - l4 <= UDP_HEADER || view.getUint8(l4 + UDP_HEADER) === BOOT_REPLY;
}

/** As above, over IPv6. */
export function isDhcp6ServerMessage(view: DataView, l4: number, end: number): boolean {
  const port = udpDestinationPort(view, l4);
  if (port !== SERVER_PORT6) return port === CLIENT_PORT6;
  return end - l4 <= UDP_HEADER || isServerType(view.getUint8(l4 + UDP_HEADER));
}

function isServerType(type: number): boolean {
  return type === SERVER_TYPES[0] || type === SERVER_TYPES[1] || type === SERVER_TYPES[2] || type === SERVER_TYPES[3];
}

/** Whether a datagram goes to a port of DHCP at all, of clients or servers, of either version. */
export function isDhcpPort(view: DataView, l4: number): boolean {
  const port = udpDestinationPort(view, l4);
  return port === SERVER_PORT4 || port === CLIENT_PORT4 || port === CLIENT_PORT6 || port === SERVER_PORT6;
}
