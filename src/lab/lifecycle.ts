/**
 * Owns bringing a lab up and taking it down: namespaces, underlay, daemons, switches, routes, virtual machines. It never judges what the lab does.
 */

import { writeFileSync } from 'node:fs';
import { OWN_FOLDER } from '../port/rootless.js';
import type { Print } from './checks/findings.js';
import { streamOf } from './file/weather-plan.js';
import type { Lab } from './lab.js';
import { endDaemon, needTools, startDaemon } from './setup/daemons.js';
import type { LabEnvironment } from './setup/environment.js';
import { endMachine, machineReady, qemuLog, startMachine } from './setup/machines.js';
import {
  claimState,
  fileCopy,
  type LabState,
  labFolder,
  lastLines,
  loadState,
  removeState,
  type SwitchRecord,
  saveState,
  switchFiles,
} from './setup/state.js';
import { bridgeMtu, firstStart, portMtu, untilReady } from './setup/switches.js';
import {
  allHosts,
  buildUnderlay,
  furnishOverlay,
  furnishPlainHosts,
  namespacesOf,
  segmentConfig,
} from './setup/topology.js';
import { connectWeather, endWeather, startWeather } from './setup/weather.js';
import { type Started, stopProcess } from './testbed/detached.js';
import { Interrupted, LabError, reasonOf } from './testbed/errors.js';
import { addNamespace, deleteNamespace, namespaceExists } from './testbed/namespaces.js';
import { causeOf, refuseIfInterrupted } from './testbed/wait.js';
import type { GuestImage } from './vm/guest-image.js';
import type { WeatherPlan } from './weather/protocol.js';

const LOG_LINES = 15;

/** The line printed when a lab and everything that belonged to it are gone. */
export function downLine(lab: string): string {
  return `lab ${lab} is down; nothing is left`;
}

/** A lab while it is built. `state` lists what exists so far. */
interface Build {
  readonly lab: Lab;
  readonly environment: LabEnvironment;
  readonly state: LabState;
  /** What its virtual machines boot, if it has any. */
  readonly image: GuestImage | undefined;
  readonly print: Print;
  readonly signal: AbortSignal | undefined;
}

/**
 * Builds the lab. After a failure or an interrupt it removes what exists so far, says so, and throws.
 * @throws LabError; Interrupted once `signal` is aborted
 */
export async function bringUp(
  lab: Lab,
  environment: LabEnvironment,
  print: Print,
  signal?: AbortSignal,
): Promise<LabState> {
  if (process.geteuid?.() !== 0) {
    throw new LabError('LAB_NEEDS_ROOT', 'labs consist of network namespaces and TAPs, which need root: try sudo');
  }
  needDaemons(lab);
  const image = await imageFor(lab, environment, print, signal);
  const state = claimState(environment.root, lab.name);
  try {
    await build({ lab, environment, state, image, print, signal });
    return state;
  } catch (error) {
    const cause = causeOf(error, signal);
    print(`up failed: ${reasonOf(cause)}`);
    if (!(cause instanceof Interrupted)) printLogs(state, print);
    await dismantle(state, environment, print);
    print(downLine(lab.name));
    throw cause;
  }
}

/** Before anything is made: what daemons need may be missing. They change users and mounts, which an ordinary user's namespaces may not. */
function needDaemons({ name, daemons = [] }: Lab): void {
  if (daemons.length === 0) return;
  if (process.env[OWN_FOLDER] !== undefined)
    throw new LabError('LAB_NEEDS_ROOT', `lab ${name} runs daemons of others, which need root here: try sudo`);
  needTools(name, daemons);
}

