/** Finds a lab by what is typed: the name of a ready one, the path of a lab file, or the name of one that is up from a file. */
import { existsSync, readFileSync } from 'node:fs';
import { labOf } from './file/from-file.js';
import { loadLabFile } from './file/read.js';
import { readyLab, readyPath } from './file/ready.js';
import type { Lab } from './lab.js';
import { evpnReflector } from './scenarios/evpn-reflector.js';
import { evpnTwoHostsFrr } from './scenarios/evpn-two-hosts-frr.js';
import { vmsAndContainers, vmsAndContainersUnicast } from './scenarios/vms-and-containers.js';
import { fileCopy, labsThatAreUp } from './setup/state.js';
import { LabError } from './testbed/errors.js';

/** The labs that are files, and what makes each: reading all of them takes longer than most commands. */
const FILES: Readonly<Record<string, () => Promise<Lab>>> = {
  'one-vxlan-many-vlans': async () => readyLab('one-vxlan-many-vlans'),
  'three-hosts-unicast': async () => (await import('./scenarios/three-hosts-unicast.js')).threeHostsUnicast,
  'multicast-underlay': async () => (await import('./scenarios/multicast-underlay.js')).multicastUnderlay,
  'point-to-point': async () => readyLab('point-to-point'),
  'default-port-8472': async () => (await import('./scenarios/default-port-8472.js')).defaultPort8472,
  dove: async () => (await import('./scenarios/dove.js')).dove,
  'two-bridges': async () => (await import('./scenarios/two-bridges.js')).twoBridges,
  'anycast-gateway': async () => readyLab('anycast-gateway'),
  'vlan-tenants': async () => (await import('./scenarios/vlan-tenants.js')).vlanTenants,
  routed: async () => (await import('./scenarios/routed.js')).routed,
  'full-mesh': async () => readyLab('full-mesh'),
};
const CODE: readonly Lab[] = [evpnTwoHostsFrr, evpnReflector, vmsAndContainers, vmsAndContainersUnicast];

/** Name and one line of description of every ready lab. */
export const READY_LABS: readonly { readonly name: string; readonly summary: string }[] = [
  ...Object.keys(FILES).map((name) => ({
    name,
    get summary() {
      return summaryOf(name);
    },
  })),
  ...CODE.map(({ name, summary }) => ({ name, summary })),
];

/** Of a ready file, whose summary is a line of its own. */
function summaryOf(name: string): string {
  return /^summary: "(.*)"$/m.exec(readFileSync(readyPath(name), 'utf8'))?.[1] ?? '';
}

const isReady = (name: string): boolean => READY_LABS.some((lab) => lab.name === name);

/** Whether a word is a path: a name of a lab has neither slashes nor dots. */
export function isLabFile(word: string): boolean {
  return word.includes('/') || /\.(ya?ml|json)$/.test(word);
}

/**
 * The lab that a word names.
 * @param root the folder of the labs that are up; undefined: none may be believed
 * @throws LabError LAB_UNKNOWN, LAB_NAME_TAKEN; ConfigError for a file with faults
 */
export async function findLab(word: string, root: string | undefined): Promise<Lab> {
  if (isLabFile(word)) return labInFile(word);
  const ready =
    CODE.find(({ name }) => name === word) ?? (Object.hasOwn(FILES, word) ? await FILES[word]?.() : undefined);
  if (ready !== undefined) return ready;
  const copy = root !== undefined && labsThatAreUp(root).includes(word) ? fileCopy(root, word) : undefined;
  if (copy !== undefined && existsSync(copy)) return labOf(loadLabFile(copy));
  throw unknownLab(word);
}

/**
 * The name of the lab that a word names. For one that is up its file need not be valid any more.
 * @throws as findLab
 */
export function labNameOf(word: string, root: string | undefined): string {
  if (isLabFile(word)) return labInFile(word).name;
  if (isReady(word) || (root !== undefined && labsThatAreUp(root).includes(word))) return word;
  throw unknownLab(word);
}

function unknownLab(name: string): LabError {
  const known = READY_LABS.map((one) => one.name).join(', ');
  return new LabError('LAB_UNKNOWN', `unknown lab "${name}"; the labs are: ${known}`);
}

function labInFile(path: string): Lab {
  const lab = labOf(loadLabFile(path));
  if (!isReady(lab.name)) return lab;
  throw new LabError(
    'LAB_NAME_TAKEN',
    `${path}: ${lab.name} is the name of a ready lab; give "lab" and "prefix" others`,
  );
}
