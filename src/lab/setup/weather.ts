/** Owns the weather process of a lab: starting and ending it, and asking it. What a weather does is in src/lab/weather. */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Started, startDetached, stopProcess } from '../testbed/detached.js';
import { LabError } from '../testbed/errors.js';
import { setMtu } from '../testbed/namespaces.js';
import { waitUntil, within } from '../testbed/wait.js';
import {
  logPath,
  planPath,
  socketPath,
  type WeatherAnswer,
  type WeatherPlan,
  type WeatherRequest,
} from '../weather/protocol.js';
import type { LabEnvironment } from './environment.js';
import { type LabState, labFolder, saveState } from './state.js';

/** The bundled program; the relative path is the same from src/lab/setup and from dist/lab/setup. */
const PROGRAM = fileURLToPath(new URL('../../../dist/bundle/weather-agent.js', import.meta.url));
const READY_LIMIT_MS = 20_000;
const ASK_LIMIT_MS = 5000;
/** Characters of an answer: 100 links need a fifth of it. */
const MAX_ANSWER = 1_000_000;

/** Starts the process and waits until its cables are there. @throws LabError LAB_SWITCH_FAILED, LAB_TIMEOUT; Interrupted */
export async function startWeather(
  plan: WeatherPlan,
  netns: string,
  environment: LabEnvironment,
  state: LabState,
  signal?: AbortSignal,
): Promise<void> {
  const folder = labFolder(environment.root, state.lab);
  const file = planPath(folder);
  writeFileSync(file, `${JSON.stringify(plan, null, 2)}\n`);
  const started: Started = await startDetached(netns, [process.execPath, PROGRAM, file], logPath(folder));
  state.weather = { pid: started.pid, plan: file };
  saveState(environment.root, state);
  const isThere = async (): Promise<boolean> => {
    const ending = started.ending();
    if (ending !== null)
      throw new LabError('LAB_SWITCH_FAILED', `the weather process ${ending}; its log: ${logPath(folder)}`);
    return askWeather(folder, { op: 'show' }).then(
      () => true,
      () => false,
    );
  };
  await waitUntil(isThere, { what: 'the links with weather', limitMs: READY_LIMIT_MS, everyMs: 30, signal });
}

/** Waits until the switches have connected to their cables, and gives the NICs of guests the MTU of their bridges. */
export async function connectWeather(
  plan: WeatherPlan,
  bridgeMtuOf: (guest: string) => Promise<number | undefined>,
  environment: LabEnvironment,
  state: LabState,
  signal?: AbortSignal,
): Promise<void> {
  const folder = labFolder(environment.root, state.lab);
  const areConnected = async (): Promise<boolean> => (await askWeather(folder, { op: 'show' })).unconnected === 0;
  await waitUntil(areConnected, { what: 'the switches at their links', limitMs: READY_LIMIT_MS, signal });
  for (const { names, devices } of plan.cables) {
    const [nic] = devices;
    const mtu = nic.form === 'tap' ? await bridgeMtuOf(names[0] ?? '') : undefined;
    if (nic.form === 'tap' && mtu !== undefined) await setMtu(nic, mtu);
  }
}

/** Ends it. @returns how */
export function endWeather({ pid, plan }: { pid: number; plan: string }): Promise<'not running' | 'ended' | 'killed'> {
  return stopProcess(pid, plan);
}

/** Why the process does not answer, and what to do. */
function silence(folder: string, { message }: Error): string {
  const remedy = `its log: ${logPath(folder)}; take the lab down and up again`;
  return `the weather process does not answer (${message}); ${remedy}`;
}

/** One request. @throws LabError LAB_COMMAND_FAILED, with its reason; LAB_TIMEOUT */
export function askWeather(folder: string, request: WeatherRequest): Promise<WeatherAnswer> {
  const socket = connect(socketPath(folder));
  const answer = new Promise<WeatherAnswer>((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('error', (error) => reject(new LabError('LAB_COMMAND_FAILED', silence(folder, error))));
    socket.on('data', (part: string) => {
      text += part;
      if (text.length > MAX_ANSWER) socket.destroy(new Error('the answer is too long'));
    });
    socket.on('end', () => {
      try {
        resolve(JSON.parse(text) as WeatherAnswer);
      } catch (error) {
        reject(error);
      }
    });
    socket.write(`${JSON.stringify(request)}\n`);
  });
  return within(answer, ASK_LIMIT_MS, 'the answer of the weather process')
    .then((said) => {
      if (said.error !== undefined) throw new LabError('LAB_COMMAND_FAILED', said.error);
      return said;
    })
    .finally(() => socket.destroy());
}
