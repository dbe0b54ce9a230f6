/**
 * Schemas of single fields that several requests and answers share. Output is canonical: MACs in lower case, addresses as in
 * RFC 5952. Semantic checks against the running switch happen in the control thread.
 */
import { z } from 'zod';
import { canonicalIp, isMulticastIp, isMulticastMac, Refusal, readMac, splitZone } from '../values/address.js';
import { quote } from '../values/show.js';
import { expected, value } from '../values/value.js';
import { isLinkLocal } from '../wire/ip-address.js';

/** Characters of a link name as shown: the host port of a vxlan port is called `NAME@host`. */
const NAME_MAX = 32;

export const linkName = z
  .string({ error: expected('the name of a link') })
  .min(1, { error: 'is empty; give the name of a link' })
  .max(NAME_MAX, { error: `no link has a name of more than ${NAME_MAX} characters` });

/** Any address, multicast included, for looking up and deleting entries. The zone is dropped; the port determines the link. */
export const anyIp = z.string({ error: expected('an IPv4 or IPv6 address') }).transform((text, context) => {
  const { address, zone } = splitZone(text);
  const ip = canonicalIp(zone !== undefined && isLinkLocal(address.toLowerCase()) ? address : text);
  if (ip !== undefined) return ip.text;
  context.issues.push({
    code: 'custom',
    message: `expected an IPv4 or IPv6 address, found ${quote(text)}`,
    input: text,
  });
  return z.NEVER;
});

/** A multicast address, a group MAC, or the zero address, which stands for all groups without an entry. */
export const groupAddress = z.string({ error: expected('a multicast address') }).transform((text, context) => {
  const mac = readMac(text);
  const group = mac instanceof Refusal ? canonicalIp(text)?.text : mac;
  const isIpGroup = (address: string): boolean => isMulticastIp(address) || address === '0.0.0.0' || address === '::';
  const isGroup = group !== undefined && (mac instanceof Refusal ? isIpGroup(group) : isMulticastMac(group));
  if (isGroup) return group;
  const message = 'is no multicast address; give one such as 239.1.1.1, ff05::1 or 01:02:03:04:05:06';
  context.issues.push({ code: 'custom', message, input: text });
  return z.NEVER;
});

/** VLAN ID. */
export const vid = value.vid;
export const lastVid = value.vid.meta({ description: 'Last VLAN ID of a range, inclusive.' });
export const count = z.int().min(0);
export const text = z.string();

/** Attaches a description to a field, for the OpenAPI document and docs/http-api.md. */
export function said<T extends z.ZodType>(schema: T, description: string): T {
  return schema.meta({ description });
}

/** A number in a query string. */
export function digits(schema: z.ZodInt) {
  return z
    .preprocess((input) => (/^[0-9]{1,9}$/.test(String(input)) ? Number(input) : input), schema)
    .meta({ type: 'integer' });
}
