/** A frame in a word, for the drawing, and on a line, for the lists. Pure. */
import { ETHERTYPE_ARP } from '../../wire/ethernet.js';
import { type FrameSummary, summaryOf } from '../../wire/summary.js';

export interface FrameWords {
  /** At most about six characters. */
  readonly kind: string;
  readonly text: string;
}

/** @param bytes the frame, or its beginning */
export function wordsOf(bytes: Uint8Array): FrameWords {
  const summary = summaryOf(bytes);
  if (summary === null) return { kind: '', text: 'less than an Ethernet header' };
  const { source, destination, vid, text } = summary;
  const tag = vid === undefined ? '' : `, tag ${vid}`;
  // Who speaks to whom is said by the addresses, where there are any.
  const ends = summary.from === undefined ? `${source} > ${destination} ` : '';
  return { kind: kindOf(summary), text: `${ends}${text}${tag}` };
}

export function kindOf({ etherType, text }: FrameSummary): string {
  if (etherType === ETHERTYPE_ARP) return 'ARP';
  if (/ echo request$/.test(text)) return 'ping';
  if (/ echo reply$/.test(text)) return 'pong';
  if (/ ICMPv6 (who-has|advertises)/.test(text)) return 'ND';
  const word = / (ICMPv6|ICMP|TCP|UDP|IGMP)\b/.exec(text)?.[1];
  if (word !== undefined) return word === 'ICMPv6' ? 'ICMP6' : word;
  return text.length <= 6 ? text : '';
}
