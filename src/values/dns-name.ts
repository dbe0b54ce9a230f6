/**
 * DNS names in the place of addresses of VTEPs. Independent of files and of the host; nothing is resolved here.
 */
import { canonicalIp, Refusal, readVtepIp } from './address.js';
import { quote } from './show.js';

/** RFC 1035 section 2.3.4: octets of a label, and of a name as text without the last dot. */
const LABEL_MAX = 63;
const NAME_MAX = 253;

/**
 * Reads the address of a VTEP, or a DNS name. A name has a dot, and a letter at the beginning of its last label, so that a mistyped
 * address is none.
 * @returns the address, or the name in lower case without a last dot
 */
export function readVtepOrName(text: string): string | Refusal {
  return looksLikeName(text) ? readDnsName(text) : readVtepIp(text);
}

/** Whether text that `readVtepOrName` has accepted is a name. */
export function isDnsName(text: string): boolean {
  return looksLikeName(text);
}

/** Whether a name is that of a service, as `_vxlan._udp.example.net` (RFC 2782). */
export function isServiceName(name: string): boolean {
  return /^_[^.]+\._[^.]+\./.test(name);
}

function looksLikeName(text: string): boolean {
  if (text.includes(':') || text.includes('/') || text.includes('%') || canonicalIp(text) !== undefined) return false;
  return /\.[a-z][^.]*\.?$/i.test(text);
}

function readDnsName(text: string): string | Refusal {
  const name = text.replace(/\.$/, '').toLowerCase();
  if (name.length > NAME_MAX) return new Refusal(`a DNS name has at most ${NAME_MAX} characters, found ${name.length}`);
  for (const label of name.split('.')) {
    if (label.length > LABEL_MAX)
      return new Refusal(`${quote(label)} is too long; a part of a DNS name has at most ${LABEL_MAX} characters`);
    if (!/^_?[a-z0-9]([a-z0-9_-]*[a-z0-9])?$/.test(label))
      return new Refusal(`expected an IPv4 or IPv6 address or a DNS name, found ${quote(text)}`);
  }
  return name;
}
