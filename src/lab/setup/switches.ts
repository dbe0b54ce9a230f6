/**
 * Owns starting and ending the switch of one host of a lab, and keeps the process in the lab's state up to date: when the
 * lab is built, and when a check ends a switch and starts it again.
 */
import { writeFileSync } from 'node:fs';
import { isRunning, type Started, startDetached, stopProcess } from '../testbed/detached.js';
import { LabError } from '../testbed/errors.js';
import { waitUntil } from '../testbed/wait.js';
import type { LabEnvironment } from './environment.js';
import { type LabState, type SwitchFiles, type SwitchRecord, saveState, switchFiles } from './state.js';

/** How long a switch may take to answer after its start. */
const READY_LIMIT_MS = 20_000;

/** Where a switch runs. */
export interface SwitchPlace {
  readonly name: string;
  readonly netns: string;
}

/** Writes the configuration of a switch, starts it and records it in the state. It does not wait until it is ready. */
export async function firstStart(
  place: SwitchPlace,
  config: string,
  environment: LabEnvironment,
  state: LabState,
): Promise<Started> {
  const files = switchFiles(environment.root, state.lab, place.name);
  writeFileSync(files.config, config);
  const started = await start(place.netns, files, environment);
  state.switches.push({ host: place.name, netns: place.netns, pid: started.pid, ...files });
  saveState(environment.root, state);
  return started;
}

/**
 * Waits until a switch answers on its control socket.
 * @throws LabError LAB_SWITCH_FAILED when it ends, LAB_TIMEOUT; Interrupted
 */
export async function untilReady(
  record: SwitchRecord,
  started: Started,
  environment: LabEnvironment,
  signal?: AbortSignal,
): Promise<void> {
  const answers = async (): Promise<boolean> => {
    const ending = started.ending();
    if (ending) throw new LabError('LAB_SWITCH_FAILED', `the switch of ${record.host} ${ending}`);
    return environment
      .connect(record.socket)
      .get('/v1/info')
      .then(
        () => true,
        () => false,
      );
  };
  const what = `the switch of ${record.host} answers on ${record.socket}`;
  await waitUntil(answers, { what, limitMs: READY_LIMIT_MS, everyMs: 50, signal });
}

/** The largest payload that the bridge of a host carries to the others. */
export async function bridgeMtu(state: LabState, host: string, environment: LabEnvironment): Promise<number> {
  const links = await environment.connect(recordOf(state, host).socket).get('/v1/links');
  const bridge = links.find(({ type }) => type === 'bridge');
  if (!bridge) throw new RangeError(`the switch of ${host} has no bridge`);
  return bridge.mtu;
}

/** The MTU of the bridge of the port that connects to a stream. */
export async function portMtu(
  state: LabState,
  host: string,
  stream: string,
  environment: LabEnvironment,
): Promise<number | undefined> {
  const links = await environment.connect(recordOf(state, host).socket).get('/v1/links');
  const port = links.find((link) => 'connect' in link && link.connect === stream);
  return links.find(({ ifname }) => ifname === port?.master)?.mtu;
}

/** Ends the switch of a host. @param by the first signal @returns how it ended */
export function endSwitch(
  state: LabState,
  host: string,
  by: 'SIGTERM' | 'SIGKILL' = 'SIGTERM',
): Promise<'not running' | 'ended' | 'killed'> {
  const { pid, config } = recordOf(state, host);
  return stopProcess(pid, config, by);
}

/** Starts the switch of a host again with its last configuration and waits until it answers. No error if it is running. */
export async function startAgain(state: LabState, host: string, environment: LabEnvironment): Promise<void> {
  const record = recordOf(state, host);
  if (isRunning(record.pid, record.config)) return;
  const started = await start(record.netns, record, environment);
  const fresh = { ...record, pid: started.pid };
  state.switches = state.switches.map((one) => (one === record ? fresh : one));
  saveState(environment.root, state);
  await untilReady(fresh, started, environment);
}

function start(netns: string, { config, log }: SwitchFiles, environment: LabEnvironment): Promise<Started> {
  return startDetached(netns, [...environment.switchCommand, '-c', config], log);
}

function recordOf(state: LabState, host: string): SwitchRecord {
  const record = state.switches.find((one) => one.host === host);
  if (!record) throw new RangeError(`no switch runs on ${host}`);
  return record;
}
