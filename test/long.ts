/**
 * Counts that take too long for each run of `npm test`: there a tenth of them is done, and all of them by `npm run test:long`
 * (OVERTAP_LONG=1). A test file writes
 *
 *     import { long } from '../long.js';
 *     const CYCLES = long(1000);            // 100 in `npm test`
 *     const KILLS = long(100, 20);          // 20 in `npm test`
 *
 * and holds its bounds for both counts. `npm run test:long` runs just those files whose own text imports this module, each of
 * them whole, with no test shorter than LONG_TIMEOUT_MS: import it in the test file itself, not in a helper alone.
 */
export const LONG = process.env.OVERTAP_LONG === '1';

/**
 * Rows of a table of alike cases: all of them with OVERTAP_LONG=1, else `few` (0: none), spread evenly from the first on.
 *
 *     test.each(cases(OFFLOADS, 3))('without %s', ...)
 */
export function cases<Row>(rows: readonly Row[], few: number): Row[] {
  return rows.filter(
    (_, at) =>
      LONG || few >= rows.length || Math.floor((at * few) / rows.length) !== Math.floor(((at - 1) * few) / rows.length),
  );
}

/** The full count with OVERTAP_LONG=1, else the short one: a tenth unless said otherwise. */
export function long(full: number, short = Math.ceil(full / 10)): number {
  return LONG ? full : short;
}
