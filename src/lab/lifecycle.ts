/**
 * Owns bringing a lab up and taking it down again: namespaces, underlay, switches, routes, in this order, and back. It
 * never judges what the lab does.
 */

import type { Print } from './checks/findings.js';
import type { Lab } from './lab.js';
import type { LabEnvironment } from './setup/environment.js';
import {
  claimState,
  type LabState,
  lastLines,
  loadState,
  removeState,
  type SwitchRecord,
  saveState,
  switchFiles,
} from './setup/state.js';
import { firstStart, untilReady } from './setup/switches.js';
import { buildUnderlay, furnishOverlay, namespacesOf, segmentConfig } from './setup/topology.js';
import { type Started, stopProcess } from './testbed/detached.js';
import { LabError, reasonOf } from './testbed/errors.js';
import { addNamespace, deleteNamespace, namespaceExists } from './testbed/namespaces.js';
import { refuseIfInterrupted } from './testbed/wait.js';

const LOG_LINES = 15;

/**
 * Builds the lab; when anything fails, takes away what was built so far.
 * @throws LabError
 */
export async function bringUp(
  lab: Lab,
  environment: LabEnvironment,
  print: Print,
  signal?: AbortSignal,
): Promise<LabState> {
  if (process.geteuid?.() !== 0) {
    throw new LabError('LAB_NEEDS_ROOT', 'a lab is made of network namespaces and TAPs, which takes root: try sudo');
  }
  const state = claimState(environment.root, lab.name);
  try {
    await build(lab, environment, state, print, signal);
    return state;
  } catch (error) {
    print(`up failed: ${reasonOf(error)}`);
    const isFailure = !(error instanceof LabError && error.code === 'LAB_INTERRUPTED');
    for (const record of isFailure ? state.switches : []) {
      print(`the last lines of ${record.log}:`);
      for (const line of lastLines(record.log, LOG_LINES)) print(`  ${line}`);
    }
    await dismantle(state, environment, print);
    throw error;
  }
}

/**
 * Takes the lab down: what its state file lists, and nothing else.
 * @returns false when it was not up
 * @throws LabError LAB_NOT_DOWN when something does not go away; the state file then stays, for another try
 */
export async function takeDown(name: string, environment: LabEnvironment, print: Print): Promise<boolean> {
  const state = loadState(environment.root, name);
  if (!state) return false;
  await dismantle(state, environment, print);
  return true;
}

async function build(
  lab: Lab,
  environment: LabEnvironment,
  state: LabState,
  print: Print,
  signal: AbortSignal | undefined,
): Promise<void> {
  const wanted = namespacesOf(lab.topology);
  for (const name of wanted) {
    refuseIfInterrupted(signal);
    if (namespaceExists(name)) {
      const remedy = `if nobody needs it: ip netns del ${name}`;
      throw new LabError('LAB_NAME_TAKEN', `there is a network namespace ${name} already, not this lab's; ${remedy}`);
    }
    state.namespaces.push(name);
    saveState(environment.root, state);
    await addNamespace(name);
  }
  print(`namespaces ${wanted.join(', ')}`);

  await buildUnderlay(lab.topology, signal);
  await startSegment(lab, environment, state, print, signal);
  print(`underlay   ${lab.topology.hosts.map((host) => `${host.name} ${host.address}`).join(', ')}`);

  const started = new Map<string, Started>();
  for (const host of lab.topology.hosts) {
    refuseIfInterrupted(signal);
    const config = lab.config(host, switchFiles(environment.root, lab.name, host.name));
    started.set(host.name, await firstStart(host, config, environment, state));
  }
  for (const record of state.switches) {
    const process = started.get(record.host);
    if (process === undefined) continue; // the segment's, which was waited for
    await untilReady(record, process, environment, signal);
    print(`switch     ${record.host} is ready (pid ${record.pid})`);
  }

  await furnishOverlay(lab.topology, signal);
  const { routes = [] } = lab.topology;
  if (routes.length > 0)
    print(`routes     ${routes.map(({ from, to, via }) => `${from.netns}: ${to} via ${via}`).join(', ')}`);
}

/** The switch that joins the hosts, if there is one: it has to be there before theirs, which need its NICs. */
async function startSegment(
  { name, topology }: Lab,
  environment: LabEnvironment,
  state: LabState,
  print: Print,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { segment, hosts } = topology;
  if (segment === undefined) return;
  const config = segmentConfig(segment, hosts, switchFiles(environment.root, name, segment.name));
  const started = await firstStart(segment, config, environment, state);
  const record = state.switches.at(-1) as SwitchRecord;
  await untilReady(record, started, environment, signal);
  print(`switch     ${segment.name} is ready (pid ${record.pid}) and joins the hosts`);
}

/** Goes on after a failure, so that one thing that does not go away keeps no other. */
async function dismantle(state: LabState, environment: LabEnvironment, print: Print): Promise<void> {
  const failures: string[] = [];
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failures.push(reasonOf(error));
    }
  };
  await Promise.all(
    state.switches.map((record) =>
      attempt(async () => {
        const how = await stopProcess(record.pid, record.config);
        if (how === 'killed') print(`switch     ${record.host} did not end on SIGTERM within 2 s and was killed`);
        if (how === 'not running') print(`switch     ${record.host} was not running any more`);
      }),
    ),
  );
  for (const name of state.namespaces) await attempt(() => deleteNamespace(name));
  if (failures.length > 0)
    throw new LabError('LAB_NOT_DOWN', `lab ${state.lab} is not all down: ${failures.join('; ')}`);
  removeState(environment.root, state.lab);
}
