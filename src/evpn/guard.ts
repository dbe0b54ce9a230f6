/**
 * The guard of the speaker's thread: every timer, event handler and callback runs inside one, so that a fault ends neither the thread nor a
 * session. Faults are told at a limited rate for each place.
 */

/** Least milliseconds between two reports of one place. */
const REPORT_MS = 10_000;
/** Places that are told apart. */
const MOST_PLACES = 64;

/** Wraps a callback: no exception escapes. */
export type Guard = <A extends unknown[]>(place: string, work: (...args: A) => void) => (...args: A) => void;

/** @param report gets one line for people; @param now milliseconds */
export function createGuard(report: (text: string) => void, now: () => number): Guard {
  const told = new Map<string, number>();
  const caught = (place: string, error: unknown): void => {
    const last = told.get(place);
    if (last !== undefined && now() - last < REPORT_MS) return;
    if (last === undefined && told.size >= MOST_PLACES) return;
    told.set(place, now());
    report(`${place}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  };
  return (place, work) =>
    (...args) => {
      try {
        work(...args);
      } catch (error) {
        caught(place, error);
      }
    };
}
