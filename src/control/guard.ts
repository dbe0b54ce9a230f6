/**
 * The guard of the control thread. Every timer, event and callback runs inside one: a fault is counted under the name of
 * its place, reported once in a while, and goes no further, so that a mistake of the control thread never ends the
 * forwarding of frames. What must end the switch (an engine that has died) takes its own way, `SwitchEvents.failed`.
 *
 * Owns the counts, one register for the process as there is one control thread. It never logs by itself.
 */

/** Milliseconds between two reports of one place. */
export const REPORT_MS = 10_000;

/** Faults of one place, since the start of the process. */
interface Faults {
  count: number;
  /** Those that were not reported yet. */
  unreported: number;
  reportedAt: number;
}

/** @param count faults of the place since its last report, this one among them */
export type ReportFault = (place: string, error: unknown, count: number) => void;

const places = new Map<string, Faults>();
let report: ReportFault = () => undefined;

/** Sets where faults are reported: the log of the daemon. */
export function reportFaults(to: ReportFault): void {
  report = to;
}

/** How many faults were caught, by place. A place without a fault is not listed. */
export function faultCounts(): Record<string, number> {
  return Object.fromEntries([...places].map(([place, { count }]) => [place, count]));
}

/** Counts a fault, and reports it unless the place was reported a short while ago. Never throws. */
export function caught(place: string, error: unknown): void {
  let faults = places.get(place);
  if (faults === undefined) {
    faults = { count: 0, unreported: 0, reportedAt: Number.NEGATIVE_INFINITY };
    places.set(place, faults);
  }
  faults.count++;
  faults.unreported++;
  const now = performance.now();
  if (now - faults.reportedAt < REPORT_MS) return;
  const { unreported } = faults;
  faults.reportedAt = now;
  faults.unreported = 0;
  try {
    report(place, error, unreported);
  } catch {
    // It stays counted; there is no better place to tell.
  }
}

/** The callback `work`, which no fault leaves: neither one that it throws nor a rejection of the promise it returns. */
export function guarded<A extends unknown[]>(place: string, work: (...args: A) => unknown): (...args: A) => void {
  return (...args) => {
    try {
      const result = work(...args);
      if (result instanceof Promise) forget(place, result);
    } catch (error) {
      caught(place, error);
    }
  };
}

/** Does `work` at once, inside the guard. */
export function attempt(place: string, work: () => unknown): void {
  guarded(place, work)();
}

/** A promise whose outcome is of no concern to the caller: its rejection is a fault of the place. */
export function forget(place: string, promise: Promise<unknown>): void {
  promise.catch((error: unknown) => caught(place, error));
}

/** A guarded timer that fires again and again and does not keep the process alive. */
export function every(place: string, ms: number, work: () => unknown): NodeJS.Timeout {
  const timer = setInterval(guarded(place, work), ms);
  timer.unref();
  return timer;
}

/** Guarded work for the next pass of the event loop. */
export function soon(place: string, work: () => unknown): NodeJS.Immediate {
  return setImmediate(guarded(place, work));
}
