/** Values of BGP in files: route distinguishers, route targets, identifiers. */
import { parseAdministrator } from '../wire/bgp/rd.js';
import { canonicalIp, Refusal } from './address.js';
import { quote } from './show.js';

/** Reads a route distinguisher (RFC 4364 section 4.2). */
export function readRd(text: string): string | Refusal {
  if (parseAdministrator(text) !== null) return text;
  return new Refusal(`expected a route distinguisher such as 65001:100 or 192.0.2.1:5, found ${quote(text)}`);
}

/** Reads a route target (RFC 4360 section 4). */
export function readRouteTarget(text: string): string | Refusal {
  if (parseAdministrator(text) !== null) return text;
  return new Refusal(`expected a route target such as 65001:100 or 192.0.2.1:5, found ${quote(text)}`);
}

/** Reads the identifier of a speaker: an IPv4 address in form, not 0.0.0.0 (RFC 6286). */
export function readRouterId(text: string): string | Refusal {
  const ip = canonicalIp(text);
  if (ip?.family === 4 && ip.text !== '0.0.0.0') return ip.text;
  return new Refusal(`expected an identifier in the form of an IPv4 address such as 192.0.2.1, found ${quote(text)}`);
}
