/**
 * Reads a frame in words, much as tcpdump writes one:
 *
 *   [src MAC] [dst MAC] [vlan VID [prio N]]... BODY [len N] [gso N]
 *
 *   BODY   arp who-has ADDRESS [tell ADDRESS]         nd who-has ADDRESS [tell ADDRESS]
 *          arp reply ADDRESS is-at MAC [to ADDRESS]   nd reply ADDRESS is-at MAC [to ADDRESS]
 *          ip|ip6 [A > B] [ttl N] [tos N] [df] [udp|tcp [PORT > PORT] [flags SA]|icmp echo|echo-reply|proto N]
 *          udp ... | tcp ... | icmp ...               over IPv4
 *          type 0x88cc                                any other EtherType
 *
 * Pure. `fill.ts` supplies what is not said, `build.ts` makes the bytes.
 */
import { parseMac } from '../wire/ethernet.js';
import { parseAddress } from '../wire/ip-address.js';
import { readIp, readUpper } from './parse-ip.js';
import type { FrameSpec, ResolveBody, Tag } from './spec.js';
import { addressOf, macOf, Words } from './words.js';

/** More tags are no frame that a switch looks into. */
const MAX_TAGS = 4;
/** Most bytes behind the headers: the longest unsegmented frame has 64 KiB. */
const MAX_LEN = 65_000;
const BROADCAST = 'ff:ff:ff:ff:ff:ff';

const BODIES = ['arp', 'nd', 'ip', 'ip6', 'udp', 'tcp', 'icmp', 'type'] as const;
const HEADER = ['src', 'dst', 'vlan', 'qinq'] as const;

/** @throws FrameTextError, which names the word at fault and what is expected there */
export function parseFrame(text: string): FrameSpec {
  const words = new Words(text);
  const head = readHeader(words);
  const body = readBody(words);
  const spec: FrameSpec = { ...head, body };
  while (!words.isAtEnd) readEnd(words, spec);
  if (spec.gso !== undefined && !isSegmentable(spec)) words.fail('gso is of tcp and udp: say "tcp len 60000 gso 1448"');
  return spec;
}

function readHeader(words: Words): Pick<FrameSpec, 'src' | 'dst' | 'tags'> {
  const head: Pick<FrameSpec, 'src' | 'dst' | 'tags'> = { tags: [] };
  for (;;) {
    if (words.take('src')) head.src = macOf(words);
    else if (words.take('dst')) head.dst = words.take('broadcast') ? BROADCAST : macOf(words);
    else if (words.take('vlan')) head.tags.push(tagOf(words, 'vlan', head.tags));
    else if (words.take('qinq')) head.tags.push(tagOf(words, 'qinq', head.tags));
    else return head;
  }
}

function tagOf(words: Words, kind: Tag['kind'], before: readonly Tag[]): Tag {
  if (before.length === MAX_TAGS) words.fail(`a frame has at most ${MAX_TAGS} tags here`);
  const vid = words.number('a VLAN ID', 0, 4095);
  return { kind, vid, priority: words.take('prio') ? words.number('a priority', 0, 7) : 0 };
}

function readBody(words: Words): FrameSpec['body'] {
  if (words.take('arp')) return readResolve(words, 4);
  if (words.take('nd')) return readResolve(words, 6);
  if (words.take('ip')) return readIp(words, 4);
  if (words.take('ip6')) return readIp(words, 6);
  if (words.take('type')) return { kind: 'type', etherType: words.number('an EtherType', 0, 0xffff) };
  const upper = readUpper(words);
  if (upper !== undefined) return { kind: 'ip', family: 4, upper };
  const meant = meantBy(words.peek);
  if (meant !== undefined) words.fail(meant);
  return words.fail(`expected what the frame carries${words.instead([...HEADER, ...BODIES])}`, BODIES);
}

/** Of an address without a word: the word that it lacks. */
function meantBy(text: string): string | undefined {
  if (parseMac(text) !== null) return `before "${text}" say whose MAC address it is: "src MAC dst MAC"`;
  const family = parseAddress(text)?.family;
  if (family === undefined) return undefined;
  const word = family === 4 ? 'ip' : 'ip6';
  return `before the address "${text}" the word ${word} is missing: "${word} ${text} > ADDRESS"`;
}

function readResolve(words: Words, family: 4 | 6): ResolveBody {
  const address = (): string => addressOf(words, family);
  if (words.take('who-has')) {
    const target = address();
    return { kind: 'resolve', family, what: 'request', target, ...(words.take('tell') ? { other: address() } : {}) };
  }
  if (!words.take('reply')) words.fail(`expected who-has or reply${words.instead(['who-has', 'reply'])}`);
  const target = address();
  const mac = words.take('is-at') ? { mac: macOf(words) } : {};
  return { kind: 'resolve', family, what: 'reply', target, ...mac, ...(words.take('to') ? { other: address() } : {}) };
}

function readEnd(words: Words, spec: FrameSpec): void {
  if (words.take('len')) spec.len = words.number('a length in bytes', 0, MAX_LEN);
  else if (words.take('gso')) spec.gso = words.number('a segment size in bytes', 32, 65_000);
  else words.fail(`nothing more is expected than len and gso${words.instead(['len', 'gso', 'flags', ...HEADER])}`);
}

function isSegmentable({ body }: FrameSpec): boolean {
  return body.kind === 'ip' && (body.upper.kind === 'tcp' || body.upper.kind === 'udp');
}
