/**
 * The answers of a student: `answers.txt`, a line a case. `N: COPY, COPY...` in any order, or `N: drop REASON`; a COPY is
 * `PORT [tag VID]`, or `PORT to ADDRESS vni VNI [tag VID]` behind a vxlan port.
 */
import type { TraceAnswer } from '../../api/trace.js';
import { nearest } from '../../values/did-you-mean.js';

/** A copy in its only spelling, or `drop REASON`. */
export type Answer = ReadonlySet<string>;

/** What is wrong with a line, in words. */
export interface Unreadable {
  readonly fault: string;
}

const NUMBERED = /^(\d{1,3})\s*:(.*)$/;
const COPY = /^(\S+?)(?:\s+to\s+(\S+)\s+vni\s+(\d+))?(?:\s+tag\s+(\d+))?$/;

/** Strays named at most: a file of another kind has one in each line. */
const MAX_STRAYS = 5;

export interface AnswerSheet {
  /** By the number of the case; a case without an answer is absent. */
  readonly answers: ReadonlyMap<number, Answer | Unreadable>;
  /** Lines that answer no case, in words. */
  readonly strays: readonly string[];
}

/** @param cases how many there are */
export function readAnswers(
  text: string,
  ports: readonly string[],
  reasons: readonly string[],
  cases: number,
): AnswerSheet {
  const answers = new Map<number, Answer | Unreadable>();
  const strays: string[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    const words = line.trim().replace(/#.*$/, '').trim();
    const [, number, body = ''] = NUMBERED.exec(words) ?? [];
    const at = Number(number);
    if (number === undefined && words !== '')
      strays.push(
        `line ${index + 1} is no answer: "${words.slice(0, 60)}"; write "CASE: COPY, COPY" or "CASE: drop REASON"`,
      );
    else if (body.trim() === '') continue;
    else if (at < 1 || at > cases) strays.push(`line ${index + 1} answers case ${at}; there are cases 1 to ${cases}`);
    else answers.set(at, answers.has(at) ? { fault: 'it is answered twice' } : readAnswer(body.trim(), ports, reasons));
  }
  return { answers, strays: strays.slice(0, MAX_STRAYS) };
}

function readAnswer(words: string, ports: readonly string[], reasons: readonly string[]): Answer | Unreadable {
  const drop = /^drop(?:ped)?\b:?\s*(\S*)$/.exec(words);
  if (drop !== null) return readReason(drop[1] ?? '', reasons);
  const copies = new Set<string>();
  for (const part of words.split(',').map((one) => one.trim())) {
    const [, port, remote, vni, tag] = COPY.exec(part) ?? [];
    if (port === undefined)
      return { fault: `"${part}" is no copy; write PORT, PORT tag VID, or PORT to ADDRESS vni VNI` };
    if (!ports.includes(port)) return { fault: `there is no port "${port}"; there are ${ports.join(', ')}` };
    const copy = copyText({ port, remote, vni, tag });
    if (copies.has(copy)) return { fault: `"${copy}" stands there twice` };
    copies.add(copy);
  }
  return copies;
}

function readReason(reason: string, reasons: readonly string[]): Answer | Unreadable {
  if (reasons.includes(reason)) return new Set([`drop ${reason}`]);
  const near = nearest(reason, reasons);
  const other = near === undefined ? 'the names are in docs/semantics.md' : `did you mean "${near}"?`;
  return { fault: `"${reason}" is no drop reason; ${other}` };
}

interface CopyWords {
  port: string;
  remote?: string | undefined;
  vni?: string | number | undefined;
  tag?: string | number | undefined;
}

function copyText({ port, remote, vni, tag }: CopyWords): string {
  const to = remote === undefined ? '' : ` to ${remote} vni ${vni}`;
  return `${port}${to}${tag === undefined ? '' : ` tag ${tag}`}`;
}

/** The right answer. */
export function truthOf({ verdict, reason, copies }: TraceAnswer): Answer {
  if (verdict === 'dropped') return new Set([`drop ${reason}`]);
  return new Set(copies.filter((copy) => copy.verdict === 'sent').map(copyText));
}
