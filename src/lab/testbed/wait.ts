/** Waiting for a condition, always with a limit, and work that a signal such as Ctrl-C interrupts in an orderly way. */
import { setTimeout as delay } from 'node:timers/promises';
import { Interrupted, LabError } from './errors.js';

export interface WaitOptions {
  /** The condition in words, for the error message. */
  readonly what: string;
  readonly limitMs: number;
  readonly everyMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Far longer than anything takes: on a busy machine a program may wait long for a core. */
const LIMIT_MS = 30_000;
const EVERY_MS = 20;

/** @throws Interrupted once the signal is aborted */
export function refuseIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new Interrupted(signal.reason as NodeJS.Signals);
}

/**
 * The cause of a failure: the signal, once it is aborted, and else the error. A signal to the process group may also end a
 * command that is just starting, and its failure would hide the cause.
 */
export function causeOf(error: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted ? new Interrupted(signal.reason as NodeJS.Signals) : error;
}

/** Sleeps, and throws Interrupted as soon as the signal is aborted. */
async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
  refuseIfInterrupted(signal);
}

/** A result of a probe other than undefined, null and false. */
type Found<T> = Exclude<T, undefined | null | false>;

/** Repeats a probe. @returns its first result other than undefined, null and false, or null when the limit is over */
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
    // A probe that starts a program must not keep a core busy: at least half of the time is pause.
    await sleep(Math.max(everyMs, now - began), signal);
  }
}

function late(what: string, limitMs: number): LabError {
  return new LabError('LAB_TIMEOUT', `${what}: not within ${limitMs / 1000} s`);
}

/**
 * Polls until the condition holds.
 * @returns false when the limit is over first
 */
export async function becomesTrue(
  condition: () => boolean | Promise<boolean>,
  options: Omit<WaitOptions, 'what'>,
): Promise<boolean> {
  return (await poll(condition, options)) !== null;
}

/** Polls until the condition holds. @throws LabError LAB_TIMEOUT when the limit is over first */
export async function waitUntil(condition: () => boolean | Promise<boolean>, options: WaitOptions): Promise<void> {
  if (!(await becomesTrue(condition, options))) throw late(options.what, options.limitMs);
}

/** Polls until the probe returns something other than undefined, null and false. @throws LabError LAB_TIMEOUT */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  limitMs: number = LIMIT_MS,
): Promise<Found<T>> {
  const value = await poll(probe, { limitMs });
  if (value === null) throw late(what, limitMs);
  return value;
}

/** Waits for a promise with a limit. @throws LabError LAB_TIMEOUT; Interrupted once the signal is aborted */
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

/** Waits for a fixed time in which something must not happen; absence cannot be polled for. */
export async function quietFor(ms = 200, signal?: AbortSignal): Promise<void> {
  await sleep(ms, signal);
}

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs work with an AbortSignal that SIGINT, SIGTERM and SIGHUP abort. The signal does not end the process, so that the
 * work can remove what it has created.
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
