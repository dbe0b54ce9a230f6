/** Starts and judges "say what happens". A wrong answer is explained, and gets another case in its place: explanations are no answers. */
import { DROP_SENTENCES } from '../../text/drop-sentences.js';
import type { Exercise } from '../catalog.js';
import type { State, Students } from '../student.js';
import { counted, type Verdict } from '../verdict.js';
import { type Answer, readAnswers, truthOf, type Unreadable } from './answers.js';
import { type Case, type CaseSet, casesOf, questionLine } from './cases.js';

const ANSWERS = 'answers.txt';

/** The files of a student. */
export async function predictFiles(exercise: Exercise, seed: string): Promise<Record<string, string>> {
  const set = await casesOf(exercise, seed);
  return { 'switch.yaml': set.config, 'cases.txt': casesText(set), [ANSWERS]: answersText(set) };
}

function casesText({ hosts, cases }: CaseSet): string {
  const learned = hosts.map(({ name, mac, port, tag, from, vni }) => {
    const words = from === undefined ? '' : `, behind ${from} in VNI ${vni}`;
    return `  ${name.padEnd(8)} ${mac}  at ${port}${tag === undefined ? '' : ` with tag ${tag}`}${words}`;
  });
  const asked = cases.map(({ question }, at) => `  ${at + 1}: ${questionLine(question)}`);
  return [
    'The configuration is switch.yaml. The switch has just heard one broadcast of each of these hosts,',
    'and has learned nothing else:',
    '',
    ...learned,
    '',
    'Each case is one frame that comes to the switch as it is then: no case changes what the next one meets.',
    '"type 0x88b5" is a payload that no switch looks into.',
    '',
    ...asked,
    '',
  ].join('\n');
}

function answersText({ cases }: CaseSet): string {
  return [
    '# What leaves the switch, one line a case. Copies in any order, separated by commas:',
    '#   1: p1, p2 tag 20, vxlan0 to 192.0.2.2 vni 10',
    '#   2: drop no_pvid',
    ...cases.map((_, at) => `${at + 1}: `),
    '',
  ].join('\n');
}

/** Judges the answers; wrong cases are replaced in the student's files, and counted in `state.rounds`. */
export async function judgePredict(
  exercise: Exercise,
  state: State,
  students: Students,
  seed: string,
): Promise<{ verdict: Verdict; rounds: number[] }> {
  const rounds = (exercise.cases ?? []).map((_, at) => state.rounds?.[at] ?? 0);
  const set = await casesOf(exercise, seed, rounds);
  const text = students.fileOf(state, ANSWERS);
  const { answers, strays } = readAnswers(text, set.ports, Object.keys(DROP_SENTENCES), set.cases.length);
  const lines = strays.map((stray) => `${ANSWERS}: ${stray}`);
  const wrong = new Set<number>();
  let right = 0;
  for (const [at, one] of set.cases.entries()) {
    const given = answers.get(at + 1);
    const fault = faultOf(one, given);
    if (fault === undefined) right++;
    else lines.push(`FAILED case ${at + 1} (${questionLine(one.question)}): ${fault}`);
    if (fault !== undefined && given !== undefined && !('fault' in given)) wrong.add(at);
  }
  lines.push(`${right} of ${counted(set.cases.length, 'case')} right`);
  for (const at of wrong) rounds[at] = (rounds[at] ?? 0) + 1;
  if (wrong.size > 0) {
    await renew(exercise, state, students, seed, { rounds, wrong, text });
    lines.push(
      `cases.txt and answers.txt have a new case for each wrong one: ${[...wrong].map((at) => at + 1).join(', ')}`,
    );
  }
  return { verdict: { solved: right === set.cases.length, lines }, rounds };
}

async function renew(
  exercise: Exercise,
  state: State,
  students: Students,
  seed: string,
  { rounds, wrong, text }: { rounds: readonly number[]; wrong: ReadonlySet<number>; text: string },
): Promise<void> {
  students.replace(state, 'cases.txt', casesText(await casesOf(exercise, seed, rounds)));
  const kept = text.split('\n').map((line) => {
    const number = /^\s*(\d{1,3})\s*:/.exec(line)?.[1];
    return number !== undefined && wrong.has(Number(number) - 1) ? `${number}: ` : line;
  });
  students.replace(state, ANSWERS, kept.join('\n'));
}

/** What is wrong with an answer; undefined: nothing. */
function faultOf({ truth }: Case, given: Answer | Unreadable | undefined): string | undefined {
  if (given === undefined) return 'there is no answer';
  if ('fault' in given) return given.fault;
  const right = truthOf(truth);
  const extra = [...given].filter((one) => !right.has(one));
  const missing = [...right].filter((one) => !given.has(one));
  if (extra.length === 0 && missing.length === 0) return undefined;
  const parts = [
    ...(extra.length === 0 ? [] : [`you say "${extra.join(', ')}", and that does not happen`]),
    ...(missing.length === 0 ? [] : [`"${missing.join(', ')}" is missing`]),
  ];
  return `${parts.join('; ')}. ${explained(truth, [...extra, ...missing])}`;
}

/** The sentences of the trace that are about what was wrong; else the last one that decides. */
function explained({ steps }: Case['truth'], about: readonly string[]): string {
  const ports = new Set(about.map((one) => one.split(' ')[0] ?? ''));
  const sentences = steps.filter(
    ({ text, stage }) => stage !== 'receive' && [...ports].some((port) => text.includes(port)),
  );
  const decisive = steps.filter(({ stage }) => ['vlan', 'lookup', 'flood', 'drop'].includes(stage));
  const chosen = [...new Set([...decisive, ...sentences])].sort((a, b) => steps.indexOf(a) - steps.indexOf(b));
  return chosen.map(({ text }) => text).join(' ');
}
