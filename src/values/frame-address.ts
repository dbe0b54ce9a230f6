/** ADDRESS:PORT of a port whose frames are UDP datagrams. */
import { canonicalIp, isMulticastIp, Refusal } from './address.js';
import { quote } from './show.js';

/** Reads ADDRESS:PORT; an IPv6 address stands in brackets. @returns canonical text */
export function readFrameAddress(text: string): string | Refusal {
  const [, bracketed, plain, portText = ''] = /^(?:\[([^\]]*)\]|([^:]*)):([0-9]{1,5})$/.exec(text) ?? [];
  const ip = canonicalIp(bracketed ?? plain ?? '');
  const port = Number(portText);
  if (ip === undefined || (ip.family === 6) !== (bracketed !== undefined)) {
    return new Refusal(
      `expected an address and a UDP port, such as 127.0.0.1:10001 or "[::1]:10001", or an absolute path, found ${quote(text)}`,
    );
  }
  if (port < 1 || port > 65_535)
    return new Refusal(`expected a UDP port from 1 to 65535 after ${ip.text}, found ${port}`);
  if (isMulticastIp(ip.text)) return new Refusal(`${ip.text} is a multicast address; give an address of one host`);
  return ip.family === 6 ? `[${ip.text}]:${port}` : `${ip.text}:${port}`;
}
