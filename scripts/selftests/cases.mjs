/** Cases of a script's output. Pure. */

const CASE = /^\s*(?:TEST: )?(\S.*?)\s*\[\s*(OK|FAIL|SKIP|XFAIL)\s*\]\s*$/;
const RESULTS = { ' OK': 'passes', OK: 'passes', XFAIL: 'passes', FAIL: 'differs', SKIP: 'cannot run' };
/** Of a case's name and reason: what differs from run to run. */
const clean = (text) => text.trim().replace(/\s+/g, ' ');

/** A name that several cases have is one case, which passes when all of them do. */
export function merge(all) {
  const cases = new Map();
  for (const one of all) {
    const before = cases.get(one.name);
    if (before === undefined || (before.result === 'passes' && one.result !== 'passes')) cases.set(one.name, one);
  }
  return [...cases.values()];
}

/**
 * @param output of the script, both streams
 * @param status its exit status; `late`: it was ended
 * @returns cases in the order of their first lines. A name that several lines have is one case, which passes when all of them do;
 *   `reason`: why the script did not get to its end
 */
export function casesOf(output, status) {
  const found = [];
  const lines = output.split(/\r?\n/);
  for (const [at, line] of lines.entries()) {
    const match = CASE.exec(line);
    if (match === null) continue;
    const name = clean(match[1]);
    const result = RESULTS[match[2]];
    const told = lines[at + 1]?.startsWith('\t') ? clean(lines[at + 1]) : undefined;
    found.push({ name, result, ...(result === 'passes' || told === undefined ? {} : { reason: told }) });
  }
  const cases = merge(found);
  const skip = lines.find((line) => /^SKIP: /.test(line));
  const reason =
    status === 'late'
      ? 'ended at the time limit'
      : skip !== undefined
        ? clean(skip.slice('SKIP: '.length))
        : cases.length === 0
          ? `no case was run (exit status ${status})`
          : status !== 0 && !cases.some(({ result }) => result !== 'passes')
            ? `ended early (exit status ${status})`
            : undefined;
  return { cases, ...(reason === undefined ? {} : { reason }) };
}
