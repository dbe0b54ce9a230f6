/**
 * The filter of frames in `overtap log` and `overtap capture`: words with values, such as `port tap1 vlan 10 mac 02:00:00:00:00:01`.
 * Words of different kinds must all fit; of one kind, any. Pure; which frames fit is decided where they are.
 */
import { canonicalIp, Refusal } from './address.js';
import { nearest } from './did-you-mean.js';
import { quote } from './show.js';

/** Values of each kind that was given. */
export interface FrameFilter {
  /** The frame came in by it, or a copy was to leave by it. */
  port?: string[];
  vlan?: number[];
  vni?: number[];
  /** Source or destination. */
  mac?: string[];
  /** Source or destination of the IP packet; sender or target of an ARP message. */
  ip?: string[];
  /** The VTEP that it came from, or a copy was to go to. */
  remote?: string[];
  /** Of the frame's drop, or that of a copy. */
  reason?: string[];
  verdict?: string[];
}

export const VERDICTS = ['forwarded', 'flooded', 'answered', 'dropped', 'originated'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Values of a filter at most. */
const MAX_VALUES = 64;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** Reads one value. */
const READERS: { readonly [Kind in keyof FrameFilter]-?: (text: string) => string | number | Refusal } = {
  port: (text) => text,
  vlan: (text) => numberOf(text, 1, 4094, 'a VLAN ID'),
  vni: (text) => numberOf(text, 1, 0xffffff, 'a VNI'),
  mac: (text) =>
    MAC.test(text.toLowerCase()) ? text.toLowerCase() : new Refusal(`expected a MAC, found ${quote(text)}`),
  ip: addressOf,
  remote: addressOf,
  reason: (text) => text,
  verdict: (text) =>
    (VERDICTS as readonly string[]).includes(text)
      ? text
      : new Refusal(`expected ${VERDICTS.join(', ')}; found ${quote(text)}`),
};

/** The words that a filter has. */
export const FILTER_WORDS = Object.keys(READERS) as (keyof FrameFilter)[];

/** Reads a filter. An empty list of words fits every frame. */
export function readFrameFilter(words: readonly string[]): FrameFilter | Refusal {
  const filter: Record<string, (string | number)[]> = {};
  if (words.length > MAX_VALUES * 2) return new Refusal(`a filter has at most ${MAX_VALUES} values`);
  for (let at = 0; at < words.length; at += 2) {
    const kind = words[at];
    const reader = Object.hasOwn(READERS, kind) ? READERS[kind as keyof FrameFilter] : undefined;
    if (reader === undefined) return unknownWord(kind);
    if (at + 1 >= words.length)
      return new Refusal(`"${kind}" needs a value, as in: ${kind} ${EXAMPLES[kind as keyof FrameFilter]}`);
    const value = reader(words[at + 1]);
    if (value instanceof Refusal) return new Refusal(`${kind}: ${value.message}`);
    filter[kind] = [...(filter[kind] ?? []), value];
  }
  return filter as FrameFilter;
}

const EXAMPLES: { readonly [Kind in keyof FrameFilter]-?: string } = {
  port: 'tap1',
  vlan: '10',
  vni: '1010',
  mac: '02:00:00:00:00:01',
  ip: '10.0.0.1',
  remote: '192.0.2.2',
  reason: 'no_pvid',
  verdict: 'flooded',
};

function unknownWord(word: string): Refusal {
  const near = nearest(word, FILTER_WORDS);
  const hint = near === undefined ? `it has ${FILTER_WORDS.join(', ')}, each with a value` : `did you mean "${near}"?`;
  return new Refusal(`a filter has no word ${quote(word)}; ${hint}`);
}

function numberOf(text: string, min: number, max: number, what: string): number | Refusal {
  const value = /^\d{1,8}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max
    ? value
    : new Refusal(`expected ${what} from ${min} to ${max}, found ${quote(text)}`);
}

function addressOf(text: string): string | Refusal {
  return canonicalIp(text)?.text ?? new Refusal(`expected an IPv4 or IPv6 address, found ${quote(text)}`);
}
