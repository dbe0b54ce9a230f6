/** What a judge says. */

/** The end of one grading: whether it is solved, and what the student reads. */
export interface Verdict {
  readonly solved: boolean;
  readonly lines: readonly string[];
}

/** Cases of the memory kinds that failed, and are told, at most. */
export const MOST_TOLD = 3;

/** `1 case`, `2 cases`. */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}
