/**
 * Owns the check of a lab that is up, and a whole run: up, check and down. It never knows what a lab claims.
 */
import { allHold, closingTable, type Finding, type Print, seconds } from './checks/findings.js';
import { Inspection } from './checks/inspection.js';
import type { Lab } from './lab.js';
import { bringUp, downLine, takeDown } from './lifecycle.js';
import type { LabEnvironment } from './setup/environment.js';
import { type LabState, loadState } from './setup/state.js';
import { LabError, reasonOf } from './testbed/errors.js';
import { causeOf, refuseIfInterrupted } from './testbed/wait.js';

/** What a check needs besides its lab. */
export interface CheckOptions {
  readonly environment: LabEnvironment;
  readonly print: Print;
  readonly signal: AbortSignal;
  /** Gets each finding at once, so that an interrupted check keeps the ones made so far. */
  readonly findings: Finding[];
  /** Whether the lab stays up after the check: an interrupted check then undoes its changes to the lab. */
  readonly staysUp: boolean;
}

/**
 * Checks a lab that is up; after a failed claim it also prints the drops of every switch.
 * @throws LabError LAB_NOT_UP, LAB_AGENT_FAILED; Interrupted
 */
export async function checkLab(lab: Lab, options: CheckOptions): Promise<void> {
  const { environment, print, findings } = options;
  const state = loadState(environment.root, lab.name);
  if (!state) throw new LabError('LAB_NOT_UP', `lab ${lab.name} is not up; bring it up: overtap lab up ${lab.name}`);
  try {
    await Inspection.run(lab, { ...options, state });
  } catch (error) {
    throw causeOf(error, options.signal);
  }
  if (!allHold(findings)) for (const line of await dropLines(state, environment)) print(line);
}

/**
 * Brings a lab up, checks it and takes it down, with elapsed times and a closing table. The lab comes down after a failure
 * and after an interrupt too; an interrupted run has no table.
 * @returns whether every claim was proved
 * @throws LabError from bringUp; Interrupted when everything is removed
 */
export async function runLab(
  lab: Lab,
  environment: LabEnvironment,
  print: Print,
  signal: AbortSignal,
): Promise<boolean> {
  const start = performance.now();
  const timed: Print = (line) => print(`${seconds(performance.now() - start).padStart(7)}  ${line}`);
  timed(`lab ${lab.name}: ${lab.summary}`);
  await bringUp(lab, environment, timed, signal);
  const findings: Finding[] = [];
  let isComplete = false;
  try {
    await checkLab(lab, { environment, print: timed, signal, findings, staysUp: false });
    isComplete = true;
  } catch (error) {
    timed(`the check ended early: ${reasonOf(error)}`);
  } finally {
    await takeDown(lab.name, environment, timed);
    timed(downLine(lab.name));
  }
  refuseIfInterrupted(signal);
  for (const line of closingTable(lab.name, findings, isComplete, performance.now() - start)) print(line);
  return isComplete && allHold(findings);
}

/** The drop counters of every switch: the first place to look when a claim fails. */
async function dropLines({ switches }: LabState, environment: LabEnvironment): Promise<string[]> {
  return Promise.all(
    switches.map(async ({ host, socket, log }) => {
      try {
        const { drops } = await environment.connect(socket).get('/v1/stats');
        const counted = Object.entries(drops).filter(([, count]) => count > 0);
        return `drops of ${host}: ${counted.map(([reason, count]) => `${reason} ${count}`).join(', ') || 'none'}`;
      } catch (error) {
        return `drops of ${host}: unknown (${reasonOf(error)}); its log: ${log}`;
      }
    }),
  );
}
