/** Virtual machines of a lab, with a program in QEMU's place: they come up, restart and go with their lab, at any time. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Lab } from '../../src/lab/lab.js';
import { bringUp, takeDown } from '../../src/lab/lifecycle.js';
import { endMachine, machineAgain } from '../../src/lab/setup/machines.js';
import { labFolder, loadState, type MachineRecord } from '../../src/lab/setup/state.js';
import { namespacesOf } from '../../src/lab/setup/topology.js';
import { isRunning } from '../../src/lab/testbed/detached.js';
import { LabError } from '../../src/lab/testbed/errors.js';
import { namespaceExists } from '../../src/lab/testbed/namespaces.js';
import { fakeEnvironment, fakeLab } from './fake-lab.js';
import { needRoot, removeFolder, temporaryFolder } from './lab-support.js';

const folder = temporaryFolder();
const environment = fakeEnvironment(folder);
const PATH = process.env.PATH;

/** Its guest is ready at once; with the file `slow` it never is, and with `broken` QEMU ends. */
const FAKE_QEMU = `#!/bin/sh
for word; do case $word in file,id=s0,path=*) log=\${word#file,id=s0,path=};; esac; done
[ -e "${folder}/broken" ] && { echo "no such device" > "$log"; echo "bad word"; exit 1; }
[ -e "${folder}/slow" ] || echo "GUEST-READY up=1" > "$log"
while :; do sleep 0.1; done
`;

const printed: string[] = [];
const print = (line: string): void => void printed.push(line);

beforeAll(() => {
  needRoot();
  writeFileSync(join(folder, 'qemu-system-x86_64'), FAKE_QEMU);
  chmodSync(join(folder, 'qemu-system-x86_64'), 0o755);
});

beforeEach(() => {
  process.env.PATH = `${folder}:${PATH}`;
});

afterEach(async () => {
  await takeDown('fake', environment, print);
  for (const name of ['slow', 'broken']) removeFolder(join(folder, name));
  process.env.PATH = PATH;
  printed.length = 0;
});

afterAll(() => removeFolder(folder));

/** One virtual machine on each of two hosts. */
function labWithMachines(): Lab {
  const lab = fakeLab();
  const machines = lab.topology.hosts.map(({ name, netns }, index) => ({
    name: `vm${index + 1}`,
    host: name,
    netns,
    address: `10.0.0.2${index + 1}`,
    mac: `52:54:00:00:00:0${index + 1}`,
    attachment: 'socket' as const,
  }));
  return { ...lab, topology: { ...lab.topology, machines } };
}

const runs = ({ pid, folder: own }: MachineRecord): boolean => isRunning(pid, join(own, 'pid'));

function expectNothingLeft(lab: Lab, machines: readonly MachineRecord[]): void {
  expect(namespacesOf(lab.topology).filter(namespaceExists)).toEqual([]);
  expect(machines.filter(runs)).toEqual([]);
  expect(existsSync(labFolder(environment.root, lab.name))).toBe(false);
}

test('they come up after the switches, with the MTU of the bridge, and go with the lab', async () => {
  const lab = labWithMachines();
  const state = await bringUp(lab, environment, print);
  expect(loadState(environment.root, 'fake')).toEqual(state);
  expect(state.machines.map(({ name }) => name).sort()).toEqual(['vm1', 'vm2']);
  expect(state.machines.every(runs)).toBe(true);
  const [first] = state.machines;
  const line = readFileSync(`/proc/${first.pid}/cmdline`, 'utf8').split('\0').join(' ');
  expect(line).toContain(`addr.path=${first.folder}/net `);
  expect(line).toContain('mac=52:54:00:00:00:01,host_mtu=1450 ');
  expect(line).toContain(' ip4=10.0.0.21/24 ');
  expect(printed.join('\n')).toMatch(/h2 is ready[\s\S]*vm2 is ready/);
  await takeDown('fake', environment, print);
  expectNothingLeft(lab, state.machines);
});

test('one that a check ends is started again as it was, and is waited for', async () => {
  const lab = labWithMachines();
  const state = await bringUp(lab, environment, print);
  const record = (name: string): MachineRecord => state.machines.find((one) => one.name === name) as MachineRecord;
  const [kept, before] = [record('vm1'), record('vm2')];
  expect(await endMachine(before)).not.toBe('not running');
  expect(await endMachine(before)).toBe('not running');
  await machineAgain(state, 'vm2', environment);
  expect(record('vm1')).toEqual(kept);
  expect(record('vm2')).toEqual({ ...before, pid: expect.any(Number) });
  expect(record('vm2').pid).not.toBe(before.pid);
  expect(loadState(environment.root, 'fake')).toEqual(state);

  const restarted = record('vm2');
  await machineAgain(state, 'vm2', environment);
  expect(record('vm2')).toEqual(restarted);
  await expect(machineAgain(state, 'vm9', environment)).rejects.toThrow('no virtual machine vm9');
  await takeDown('fake', environment, print);
  expectNothingLeft(lab, state.machines);
});

test('an interrupt while a guest boots removes everything', async () => {
  writeFileSync(join(folder, 'slow'), '');
  const lab = labWithMachines();
  const controller = new AbortController();
  const machines: MachineRecord[] = [];
  const started = bringUp(lab, environment, print, controller.signal);
  const timer = setInterval(() => {
    const state = loadState(environment.root, 'fake');
    if (state?.machines.length !== 2 || controller.signal.aborted) return;
    machines.push(...state.machines);
    controller.abort('SIGINT');
  }, 20);
  await expect(started).rejects.toMatchObject({ code: 'LAB_INTERRUPTED' });
  clearInterval(timer);
  expect(machines).toHaveLength(2);
  expectNothingLeft(lab, machines);
});

test('if QEMU ends, its last words are reported, and everything is removed', async () => {
  writeFileSync(join(folder, 'broken'), '');
  const lab = labWithMachines();
  await expect(bringUp(lab, environment, print)).rejects.toThrow(/QEMU has ended; the console says: no such device/);
  expect(printed.join('\n')).toMatch(/vm1\/qemu\.log:\n {2}bad word/);
  expectNothingLeft(lab, []);
});

test('where virtual machines cannot run, nothing is made', async () => {
  const lab = labWithMachines();
  const refused = new LabError('LAB_LACKS_TOOL', 'apt-get install --no-install-recommends qemu-system-x86');
  const lacking = { ...environment, image: () => Promise.reject(refused) };
  await expect(bringUp(lab, lacking, print)).rejects.toBe(refused);
  expect(printed).toEqual([]);
  expectNothingLeft(lab, []);
});

test('a state of a version without virtual machines is read', async () => {
  const state = await bringUp(fakeLab(), environment, print);
  const { machines, ...older } = state;
  writeFileSync(join(labFolder(environment.root, 'fake'), 'state.json'), JSON.stringify(older));
  expect(machines).toEqual([]);
  expect(loadState(environment.root, 'fake')).toEqual(state);
});
