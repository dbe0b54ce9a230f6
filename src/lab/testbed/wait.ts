/**
 * Waiting: polling a condition with a limit, and work that Ctrl-C or SIGTERM ends in good order. It never waits without
 * a bound.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Interrupted, LabError } from './errors.js';

export interface WaitOptions {
  /** Names the condition in the error's message. */
  readonly what: string;
  readonly limitMs: number;
  readonly everyMs?: number;
  readonly signal?: AbortSignal | undefined;
}

const LIMIT_MS = 10_000;
const EVERY_MS = 20;

/** @throws Interrupted once the signal is aborted */
export function refuseIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new Interrupted(signal.reason as NodeJS.Signals);
}

/** Sleeps, and throws Interrupted as soon as the signal is aborted. */
async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
  refuseIfInterrupted(signal);
}

/** What a probe gave that counts: undefined, null and false are none. */
type Found<T> = Exclude<T, undefined | null | false>;

/** @returns the probe's first value that counts, or null when the limit is over first */
async function poll<T>(
  probe: () => T | Promise<T>,
  { limitMs, everyMs = EVERY_MS, signal }: Omit<WaitOptions, 'what'>,
): Promise<Found<T> | null> {
  const deadline = performance.now() + limitMs;
  refuseIfInterrupted(signal);
  for (;;) {
    const began = performance.now();
    const value = await probe();
    if (value !== undefined && value !== null && value !== false) return value as Found<T>;
    const now = performance.now();
    if (now >= deadline) return null;
    // A probe that starts a program would keep a core busy otherwise.
    await sleep(Math.max(everyMs, now - began), signal);
  }
}

function late(what: string, limitMs: number): LabError {
  return new LabError('LAB_TIMEOUT', `${what}: not within ${limitMs / 1000} s`);
}

/**
 * Polls until the condition holds.
 * @returns true, or false when the limit is over before it held
 */
export async function becomesTrue(
  condition: () => boolean | Promise<boolean>,
  options: Omit<WaitOptions, 'what'>,
): Promise<boolean> {
  return (await poll(condition, options)) !== null;
}

/** Polls until the condition holds; throws LAB_TIMEOUT when the limit is over first. */
export async function waitUntil(condition: () => boolean | Promise<boolean>, options: WaitOptions): Promise<void> {
  if (!(await becomesTrue(condition, options))) throw late(options.what, options.limitMs);
}

/** Polls until the probe gives something other than undefined, null or false; throws LAB_TIMEOUT when it does not. */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  limitMs: number = LIMIT_MS,
): Promise<Found<T>> {
  const value = await poll(probe, { limitMs });
  if (value === null) throw late(what, limitMs);
  return value;
}

/** The promise's value; throws LAB_TIMEOUT when the limit is over first, LAB_INTERRUPTED when the signal is aborted. */
export async function within<T>(promise: Promise<T>, limitMs: number, what: string, signal?: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late(what, limitMs)), limitMs);
    onAbort = (): void => reject(new Interrupted(signal?.reason as NodeJS.Signals));
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/**
 * Lets a time pass in which something must not happen. Absence cannot be polled for, so this is the one plain wait.
 */
export async function quietFor(ms = 200, signal?: AbortSignal): Promise<void> {
  await sleep(ms, signal);
}

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs work with an AbortSignal that SIGINT, SIGTERM or SIGHUP abort, instead of ending the process on the spot: the
 * work gets the chance to remove what it made.
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
