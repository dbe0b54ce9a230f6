/**
 * Owns the ground that every variant stands on, and its end: two hosts and two guests as network namespaces, the cable
 * between the hosts, the column's offloads, the programs. Whatever is made is named `otb-<pid>-...` or known by its
 * process id, and `takeDown` removes all of it. It knows nothing of switches; the topologies put them in.
 *
 *     g1 eth0 --- switch of h1 --- eth0 ======= eth0 --- switch of h2 --- eth0 g2
 *     10.77.0.1                192.0.2.1         192.0.2.2                10.77.0.2
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../dist/lab/command.js';
import { addAddress, addNamespace, addVeth, deleteNamespace, namespaceExists } from '../../dist/lab/namespaces.js';
import { refuseIfInterrupted } from '../../dist/lab/wait.js';
import { Program } from './programs.mjs';

const PREFIX = `otb-${process.pid}-`;
const NAMED = /^otb-(\d+)-/;

/** The VXLAN network of all variants, and the guests' MTU: 1500 of the underlay less 50 of the encapsulation. */
export const VNI = 42;
export const GUEST_MTU = 1450;
/** The underlay's NIC in every host and the guests' NIC in every guest. */
export const NIC = 'eth0';

/** What the underlay can do in column B: segments and checksums are done before it, as for a plain network card. */
const PLAIN_NIC = {
  'tcp-segmentation-offload': 'off',
  'generic-segmentation-offload': 'off',
  'tx-udp-segmentation': 'off',
  'tx-udp_tnl-segmentation': 'off',
  'tx-udp_tnl-csum-segmentation': 'off',
  'tx-checksum-ip-generic': 'off',
  'generic-receive-offload': 'on',
};

export class Site {
  /** @param {AbortSignal} signal ends every wait of this site */
  constructor(signal) {
    this.signal = signal;
    this.folder = mkdtempSync(join(tmpdir(), PREFIX));
    this.programs = [];
    this.hosts = [1, 2].map((n) => ({
      name: `h${n}`,
      netns: `${PREFIX}h${n}`,
      address: `192.0.2.${n}`,
      remote: `192.0.2.${3 - n}`,
      guest: { netns: `${PREFIX}g${n}`, address: `10.77.0.${n}`, mac: `02:00:00:00:b0:0${n}` },
    }));
  }

  get guests() {
    return this.hosts.map((host) => host.guest);
  }

  get namespaces() {
    return this.hosts.flatMap((host) => [host.netns, host.guest.netns]);
  }

  /** Makes the namespaces and the underlay. @param {'A' | 'B'} column */
  async build(column) {
    for (const netns of this.namespaces) {
      refuseIfInterrupted(this.signal);
      await addNamespace(netns);
      // Neighbour discovery and router solicitations would be counted among the frames.
      const off = 'for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done';
      await run('ip', ['netns', 'exec', netns, 'sh', '-c', off]);
    }
    const ends = this.hosts.map((host) => ({ netns: host.netns, ifname: NIC }));
    await addVeth(ends[0], ends[1]);
    for (const host of this.hosts) {
      await addAddress({ netns: host.netns, ifname: NIC }, `${host.address}/24`);
      if (column === 'B') await makePlain(host.netns);
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

  /** Gives a guest the NIC that a switch made for it in its host's namespace. */
  async handOver(host, ifname) {
    const { netns, mac, address } = host.guest;
    await run('ip', ['-n', host.netns, 'link', 'set', ifname, 'netns', netns, 'name', NIC]);
    await run('ip', ['-n', netns, 'link', 'set', NIC, 'address', mac, 'mtu', `${GUEST_MTU}`, 'up']);
    await addAddress({ netns, ifname: NIC }, `${address}/24`);
  }

  /** Refuses a guest whose NIC is not like the others': variants with unequal MTUs cannot be compared. */
  async checkGuests() {
    for (const { netns } of this.guests) {
      const [link] = JSON.parse(await run('ip', ['-json', '-n', netns, 'link', 'show', 'dev', NIC]));
      if (link.mtu !== GUEST_MTU) throw new Error(`${NIC} in ${netns} has MTU ${link.mtu}, not ${GUEST_MTU}`);
    }
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

async function makePlain(netns) {
  const words = Object.entries(PLAIN_NIC).flat();
  await run('ip', ['netns', 'exec', netns, 'ethtool', '-K', NIC, ...words]);
  const lines = (await run('ip', ['netns', 'exec', netns, 'ethtool', '-k', NIC]))
    .split('\n')
    .map((line) => line.trim());
  for (const [feature, wanted] of Object.entries(PLAIN_NIC)) {
    if (!lines.some((line) => line === `${feature}: ${wanted}` || line === `${feature}: ${wanted} [fixed]`))
      throw new Error(
        `the underlay in ${netns} does not take "${feature} ${wanted}": column B would not be what it says`,
      );
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
