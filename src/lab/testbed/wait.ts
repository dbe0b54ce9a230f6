/**
 * Owns waiting: polling a condition with a limit, and work that Ctrl-C or SIGTERM ends in good order. It never
 * waits without a bound.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from './errors.js';

export interface WaitOptions {
  /** Names the condition in the error's message. */
  readonly what: string;
  readonly limitMs: number;
  readonly everyMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Throws LAB_INTERRUPTED once the signal is aborted. */
export function refuseIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LabError('LAB_INTERRUPTED', `interrupted by ${String(signal.reason)}`);
}

/**
 * Polls until the condition holds.
 * @returns true, or false when the limit is over before it held
 */
export async function becomesTrue(
  condition: () => boolean | Promise<boolean>,
  options: Omit<WaitOptions, 'what'>,
): Promise<boolean> {
  const deadline = performance.now() + options.limitMs;
  for (;;) {
    refuseIfInterrupted(options.signal);
    if (await condition()) return true;
    if (performance.now() >= deadline) return false;
    await delay(options.everyMs ?? 20);
  }
}

/** Polls until the condition holds; throws LAB_TIMEOUT when the limit is over first. */
export async function waitUntil(condition: () => boolean | Promise<boolean>, options: WaitOptions): Promise<void> {
  if (await becomesTrue(condition, options)) return;
  throw new LabError('LAB_TIMEOUT', `${options.what}: not within ${options.limitMs / 1000} s`);
}

/**
 * Lets a time pass in which something must not happen. Absence cannot be polled for, so this is the one plain wait.
 */
export async function quietFor(ms: number, signal?: AbortSignal): Promise<void> {
  refuseIfInterrupted(signal);
  await delay(ms);
  refuseIfInterrupted(signal);
}

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs work with an AbortSignal that SIGINT, SIGTERM or SIGHUP abort, instead of ending the process on the spot: the
 * work gets the chance to take away what it made.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => controller.abort(name);
  for (const name of ENDING_SIGNALS) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of ENDING_SIGNALS) process.off(name, onSignal);
  }
}
