/** The part of a description from the IP header on. */
import type { IpBody, Upper } from './spec.js';
import { addressOf, type Words } from './words.js';

/** Letters of TCP flags, as tcpdump writes them; `.` is an acknowledgement too. */
export const TCP_FLAGS: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16, '.': 16, U: 32 };

const UPPERS = ['udp', 'tcp', 'icmp', 'proto'];
const OPTIONS = ['ttl', 'tos', 'df'];

export function readIp(words: Words, family: 4 | 6): IpBody {
  const body: IpBody = { kind: 'ip', family, upper: { kind: 'icmp', what: 'echo' } };
  const first = words.peek;
  if (/^[0-9a-f]*[.:]/i.test(first)) {
    body.from = addressOf(words, family);
    if (!words.take('>')) words.fail(`expected ">" and the destination address${words.instead(['>'])}`);
    body.to = addressOf(words, family);
  }
  readOptions(words, body);
  const upper = readUpper(words);
  if (upper !== undefined) body.upper = upper;
  else if (!words.isAtEnd && !['len', 'gso'].includes(words.peek))
    words.fail(`expected a protocol${words.instead([...UPPERS, ...OPTIONS, 'len'])}`, UPPERS);
  return body;
}

function readOptions(words: Words, body: IpBody): void {
  for (;;) {
    if (words.take('ttl')) body.ttl = words.number('a TTL', 0, 255);
    else if (words.take('tos')) body.tos = words.number('a type of service', 0, 255);
    else if (words.take('df')) body.df = true;
    else return;
  }
}

/** @returns undefined when the next word names no protocol */
export function readUpper(words: Words): Upper | undefined {
  if (words.take('udp')) return { kind: 'udp', ...readPorts(words) };
  if (words.take('tcp')) {
    const ports = readPorts(words);
    return { kind: 'tcp', ...ports, ...(words.take('flags') ? { flags: readFlags(words) } : {}) };
  }
  if (words.take('proto')) return { kind: 'proto', number: words.number('a protocol number', 0, 255) };
  if (!words.take('icmp')) return undefined;
  if (words.take('echo-reply')) return { kind: 'icmp', what: 'echo-reply' };
  words.take('echo');
  return { kind: 'icmp', what: 'echo' };
}

function readPorts(words: Words): { from?: number; to?: number } {
  if (!/^\d+$/.test(words.peek)) return {};
  const from = words.number('a port', 0, 65_535);
  if (!words.take('>')) words.fail(`expected ">" and the destination port${words.instead(['>'])}`);
  return { from, to: words.number('a port', 0, 65_535) };
}

function readFlags(words: Words): number {
  const text = words.next('TCP flags such as S, SA, PA, F, R');
  let flags = 0;
  for (const letter of text.toUpperCase()) {
    const flag = TCP_FLAGS[letter];
    if (flag === undefined) words.fail(`"${letter}" is no TCP flag: S, A, P, F, R, U`, [], 1);
    flags |= flag;
  }
  return flags;
}
