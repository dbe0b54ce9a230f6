/**
 * The ready topologies: the one entry of this room. It reaches a switch only through the client of src/control, as any
 * program would.
 */
import { fileURLToPath } from 'node:url';
import { createClient } from '../client/client.js';
import { allHold, closingTable, type Finding, type Print, seconds } from './checks/findings.js';
import { Inspection } from './checks/inspection.js';
import type { Lab } from './lab.js';
import { bringUp, takeDown } from './lifecycle.js';
import { defaultPort8472 } from './scenarios/default-port-8472.js';
import { dove } from './scenarios/dove.js';
import { fullMesh } from './scenarios/full-mesh.js';
import { multicastUnderlay } from './scenarios/multicast-underlay.js';
import { oneVxlanManyVlans } from './scenarios/one-vxlan-many-vlans.js';
import { pointToPoint } from './scenarios/point-to-point.js';
import { routed } from './scenarios/routed.js';
import { threeHostsUnicast } from './scenarios/three-hosts-unicast.js';
import { twoBridges } from './scenarios/two-bridges.js';
import { vlanTenants } from './scenarios/vlan-tenants.js';
import type { LabEnvironment } from './setup/environment.js';
import { type LabState, loadState } from './setup/state.js';
import { LabError, reasonOf } from './testbed/errors.js';
import { interruptible } from './testbed/wait.js';

const LABS: readonly Lab[] = [
  oneVxlanManyVlans,
  threeHostsUnicast,
  multicastUnderlay,
  pointToPoint,
  defaultPort8472,
  dove,
  twoBridges,
  vlanTenants,
  routed,
  fullMesh,
];

const OVERTAP = fileURLToPath(new URL('../../bin/overtap', import.meta.url));

const ENVIRONMENT: LabEnvironment = {
  root: '/run/overtap/lab',
  switchCommand: [process.execPath, OVERTAP, 'run'],
  connect: (socket) => createClient(socket, { deadlineMs: 3000 }),
};

/** Every lab there is. */
export const labs: readonly { readonly name: string; readonly summary: string }[] = LABS.map(({ name, summary }) => ({
  name,
  summary,
}));

function labNamed(name: string): Lab {
  const lab = LABS.find((one) => one.name === name);
  if (lab) return lab;
  const known = LABS.map((one) => one.name).join(', ');
  throw new LabError('LAB_UNKNOWN', `no lab is called "${name}"; there are: ${known}`);
}

/**
 * Builds a lab and says what there is to look at. Whatever fails half-way is taken away again.
 * @throws LabError LAB_UNKNOWN, LAB_IS_UP, LAB_NEEDS_ROOT, LAB_NAME_TAKEN, LAB_COMMAND_FAILED, LAB_SWITCH_FAILED,
 * LAB_TIMEOUT, LAB_INTERRUPTED
 */
export async function labUp(name: string, print: Print): Promise<void> {
  const lab = labNamed(name);
  const state = await interruptible((signal) => bringUp(lab, ENVIRONMENT, print, signal));
  for (const line of invitation(lab, state)) print(line);
}

/**
 * Proves line by line what the lab is there to show.
 * @returns true when nothing failed
 * @throws LabError LAB_UNKNOWN, LAB_NOT_UP, LAB_AGENT_FAILED, LAB_INTERRUPTED
 */
export async function labCheck(name: string, print: Print): Promise<boolean> {
  const lab = labNamed(name);
  const findings: Finding[] = [];
  await interruptible((signal) => inspect(lab, findings, print, signal));
  return allHold(findings);
}

/**
 * Takes away everything that `labUp` made. A lab that is not up is no error.
 * @throws LabError LAB_UNKNOWN, LAB_NOT_DOWN
 */
export async function labDown(name: string, print: Print): Promise<void> {
  const lab = labNamed(name);
  const wasUp = await interruptible(() => takeDown(lab.name, ENVIRONMENT, print));
  print(wasUp ? `lab ${lab.name} is down; nothing of it is left` : `lab ${lab.name} is not up`);
}

/**
 * Up, check and down in one go, with elapsed times and a closing table. It comes down after a failure, Ctrl-C and
 * SIGTERM too.
 * @returns true when everything was proved
 * @throws LabError LAB_UNKNOWN, and LAB_IS_UP, when it then leaves the lab as it is
 */
export async function labRun(name: string, print: Print): Promise<boolean> {
  const lab = labNamed(name);
  const start = performance.now();
  const timed: Print = (line) => print(`${seconds(performance.now() - start).padStart(7)}  ${line}`);
  return interruptible(async (signal) => {
    timed(`lab ${lab.name}: ${lab.summary}`);
    await bringUp(lab, ENVIRONMENT, timed, signal);
    const findings: Finding[] = [];
    let isComplete = false;
    try {
      await inspect(lab, findings, timed, signal);
      isComplete = true;
    } catch (error) {
      timed(`the check ended early: ${reasonOf(error)}`);
    } finally {
      await takeDown(lab.name, ENVIRONMENT, timed);
      timed('the lab is down; nothing of it is left');
    }
    for (const line of closingTable(lab.name, findings, isComplete, performance.now() - start)) print(line);
    return isComplete && allHold(findings);
  });
}

async function inspect(lab: Lab, findings: Finding[], print: Print, signal: AbortSignal): Promise<void> {
  const state = loadState(ENVIRONMENT.root, lab.name);
  if (!state) throw new LabError('LAB_NOT_UP', `lab ${lab.name} is not up; bring it up: overtap lab up ${lab.name}`);
  await Inspection.run(lab, state, ENVIRONMENT, findings, print, signal);
  if (!allHold(findings)) for (const line of await accounts(state)) print(line);
}

/** What the switches say they dropped: the first thing to look at when a claim fails. */
async function accounts(state: LabState): Promise<string[]> {
  return Promise.all(
    state.switches.map(async ({ host, socket, log }) => {
      try {
        const { drops } = await ENVIRONMENT.connect(socket).get('/v1/stats');
        const counted = Object.entries(drops).filter(([, count]) => count > 0);
        return `drops of ${host}: ${counted.map(([reason, count]) => `${reason} ${count}`).join(', ') || 'none'}`;
      } catch (error) {
        return `drops of ${host}: not known (${reasonOf(error)}); its log: ${log}`;
      }
    }),
  );
}

/** Where everything is, and what to try. */
function invitation(lab: Lab, state: LabState): string[] {
  const lines = ['', `lab ${lab.name} is up. Each host runs one switch:`];
  for (const { host, config, log, socket } of state.switches) {
    lines.push(`  ${host}  configuration ${config}`, `      log ${log}`, `      control socket ${socket}`);
  }
  const first = state.switches.find(({ host }) => host === lab.topology.hosts[0]?.name);
  const [from, to] = lab.topology.stations;
  if (first && from && to) {
    lines.push('To look at:');
    for (const command of ['fdb show', 'vlan show', 'link show', 'stats']) {
      lines.push(`  overtap -s ${first.socket} ${command}`);
    }
    lines.push(`  ip netns exec ${from.netns} ip neigh`, `  ip netns exec ${first.netns} ip address`);
    lines.push('To prove what it shows, and to take it away:');
    lines.push(`  overtap lab check ${lab.name}`, `  overtap lab down ${lab.name}`);
  }
  return lines;
}
