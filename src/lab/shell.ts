/** `overtap lab shell`: replaces this process by a shell, or a command, in the namespace of a guest, router or host of a lab that is up. */
import { existsSync } from 'node:fs';
import { execute } from '../port/process.js';
import type { Lab } from './lab.js';
import type { LabState } from './setup/state.js';
import type { Topology } from './setup/topology.js';
import { LabError } from './testbed/errors.js';
import { namespaceExists } from './testbed/namespaces.js';

const BASH = '/bin/bash';

/** A place of a lab that has a namespace. */
interface ShellPlace {
  readonly name: string;
  readonly netns: string;
  /** The host whose switch is near. */
  readonly host: string | undefined;
}

/** Guests first: a guest may be the host itself. */
function placesOf({ stations, hosts, plainHosts = [], overlayRouters = [] }: Topology): ShellPlace[] {
  return [
    ...stations.map(({ name, netns, host }) => ({ name, netns, host })),
    ...hosts.map(({ name, netns }) => ({ name, netns, host: name })),
    ...plainHosts.map(({ name, netns }) => ({ name, netns, host: undefined })),
    ...overlayRouters.map(({ netns }) => ({ name: netns.replace(/^.*-/, ''), netns, host: undefined })),
  ];
}

/** Whether the lab has such a place. */
export function hasPlace({ topology }: Lab, name: string): boolean {
  return placesOf(topology).some((place) => place.name === name);
}

/**
 * The command line, and what it adds to the environment.
 * @param command empty: an interactive shell whose prompt names the guest
 * @throws LabError LAB_UNKNOWN, LAB_NOT_UP
 */
export function shellCommand(
  lab: Lab,
  state: LabState,
  name: string,
  command: readonly string[],
): { words: string[]; environment: Record<string, string> } {
  const places = placesOf(lab.topology);
  const place = places.find((one) => one.name === name);
  if (place === undefined) {
    const known = [...new Set(places.map((one) => one.name))].join(', ');
    throw new LabError('LAB_UNKNOWN', `lab ${lab.name} has no "${name}"; there are ${known}`);
  }
  if (!namespaceExists(place.netns)) throw new LabError('LAB_NOT_UP', `namespace ${place.netns} is gone`);
  const socket = state.switches.find(({ host }) => host === place.host)?.socket;
  return {
    words: ['ip', 'netns', 'exec', place.netns, ...(command.length > 0 ? command : shell())],
    environment: {
      PS1: existsSync(BASH) ? `[${name}@${lab.name}] \\w \\$ ` : `[${name}@${lab.name}] $ `,
      ...(socket === undefined ? {} : { OVERTAP_CONTROL: socket }),
    },
  };
}

/** Without its own files, which would set another prompt. */
function shell(): string[] {
  return existsSync(BASH) ? [BASH, '--norc', '--noprofile', '-i'] : ['/bin/sh', '-i'];
}

/** Never returns. @throws NativeError, LabError as `shellCommand` */
export function enterShell(lab: Lab, state: LabState, name: string, command: readonly string[]): never {
  const { words, environment } = shellCommand(lab, state, name, command);
  return execute('/usr/bin/env', ['env', ...words], { ...process.env, ...environment }, []);
}
