/** The findings of a check as text: one line per finding, and the closing table. */

/** The outcome of a proof: whether the claim holds, and the observation in words. */
export interface Seen {
  readonly holds: boolean;
  readonly seen: string;
}

export type Verdict = 'ok' | 'FAILED';

export interface Finding {
  readonly verdict: Verdict;
  readonly claim: string;
  readonly seen: string;
}

export type Print = (line: string) => void;

/** Formats milliseconds as seconds with one decimal. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** The line of one finding: verdict, claim, observation. */
export function findingLine(finding: Finding): string {
  return `${finding.verdict.padEnd(6)} ${finding.claim}: ${finding.seen}`;
}

/** Whether a check has passed: at least one claim holds and none failed. */
export function allHold(findings: readonly Finding[]): boolean {
  return findings.length > 0 && findings.every(({ verdict }) => verdict === 'ok');
}

/** The closing table of a run. @param isComplete false when the check ended early */
export function closingTable(lab: string, findings: readonly Finding[], isComplete: boolean, ms: number): string[] {
  const proved = findings.filter(({ verdict }) => verdict === 'ok').length;
  const width = Math.max(0, ...findings.map(({ claim }) => claim.length));
  const rule = '-'.repeat(width + 8);
  return [
    '',
    `${lab}: ${proved} of ${findings.length} claims proved in ${seconds(ms)}${isComplete ? '' : '; the check ended early'}`,
    rule,
    ...findings.map(({ verdict, claim, seen }) => `${verdict.padEnd(6)}  ${claim.padEnd(width)}  ${seen}`),
    rule,
  ];
}
