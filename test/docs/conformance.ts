/**
 * docs/conformance.md as text, from the rows in test/conformance/cases/*.json, and what is wrong with those rows. Pure.
 *
 * A row is one case of one script of the kernel's own tests (tools/testing/selftests/net) of bridge and vxlan.
 */
import { z } from 'zod';

const Row = z.strictObject({
  /** Name of the script, such as `bridge_igmp.sh`. */
  script: z.string().regex(/^[\w./-]+$/),
  /** Name of the case inside it: that of its function, or a short description where it has none. */
  case: z.string().min(1),
  result: z.enum(['passes', 'differs', 'not_applicable']),
  /** Why it differs or does not apply: one sentence. */
  why: z.string().min(1).optional(),
  /** The file with the translation of the case, or another test of the same behaviour. */
  test: z.string().optional(),
  /** Title of that test, if it is not the name of the case. */
  title: z.string().optional(),
});
export type ConformanceRow = z.output<typeof Row>;

/** @throws ZodError with the place of what is no row */
export const readRows = (text: string): ConformanceRow[] => z.array(Row).parse(JSON.parse(text));

const nameOf = (row: ConformanceRow): string => `${row.script}: ${row.case}`;

/**
 * @param textOf contents of a test file; undefined if there is none of this name
 * @returns a sentence for each fault: rows twice, no reason, no test file, a test file that does not name its case
 */
export function faultsOf(rows: readonly ConformanceRow[], textOf: (path: string) => string | undefined): string[] {
  const names = rows.map(nameOf);
  const twice = names.filter((name, at) => names.indexOf(name) !== at).map((name) => `${name}: is there twice`);
  return [...twice, ...rows.flatMap((row) => faultOf(row, textOf).map((fault) => `${nameOf(row)}: ${fault}`))];
}

function faultOf(row: ConformanceRow, textOf: (path: string) => string | undefined): string[] {
  if (row.result !== 'passes') return row.why === undefined ? [`${row.result} without a reason`] : [];
  if (row.test === undefined) return ['passes without a test'];
  const text = textOf(row.test);
  if (text === undefined) return [`there is no file ${row.test}`];
  return text.includes(row.title ?? row.case) ? [] : [`${row.test} does not name "${row.title ?? row.case}"`];
}

const WORDS = { passes: 'passes', differs: 'differs', not_applicable: 'not applicable' } as const;
const RESULTS = ['passes', 'differs', 'not_applicable'] as const;

const HEAD = `# Conformance to the kernel's tests of bridge and vxlan

Made from \`test/conformance/cases\` by \`npm run docs\`; do not edit it by hand.

The Linux kernel has tests of its bridge and of its vxlan device (\`tools/testing/selftests/net\`). Each case of them is a row
here. **Passes**: a test of overtap, which the row links to, sets up the same and expects the same; the translations are our
own. **Differs**: overtap does otherwise, or does not have it; the reason is given. **Not applicable**: the case is about
something that a switch in user space does not have, such as a driver of a hardware switch or a traffic control action.
`;

const count = (rows: readonly ConformanceRow[], result: ConformanceRow['result']): number =>
  rows.filter((row) => row.result === result).length;
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** @param rows in any order @param section about a run of the scripts, after the head */
export function conformanceText(rows: readonly ConformanceRow[], section: string): string {
  const scripts = [...new Set(rows.map((row) => row.script))].sort();
  const counts = (of: readonly ConformanceRow[]): string =>
    [of.length, ...RESULTS.map((result) => count(of, result))].join(' | ');
  const parts = [
    HEAD,
    section,
    '## Translations',
    '',
    '| script | cases | passes | differs | not applicable |',
    '|---|---|---|---|---|',
  ];
  const of = new Map(scripts.map((script) => [script, rows.filter((row) => row.script === script)]));
  for (const [script, all] of of) parts.push(`| [${script}](#${script.replaceAll(/[^\w-]/g, '')}) | ${counts(all)} |`);
  parts.push(`| **all** | ${counts(rows)} |`, '');
  for (const [script, all] of of)
    parts.push(`## ${script}`, '', '| case | result | |', '|---|---|---|', ...all.map(line), '');
  return parts.join('\n');
}

function line(row: ConformanceRow): string {
  const test = row.test === undefined ? [] : [`[${row.test.replace(/^.*\//, '')}](../${row.test})`];
  return `| ${cell(row.case)} | ${WORDS[row.result]} | ${[...(row.why === undefined ? [] : [cell(row.why)]), ...test].join(' ')} |`;
}
