/** Switches that inherit open devices: the program of hand-over/give-devices.c, which opens them and becomes the switch. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { World } from './host-testbed.js';
import { RunningSwitch, switchCommand } from './switch.js';

const SOURCE = fileURLToPath(new URL('hand-over/give-devices.c', import.meta.url));

/** @returns the words in front of a command that inherits the devices; the format of one is at the head of the program */
export function giving(world: World, ...devices: string[]): string[] {
  const program = world.path('give-devices');
  execFileSync(process.env.CC ?? 'cc', ['-O1', '-o', program, SOURCE]);
  return [program, ...devices, '--'];
}

/** Starts a switch as World.startSwitch does. @param before words in front of the command; @param name of its control socket */
export async function startGiven(
  world: World,
  netns: string,
  config: string,
  before: readonly string[],
  name = 'given',
): Promise<RunningSwitch> {
  const sw = new RunningSwitch(world.spawn(netns, [...before, ...switchCommand(config)]), world.control(name));
  await sw.ready();
  return sw;
}