/** Before anything is made: what virtual machines need may be missing. */
async function imageFor(
  lab: Lab,
  environment: LabEnvironment,
  print: Print,
  signal: AbortSignal | undefined,
): Promise<GuestImage | undefined> {
  if (lab.topology.machines === undefined) return undefined;
  if (process.env[OWN_FOLDER] !== undefined)
    throw new LabError('LAB_NEEDS_ROOT', `lab ${lab.name} has virtual machines, which need root here: try sudo`);
  try {
    const image = await environment.image(print, signal);
    print(`guests     boot Linux ${image.version} and busybox of Debian: ${image.kernel}`);
    return image;
  } catch (error) {
    throw causeOf(error, signal);
  }
}

function printLogs({ switches, machines, daemons }: LabState, print: Print): void {
  const logs = [...[...daemons, ...switches].map(({ log }) => log), ...machines.map(({ folder }) => qemuLog(folder))];
  for (const log of logs) {
    print(`the last lines of ${log}:`);
    for (const line of lastLines(log, LOG_LINES)) print(`  ${line}`);
  }
}

/**
 * Takes the lab down: everything in its state file, and nothing else.
 * @returns false when the lab was not up
 * @throws LabError LAB_NOT_DOWN when a part cannot be removed; the state file then stays, so that `down` can be repeated
 */
export async function takeDown(name: string, environment: LabEnvironment, print: Print): Promise<boolean> {
  const state = loadState(environment.root, name);
  if (!state) return false;
  await dismantle(state, environment, print);
  return true;
}

async function build(work: Build): Promise<void> {
  const { lab, print, signal } = work;
  const { routes = [] } = lab.topology;
  await makeNamespaces(work);
  const plan = await startLinks(work);
  const stormy = new Set(plan?.cables.flatMap(({ names }) => names));
  await buildUnderlay(lab.topology, stormy, signal);
  await startSegment(work, plan);
  print(
    `underlay   ${allHosts(lab.topology)
      .map((host) => `${host.name} ${host.address}`)
      .join(', ')}`,
  );
  await furnishPlainHosts(lab.topology, signal);
  await startDaemons(work);
  await startSwitches(work);
  if (plan !== undefined) await connectLinks(work, plan);
  await furnishOverlay(lab.topology, signal);
  await startMachines(work);
  if (routes.length > 0)
    print(`routes     ${routes.map(({ from, to, via }) => `${from.netns}: ${to} via ${via}`).join(', ')}`);
}

async function makeNamespaces({ lab, environment, state, print, signal }: Build): Promise<void> {
  const names = namespacesOf(lab.topology);
  for (const name of names) {
    refuseIfInterrupted(signal);
    if (namespaceExists(name)) {
      const remedy = `delete it if it is unused: ip netns del ${name}`;
      throw new LabError(
        'LAB_NAME_TAKEN',
        `network namespace ${name} exists and does not belong to this lab; ${remedy}`,
      );
    }
    state.namespaces.push(name);
    saveState(environment.root, state);
    await addNamespace(name);
  }
  print(`namespaces ${names.join(', ')}`);
}

/** Starts the weather process, if the lab has links with weather, and keeps a copy of the lab's file. */
async function startLinks({ lab, environment, state, print, signal }: Build): Promise<WeatherPlan | undefined> {
  if (lab.file !== undefined) writeFileSync(fileCopy(environment.root, lab.name), lab.file.source);
  const plan = lab.weather?.(labFolder(environment.root, lab.name));
  const [host] = lab.topology.hosts;
  if (plan === undefined || host === undefined) return undefined;
  await startWeather(plan, host.netns, environment, state, signal);
  print(`weather    ${plan.cables.map(({ names }) => names.join('-')).join(', ')} (pid ${state.weather?.pid})`);
  return plan;
}

/** The MTU of a guest's NIC is that of the bridge that it is in. */
async function connectLinks({ lab, environment, state, signal }: Build, plan: WeatherPlan): Promise<void> {
  const mtuOf = async (guest: string): Promise<number | undefined> => {
    const station = lab.topology.stations.find(({ name }) => name === guest);
    const folder = labFolder(environment.root, lab.name);
    return station && portMtu(state, station.host, streamOf(folder, guest), environment);
  };
  await connectWeather(plan, mtuOf, environment, state, signal);
}

