/**
 * Judges a stage: hidden cases by chance, each a switch in memory of the same configuration that the stage is told of. What the stage says is
 * compared with what the data path does with the same frame, call by call; the first difference ends the grading, with the trace of the frame.
 */
import type { TraceAnswer } from '../../api/trace.js';
import { Chance } from '../chance.js';
import type { Exercise } from '../catalog.js';
import { counted, type Verdict } from '../verdict.js';
import { flooding } from './flooding.js';
import { learning } from './learning.js';
import type { Call, StageJudge } from './stage-judge.js';
import { type Answered, type StageOptions, StageProcess } from './stage-process.js';
import { vlan } from './vlan.js';

const JUDGES: Readonly<Record<NonNullable<Exercise['stage']>, StageJudge>> = { learning, vlan, flooding };

/** @param path of the student's module */
export async function judgeStage(
  stage: NonNullable<Exercise['stage']>,
  path: string,
  seed: string,
  options?: StageOptions,
): Promise<Verdict> {
  const judge = JUDGES[stage];
  const count = Math.min(judge.cases, options?.cases ?? judge.cases);
  const child = new StageProcess(path, options);
  try {
    const unloaded = await child.load();
    if (unloaded !== undefined) return await failed(child, [`FAILED the file cannot be loaded: ${unloaded}`]);
    for (let at = 1; at <= count; at++) {
      const calls = await judge.calls(new Chance(`${seed} stage ${at}`));
      const answered = await child.ask({ ...judge, calls: calls.map(({ args }) => args) });
      const fault = faultOf(judge, calls, answered);
      if (fault !== undefined)
        return await failed(child, [`FAILED case ${at} of ${count}: ${fault[0]}`, ...fault.slice(1)]);
    }
    return {
      solved: true,
      lines: [`ok     ${counted(count, 'hidden case')}: the stage does what the data path does`],
    };
  } finally {
    await child.stop();
  }
}

async function failed(child: StageProcess, lines: readonly string[]): Promise<Verdict> {
  await child.stop();
  const { printed } = child;
  const said = printed.trim() === '' ? [] : ['the code printed:', ...printed.trimEnd().split('\n').slice(0, 10)];
  return { solved: false, lines: [...lines, ...said] };
}

/** The first difference, in lines; undefined: none. */
function faultOf(judge: StageJudge, calls: readonly Call[], { results, fault }: Answered): string[] | undefined {
  for (const [at, call] of calls.entries()) {
    const where = `call ${at + 1} of ${calls.length}`;
    if (at >= results.length)
      return [`${where}: ${fault ?? 'there is no result'}`, ...(at < calls.length ? [`  it got: ${call.told}`] : [])];
    const said = judge.read(results[at]);
    if (said === call.expected) continue;
    const returned =
      said === undefined
        ? `${judge.entry}() returned ${shown(results[at])}; it returns ${judge.returns}`
        : `your stage says "${said}", the switch does "${call.expected}"`;
    return [`${where}: ${returned}`, `  it got: ${call.told}`, ...reasons(call.truth)];
  }
  return undefined;
}

function shown(result: unknown): string {
  return result === null ? 'undefined or null' : (JSON.stringify(result) ?? '').slice(0, 200);
}

function reasons({ steps }: TraceAnswer): string[] {
  return steps
    .filter(({ stage }) => !['receive', 'send', 'report'].includes(stage))
    .map(({ text }) => `  why: ${text}`);
}
