/**
 * Owns the ground that everything here is built on, and its end: namespaces, programs, a folder. Whatever is made is named
 * `otb-<pid>-...` or known by its process id, and `takeDown` removes all of it; `sweep` removes what a killed run left.
 * It knows nothing of cables and switches.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../dist/lab/testbed/command.js';
import { addNamespace, deleteNamespace, namespaceExists } from '../../dist/lab/testbed/namespaces.js';
import { refuseIfInterrupted } from '../../dist/lab/testbed/wait.js';
import { Program } from './programs.mjs';

const PREFIX = `otb-${process.pid}-`;
const NAMED = /^otb-(\d+)-/;

/** The name of a namespace of this run. */
export function namespaceName(name) {
  return `${PREFIX}${name}`;
}

export class Ground {
  /**
   * @param {AbortSignal} signal ends every wait here
   * @param {readonly string[]} namespaces their names; `addNamespaces` makes them
   */
  constructor(signal, namespaces) {
    this.signal = signal;
    this.namespaces = namespaces;
    this.folder = mkdtempSync(join(tmpdir(), PREFIX));
    this.programs = [];
  }

  async addNamespaces() {
    for (const netns of this.namespaces) {
      refuseIfInterrupted(this.signal);
      await addNamespace(netns);
      // Neighbour discovery and router solicitations would be counted among the frames.
      const off = 'for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done';
      await run('ip', ['netns', 'exec', netns, 'sh', '-c', off]);
    }
  }

  /** Starts a program that `takeDown` ends. */
  start(netns, command, options) {
    refuseIfInterrupted(this.signal);
    const program = new Program(netns, command, options);
    this.programs.push(program);
    return program;
  }

  /** Runs a program to its end. @returns its standard output */
  run(netns, command, { limitMs = 15_000, env } = {}) {
    return this.start(netns, command, { env }).toEnd(limitMs, this.signal);
  }

  /** Takes away all that was made, even when a part of it does not go; then says so. */
  async takeDown() {
    const failures = [];
    const attempt = async (work) => {
      try {
        await work();
      } catch (error) {
        failures.push(error.message);
      }
    };
    // In the reverse order: a switch leaves before the database that it listens to.
    for (const program of this.programs.reverse()) await attempt(() => program.stop());
    for (const netns of this.namespaces) await attempt(() => removeNamespace(netns));
    await attempt(async () => rmSync(this.folder, { recursive: true, force: true }));
    if (failures.length > 0) throw new Error(`not all is taken down: ${failures.join('; ')}`);
  }
}

/** Ends whatever still runs in a namespace of ours, and deletes it. */
async function removeNamespace(netns) {
  if (!namespaceExists(netns)) return;
  for (const pid of (await run('ip', ['netns', 'pids', netns])).split('\n').filter(Boolean)) killIfThere(Number(pid));
  await deleteNamespace(netns);
}

function killIfThere(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Removes what runs that were killed left behind: names that hold the id of a process that is no more. */
export async function sweep() {
  const names = (folder) => readdirSync(folder).filter(isLeftOver);
  if (namespacesExist()) for (const netns of names('/run/netns')) await removeNamespace(netns);
  for (const folder of names(tmpdir())) rmSync(join(tmpdir(), folder), { recursive: true, force: true });
}

/** The folder of names appears with the first namespace of a machine. */
function namespacesExist() {
  return readdirSync('/run').includes('netns');
}

function isLeftOver(name) {
  const pid = NAMED.exec(name)?.[1];
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}