/** Starts the switch that joins the hosts, if the lab has one. It must be ready before theirs, which need its NICs. */
async function startSegment(
  { lab, environment, state, print, signal }: Build,
  plan: WeatherPlan | undefined,
): Promise<void> {
  const { segment, hosts } = lab.topology;
  if (segment === undefined) return;
  const streams = streamsOf(plan);
  const config = segmentConfig(segment, hosts, switchFiles(environment.root, lab.name, segment.name), streams);
  const started = await firstStart(segment, config, environment, state);
  const record = state.switches.at(-1) as SwitchRecord;
  await untilReady(record, started, environment, signal);
  print(`switch     ${segment.name} is ready (pid ${record.pid}) and joins the hosts`);
}

/** Sockets by the first name of their cables. */
function streamsOf(plan: WeatherPlan | undefined): Map<string, string> {
  return new Map(
    plan?.cables.flatMap(({ names: [name = ''], devices: [, far] }) =>
      far.form === 'stream' ? [[name, far.socket] as const] : [],
    ),
  );
}

async function startDaemons({ lab, environment, state, print, signal }: Build): Promise<void> {
  for (const daemon of lab.daemons ?? []) {
    refuseIfInterrupted(signal);
    const { name, pid } = await startDaemon(daemon, environment, state, signal);
    print(`daemon     ${name} answers (pid ${pid})`);
  }
}

/** Starts the switches of all hosts, then waits until all are ready: their start-up times overlap. */
async function startSwitches({ lab, environment, state, print, signal }: Build): Promise<void> {
  const started = new Map<string, Started>();
  for (const host of lab.topology.hosts) {
    refuseIfInterrupted(signal);
    const config = lab.config(host, switchFiles(environment.root, lab.name, host.name));
    started.set(host.name, await firstStart(host, config, environment, state));
  }
  for (const record of state.switches) {
    const process = started.get(record.host);
    if (process === undefined) continue; // the segment's switch, which is ready
    await untilReady(record, process, environment, signal);
    print(`switch     ${record.host} is ready (pid ${record.pid})`);
  }
}

/** Starts all machines, then waits until all are ready. The switches must run: they know the MTU, and make the TAPs. */
async function startMachines({ lab, environment, state, image, print, signal }: Build): Promise<void> {
  if (image === undefined) return;
  const started = new Map<string, Started>();
  for (const machine of lab.topology.machines ?? []) {
    refuseIfInterrupted(signal);
    const mtu = await bridgeMtu(state, machine.host, environment);
    started.set(machine.name, await startMachine(machine, image, mtu, environment, state));
  }
  for (const record of state.machines) {
    await machineReady(record, started.get(record.name) as Started, signal);
    print(`machine    ${record.name} is ready (pid ${record.pid})`);
  }
}

/** Removes everything in the state, and continues after a failure: the rest is removed all the same. */
async function dismantle(state: LabState, environment: LabEnvironment, print: Print): Promise<void> {
  const failures: string[] = [];
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failures.push(reasonOf(error));
    }
  };
  await Promise.all(state.daemons.map((record) => attempt(async () => void (await endDaemon(record)))));
  await Promise.all(state.machines.map((record) => attempt(async () => void (await endMachine(record)))));
  await Promise.all(
    state.switches.map((record) =>
      attempt(async () => {
        const how = await stopProcess(record.pid, record.config);
        if (how === 'killed') print(`switch     ${record.host} did not end on SIGTERM within 2 s and was killed`);
        if (how === 'not running') print(`switch     ${record.host} was not running`);
      }),
    ),
  );
  const { weather } = state;
  if (weather !== undefined) await attempt(async () => void (await endWeather(weather)));
  for (const name of state.namespaces) await attempt(() => deleteNamespace(name));
  if (failures.length > 0)
    throw new LabError('LAB_NOT_DOWN', `lab ${state.lab} is not completely down: ${failures.join('; ')}`);
  removeState(environment.root, state.lab);
}
