/**
 * The entry of this room: the labs by name, and the verbs of `overtap lab`. A lab reaches its switches only through their
 * control sockets, as any program would.
 */
import { fileURLToPath } from 'node:url';
import { createClient } from '../client/client.js';
import { nsenter, OWN_FOLDER } from '../port/rootless.js';
import { checkLab, runLab } from './check.js';
import { allHold, type Finding, type Print } from './checks/findings.js';
import type { Lab } from './lab.js';
import { bringUp, downLine, takeDown } from './lifecycle.js';
import { labsFolder } from './own-namespaces.js';
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
import { vmsAndContainers, vmsAndContainersUnicast } from './scenarios/vms-and-containers.js';
import type { LabEnvironment } from './setup/environment.js';
import type { LabState } from './setup/state.js';
import { Interrupted, LabError } from './testbed/errors.js';
import { interruptible } from './testbed/wait.js';
import { guestImage } from './vm/guest-image.js';
import { logPath } from './vm/virtual-machine.js';

export { goRootless } from './own-namespaces.js';

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
  vmsAndContainers,
  vmsAndContainersUnicast,
];

const OVERTAP = fileURLToPath(new URL('../../bin/overtap', import.meta.url));

const ENVIRONMENT: LabEnvironment = {
  root: labsFolder(),
  switchCommand: [process.execPath, OVERTAP, 'run'],
  connect: (socket) => createClient(socket, { deadlineMs: 3000 }),
  image: (print, signal) => guestImage({ say: (line) => print(`download   ${line}`), signal }),
};

/** Name and one line of description of every lab. */
export const labs: readonly { readonly name: string; readonly summary: string }[] = LABS.map(({ name, summary }) => ({
  name,
  summary,
}));

function labNamed(name: string): Lab {
  const lab = LABS.find((one) => one.name === name);
  if (lab) return lab;
  const known = LABS.map((one) => one.name).join(', ');
  throw new LabError('LAB_UNKNOWN', `unknown lab "${name}"; the labs are: ${known}`);
}

/**
 * Builds a lab and prints how to explore it. After a failure or an interrupt nothing is left of it.
 * @throws LabError LAB_UNKNOWN, LAB_IS_UP, LAB_NEEDS_ROOT, LAB_NAME_TAKEN, LAB_COMMAND_FAILED, LAB_SWITCH_FAILED,
 * LAB_TIMEOUT, LAB_INTERRUPTED (class Interrupted)
 */
export async function labUp(name: string, print: Print): Promise<void> {
  const lab = labNamed(name);
  const state = await interruptible((signal) => bringUp(lab, ENVIRONMENT, print, signal));
  for (const line of invitation(lab, state)) print(line);
}

/**
 * Checks a lab that is up, one line per claim.
 * @returns whether at least one claim was proved and none failed
 * @throws LabError LAB_UNKNOWN, LAB_NOT_UP, LAB_AGENT_FAILED, LAB_INTERRUPTED (class Interrupted; the lab stays up)
 */
export async function labCheck(name: string, print: Print): Promise<boolean> {
  const lab = labNamed(name);
  const findings: Finding[] = [];
  try {
    await interruptible((signal) =>
      checkLab(lab, { environment: ENVIRONMENT, print, signal, findings, staysUp: true }),
    );
  } catch (error) {
    if (error instanceof Interrupted) print(`lab ${lab.name} stays up; take it down: overtap lab down ${lab.name}`);
    throw error;
  }
  return allHold(findings);
}

/**
 * Removes everything that `labUp` made. A signal does not stop it. No error if the lab is not up.
 * @throws LabError LAB_UNKNOWN, LAB_NOT_DOWN
 */
export async function labDown(name: string, print: Print): Promise<void> {
  const lab = labNamed(name);
  const wasUp = await interruptible(() => takeDown(lab.name, ENVIRONMENT, print));
  print(wasUp ? downLine(lab.name) : `lab ${lab.name} is not up`);
}

/**
 * Up, check and down in one run; down also after a failure or an interrupt.
 * @returns whether every claim was proved
 * @throws LabError LAB_UNKNOWN, those of `labUp`, LAB_NOT_DOWN
 */
export async function labRun(name: string, print: Print): Promise<boolean> {
  const lab = labNamed(name);
  return interruptible((signal) => runLab(lab, ENVIRONMENT, print, signal));
}

/** The files of each switch, and commands to try. */
function invitation(lab: Lab, state: LabState): string[] {
  const lines = ['', `lab ${lab.name} is up. Each host runs one switch:`];
  for (const { host, config, log, socket } of state.switches) {
    lines.push(`  ${host}  configuration ${config}`, `      log ${log}`, `      control socket ${socket}`);
  }
  const first = state.switches.find(({ host }) => host === lab.topology.hosts[0]?.name);
  const [from, to] = lab.topology.stations;
  if (first && from && to) {
    lines.push('Commands to explore it:');
    for (const command of ['fdb show', 'vlan show', 'link show', 'stats']) {
      lines.push(`  overtap -s ${first.socket} ${command}`);
    }
    const enter = process.env[OWN_FOLDER] === undefined ? '' : `${nsenter(first.pid).join(' ')} `;
    lines.push(`  ${enter}ip netns exec ${from.netns} ip neigh`, `  ${enter}ip netns exec ${first.netns} ip address`);
    for (const { name, folder } of state.machines)
      lines.push(`  tail -f ${logPath(folder)}    # the console of ${name}`);
    lines.push('Commands to check it, and to take it down:');
    lines.push(`  overtap lab check ${lab.name}`, `  overtap lab down ${lab.name}`);
  }
  return lines;
}
