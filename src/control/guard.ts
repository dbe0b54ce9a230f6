/**
 * The guard of the control thread. Every timer, event handler and callback runs inside one: a fault is counted by the name of
 * its place, reported at a limited rate and contained, so that a bug in the control thread never stops forwarding. Fatal
 * conditions (a failed engine) use `SwitchEvents.failed` instead.
 *
 * Owns the counts: one register for the process, as there is one control thread. Never logs by itself.
 */

/** Minimum milliseconds between two reports of one place. */
export const REPORT_MS = 10_000;

/** Faults of one place since the process started. */
interface Faults {
  count: number;
  /** Faults not reported yet. */
  unreported: number;
  reportedAt: number;
}

/** @param count faults of the place since its last report, including this one */
export type ReportFault = (place: string, error: unknown, count: number) => void;

const places = new Map<string, Faults>();
let report: ReportFault = () => undefined;

/** Sets the receiver of reports: the log of the daemon. */
export function reportFaults(to: ReportFault): void {
  report = to;
}

/** Number of caught faults by place; places without faults are omitted. */
export function faultCounts(): Record<string, number> {
  return Object.fromEntries([...places].map(([place, { count }]) => [place, count]));
}

/** Counts a fault, and reports it unless the place was reported recently. Never throws. */
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
    // The fault remains counted; nothing else can be done here.
  }
}

/** Wraps the callback `work`: neither an exception nor a rejected promise escapes. */
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

/** Runs `work` now, inside the guard. */
export function attempt(place: string, work: () => unknown): void {
  guarded(place, work)();
}

/** A promise whose result the caller ignores; a rejection is a fault of the place. */
export function forget(place: string, promise: Promise<unknown>): void {
  promise.catch((error: unknown) => caught(place, error));
}

/** A guarded interval timer that does not keep the process alive. */
export function every(place: string, ms: number, work: () => unknown): NodeJS.Timeout {
  const timer = setInterval(guarded(place, work), ms);
  timer.unref();
  return timer;
}

/** Guarded work, deferred to the next pass of the event loop. */
export function soon(place: string, work: () => unknown): NodeJS.Immediate {
  return setImmediate(guarded(place, work));
}

let advance: () => void = () => undefined;

/** Sets the receiver of `progress`: the watchdog of the service. */
export function onProgress(to: () => void): void {
  advance = guarded('progress', to);
}

/**
 * Called between two steps of long synchronous work, such as opening one device of many: this thread is alive, though its timers
 * wait. Opening 900 TAPs took 35 s on a slow machine. Never throws.
 */
export function progress(): void {
  advance();
}
