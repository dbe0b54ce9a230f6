/** The words of a description, one after another, and errors that name the place. */
import { nearest } from '../values/did-you-mean.js';
import { parseMac } from '../wire/ethernet.js';
import { canonicalAddress, parseAddress } from '../wire/ip-address.js';
import { FrameTextError } from './spec.js';

/** Words of a description at most. */
const MAX_WORDS = 200;

interface Word {
  text: string;
  position: number;
}

export class Words {
  private readonly words: readonly Word[];
  private at = 0;

  constructor(private readonly text: string) {
    this.words = [...text.matchAll(/>|[^\s>]+/g)].map((match) => ({ text: match[0], position: match.index }));
    if (this.words.length > MAX_WORDS) this.fail(`a description of more than ${MAX_WORDS} words`);
  }

  get isAtEnd(): boolean {
    return this.at >= this.words.length;
  }

  /** The present word; empty at the end. */
  get peek(): string {
    return this.words[this.at]?.text ?? '';
  }

  /** Whether the present word is this one; if so it is passed. */
  take(word: string): boolean {
    if (this.peek.toLowerCase() !== word) return false;
    this.at++;
    return true;
  }

  /** Passes a word. @param what it is, for the error at the end of the text */
  next(what: string): string {
    if (this.isAtEnd) this.fail(`expected ${what} at the end`);
    return this.words[this.at++].text;
  }

  /** Passes a whole number, decimal or hexadecimal. */
  number(what: string, least: number, most: number): number {
    const text = this.next(`${what}, ${least} to ${most}`);
    const number = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
    if (!(number >= least && number <= most)) this.fail(`"${text}" is not ${what}: give ${least} to ${most}`, [], 1);
    return number;
  }

  /** What stands here in place of what is expected, with the known word that it resembles. */
  instead(known: readonly string[]): string {
    if (this.isAtEnd) return ', and the text ends';
    const meant = nearest(this.peek, known);
    const hint = meant === this.peek.toLowerCase() ? `; "${meant}" stands further ahead` : `; did you mean "${meant}"?`;
    return `, and found "${this.peek}"${meant === undefined ? '' : hint}`;
  }

  /** @param known words that may stand here @param back so many words before the present one @throws FrameTextError */
  fail(message: string, known: readonly string[] = [], back = 0): never {
    const position = this.words[this.at - back]?.position ?? this.text.length;
    const choice = known.length === 0 ? '' : ` (${known.join(', ')})`;
    throw new FrameTextError(`character ${position + 1}: ${message}${choice}`, position);
  }
}

/** Passes a MAC address. */
export function macOf(words: Words): string {
  const text = words.next('a MAC address such as 02:00:00:00:00:01');
  if (parseMac(text) === null) words.fail(`"${text}" is no MAC address: write one as 02:00:00:00:00:01`, [], 1);
  return text.toLowerCase();
}

/** Passes an address of a family. */
export function addressOf(words: Words, family: 4 | 6): string {
  const what = family === 4 ? 'an IPv4 address such as 10.0.0.1' : 'an IPv6 address such as fd00::1';
  const text = words.next(what);
  if (parseAddress(text)?.family !== family) words.fail(`"${text}" is not ${what}`, [], 1);
  return canonicalAddress(text);
}
