/** Cases of a script's output. Pure. */

const CASE = /^\s*(?:TEST: )?(\S.*?)\s*\[\s*(OK|FAIL|SKIP|XFAIL)\s*\]\s*$/;
const RESULTS = { ' OK': 'passes', OK: 'passes', XFAIL: 'passes', FAIL: 'differs', SKIP: 'cannot run' };
/** Of a case's name and reason: what differs from run to run. */
const clean = (text) => text.trim().replace(/\s+/g, ' ');

/**
 * @param output of the script, both streams
 * @param status its exit status; `late`: it was ended
 * @returns cases in the order of their first lines. A name that several lines have is one case, which passes when all of them do;
 *   `reason`: why the script did not get to its end
 */
export function casesOf(output, status) {
  const cases = new Map();
  const lines = output.split(/\r?\n/);
  for (const [at, line] of lines.entries()) {
    const match = CASE.exec(line);
    if (match === null) continue;
    const name = clean(match[1]);
    const result = RESULTS[match[2]];
    const told = lines[at + 1]?.startsWith('\t') ? clean(lines[at + 1]) : undefined;
    const before = cases.get(name);
    if (before === undefined || (before.result === 'passes' && result !== 'passes')) {
      cases.set(name, { name, result, ...(result === 'passes' || told === undefined ? {} : { reason: told }) });
    }
  }
  const skip = lines.find((line) => /^SKIP: /.test(line));
  const reason =
    status === 'late'
      ? 'ended at the time limit'
      : skip !== undefined
        ? clean(skip.slice('SKIP: '.length))
        : cases.size === 0
          ? `no case was run (exit status ${status})`
          : status !== 0 && ![...cases.values()].some(({ result }) => result !== 'passes')
            ? `ended early (exit status ${status})`
            : undefined;
  return { cases: [...cases.values()], ...(reason === undefined ? {} : { reason }) };
}
