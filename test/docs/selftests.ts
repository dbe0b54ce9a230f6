/** The section of docs/conformance.md about a run of the kernel's own scripts, from what `npm run conformance` wrote. Pure. */
import { z } from 'zod';

const Case = z.strictObject({
  name: z.string().min(1),
  result: z.enum(['passes', 'differs', 'cannot run']),
  /** What the script says. */
  reason: z.string().optional(),
});
const Script = z.strictObject({
  script: z.string(),
  seconds: z.number(),
  /** Why it has not got to its end. */
  reason: z.string().optional(),
  cases: z.array(Case),
});
export type ScriptRun = z.output<typeof Script>;
/** Why a case does not pass, in our words: by script, and by case, `*` for all others of the script. */
const Reasons = z.record(z.string(), z.record(z.string(), z.string()));
export type RunReasons = z.output<typeof Reasons>;

/** @throws ZodError with the place of what is no result */
export const readRun = (text: string): ScriptRun[] => z.array(Script).parse(JSON.parse(text));
export const readReasons = (text: string): RunReasons => Reasons.parse(JSON.parse(text));

const HEAD = `## Run of the kernel's own scripts

\`npm run conformance -- --selftests DIR\` runs the scripts themselves, unchanged, under [\`overtap exec\`](exec.md): \`DIR\` is a
kernel tree with \`tools/testing/selftests/net\` (on Debian the package linux-source-6.12; only that folder is needed). It needs root, jq,
netsniff-ng (mausezahn), iputils-arping, ndisc6, ethtool, tcpdump, nftables, bc and dc. Further words: \`--only WORD\`, \`--iproute2 DIR\` (another
iproute2, unpacked), \`--jobs N\`, \`--limit SECONDS\` of a script, \`--json FILE\`, \`--keep DIR\` (their output), and \`--tests "TEST ..."\`: only
these tests of a script, whose cases are put beside those that FILE has of it.

Each script has namespaces of its own and a switch in each network namespace that gets a bridge or a vxlan device. What the kernel
lacks is provided beside them (\`scripts/selftests/\`): a namespace for each VRF, an end of a veth pair for a dummy device, a port of a second switch for a
VLAN device of an interface, and counters of nftables for flower filters, on the other end of the veth where a port of
the switch is asked, and on the datagrams where a vxlan device is asked.

The runs below are of Linux 6.12.117's scripts with iproute2 6.15 on a busy machine with two cores. They were made one after another within
an hour and a half, not all with one state of the switch: what a run showed was mended before the next ones, and a script whose cases
a mend concerned ran again. Of test_vxlan_mdb.sh, which takes half an hour, 33 of 55 tests ran, in parts: each of its kinds with at least one
pair of overlay and underlay. Cases of one name are one row: all have to pass.
Tables of the translations, which have more scripts, are below it.
`;

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

export function selftestsText(run: readonly ScriptRun[], reasons: RunReasons): string {
  const count = (cases: ScriptRun['cases'], word: string): number =>
    cases.filter(({ result }) => result === word).length;
  const row = (name: string, cases: ScriptRun['cases'], note: string): string =>
    `| ${name} | ${cases.length} | ${count(cases, 'passes')} | ${count(cases, 'differs')} | ${count(cases, 'cannot run')} | ${cell(note)} |`;
  const lines = [HEAD, '| script | cases | passes | differs | cannot run | |', '|---|---|---|---|---|---|'];
  for (const { script, cases, reason } of run)
    lines.push(row(script, cases, reasons[script]?.['(script)'] ?? reason ?? ''));
  lines.push(
    row(
      '**all**',
      run.flatMap(({ cases }) => cases),
      '',
    ),
    '',
  );
  lines.push('| case that does not pass | result | why |', '|---|---|---|');
  for (const { script, cases } of run) {
    for (const { name, result, reason } of cases) {
      if (result === 'passes') continue;
      const why = reasons[script]?.[name] ?? reasons[script]?.['*'] ?? reason ?? 'not looked into';
      lines.push(`| ${script}: ${cell(name)} | ${result} | ${cell(why)} |`);
    }
  }
  return [...lines, ''].join('\n');
}
