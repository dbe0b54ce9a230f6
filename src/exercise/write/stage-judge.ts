/** The contract of a stage's judge: what a case is, and what a stage may return. Types only. */
import type { TraceAnswer } from '../../api/trace.js';
import type { Chance } from '../chance.js';

/** One call, and what the data path does. */
export interface Call {
  readonly args: readonly unknown[];
  /** In the spelling of `StageJudge.read`. */
  readonly expected: string;
  /** What comes, in words. */
  readonly told: string;
  readonly truth: TraceAnswer;
}

/** The judge of one stage. */
export interface StageJudge {
  /** The function that the student's module exports. */
  readonly entry: string;
  /** Whether each call gets the Map of its case first. */
  readonly fresh: boolean;
  /** Hidden cases. */
  readonly cases: number;
  /** The calls of one case, in order. */
  calls(chance: Chance): Promise<readonly Call[]>;
  /** What the stage returned, in one spelling; undefined: nothing that a stage may return. */
  read(result: unknown): string | undefined;
  /** What it may return, in words. */
  readonly returns: string;
}
