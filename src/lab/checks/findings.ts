/**
 * Owns what a check found: one line each as it is found, and the closing table. It never decides what is right.
 */

/** What a proof came to: whether the claim holds, and what was seen. */
export interface Seen {
  readonly holds: boolean;
  readonly seen: string;
}

export type Verdict = 'ok' | 'FAILED' | 'later';

export interface Finding {
  readonly verdict: Verdict;
  readonly claim: string;
  readonly seen: string;
}

export type Print = (line: string) => void;

/** Milliseconds as seconds with one decimal. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** The line of one finding: `ok`, `FAILED` or `later`, the claim, and what was seen. */
export function findingLine(finding: Finding): string {
  return `${finding.verdict.padEnd(6)} ${finding.claim}: ${finding.seen}`;
}

/** Whether a check has passed: at least one claim was proved and none failed. */
export function allHold(findings: readonly Finding[]): boolean {
  return findings.some(({ verdict }) => verdict === 'ok') && findings.every(({ verdict }) => verdict !== 'FAILED');
}

/** The closing table of a whole run. @param isComplete false when the check did not come to its end */
export function closingTable(lab: string, findings: readonly Finding[], isComplete: boolean, ms: number): string[] {
  const proved = findings.filter(({ verdict }) => verdict === 'ok').length;
  const claimed = findings.filter(({ verdict }) => verdict !== 'later').length;
  const width = Math.max(0, ...findings.map(({ claim }) => claim.length));
  const rule = '-'.repeat(width + 8);
  return [
    '',
    `${lab}: ${proved} of ${claimed} claims proved in ${seconds(ms)}${isComplete ? '' : '; the check ended early'}`,
    rule,
    ...findings.map(({ verdict, claim, seen }) => `${verdict.padEnd(6)}  ${claim.padEnd(width)}  ${seen}`),
    rule,
  ];
}
