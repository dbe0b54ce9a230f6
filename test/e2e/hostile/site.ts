/**
 * The ground of the soak: two hosts with a switch each, a pair of guests that mean no harm, one at each switch, and hostile guests
 * at the first. Its flood list is long, and leads to addresses of which the far host knows nothing; its log is on a small disk.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '../../../src/client/client.js';
import { until } from '../../../src/lab/testbed/wait.js';
import type { World } from '../host-testbed.js';
import { RunningSwitch, switchCommand } from '../switch.js';
import { type Guest, type Host, plainBridge, tapPort, twoHosts } from '../topologies.js';
import { makeGuest } from '../two-hosts.js';
import { HostileGuest } from './guest.js';

const REMOTES = 1000;
/** VNI of the bystanders and the hostile guests; and of a port that takes datagrams from everyone. */
export const KNOWN_VNI = 42;
export const OPEN_VNI = 43;
const START_MS = 60_000;
/** Bytes of the log's disk. */
const DISK = '64k';

export interface Site {
  readonly world: World;
  readonly hosts: readonly [Host, Host];
  /** MAC of the first host's underlay NIC. */
  readonly underlayMac: string;
  readonly bystanders: readonly [Guest, Guest];
  /** By the names of their ports. */
  readonly hostile: Readonly<Record<'flood' | 'odd' | 'junk' | 'nic', HostileGuest>>;
  /** The one that is attacked, and the bystander's peer. */
  readonly switches: readonly [RunningSwitch, RunningSwitch];
  readonly logDisk: LogDisk;
  /** Path of an attacker's program, by the name of its source. */
  program(name: string): string;
  removePrograms(): void;
}

/** @param seconds after which hostile guests end by themselves */
export async function makeSite(world: World, seconds: number): Promise<Site> {
  const programs = compilePrograms();
  const hosts = await twoHosts(world);
  const [own, far] = hosts;
  await world.ip(far.netns, 'route add blackhole 10.9.0.0/16');
  // The flood list, and the way back to senders that spoofed datagrams name.
  for (const prefix of ['10.9.0.0/16', '10.64.0.0/16'])
    await world.ip(own.netns, `route add ${prefix} via ${far.address}`);
  const [{ address: underlayMac }] = await world.ipJson<{ address: string }[]>(own.netns, `link show ${own.ifname}`);
  const [flood, odd, junk, nic] = await Promise.all(
    [11, 12, 13, 14].map((number) => HostileGuest.make(world, own.netns, number, seconds)),
  );
  const hostile = { flood, odd, junk, nic };
  const bystanders = [await makeGuest(world, 1), await makeGuest(world, 2)] as const;
  const sink = { ...(await makeGuest(world, 3)), address: '198.19.0.3' };
  const logDisk = new LogDisk(world.path('disk'));
  const port = `      vxlan0: { type: vxlan, local: ${far.address}, id: ${KNOWN_VNI}, remotes: [${own.address}] }\n`;
  const switches = await Promise.all([
    startFirst(world, own, far, { ...hostile, by: bystanders[0] }, sink, logDisk),
    world.startSwitch(far.netns, 'second', plainBridge(tapPort('by', bystanders[1]), port)),
  ]);
  return { world, hosts, underlayMac, bystanders, hostile, switches, logDisk, ...programs };
}

async function startFirst(
  world: World,
  own: Host,
  far: Host,
  guests: Record<string, Guest>,
  sink: Guest,
  disk: LogDisk,
): Promise<RunningSwitch> {
  const nowhere = Array.from({ length: REMOTES }, (_, n) => `10.9.${Math.floor(n / 250)}.${(n % 250) + 1}`);
  const vxlan = (name: string, id: number, more: string): string =>
    `      ${name}: { type: vxlan, local: ${own.address}, id: ${id}, ${more} }\n`;
  const known = vxlan('vxlan0', KNOWN_VNI, `remotes: [${[far.address, ...nowhere].join(', ')}]`);
  const open = vxlan('vxlan1', OPEN_VNI, `accept_vteps: any, remotes: [${far.address}]`);
  const ports = Object.entries(guests).map(([name, guest]) => tapPort(name, guest));
  const bridges = `${plainBridge(...ports, known)}  br2:\n    ports:\n${tapPort('sink', sink)}${open}`;
  const config = world.config('first', bridges);
  const sw = new RunningSwitch(world.spawn(own.netns, disk.command(switchCommand(config))), world.control('first'));
  const client = createClient(sw.control);
  await until(
    'every port of the first switch is up',
    async () => {
      if (!sw.program.running) throw new Error(`the first switch has ended: ${sw.program.errors}`);
      const links = await client.get('/v1/links').catch(() => []);
      return links.length > 0 && links.every(({ operstate }) => operstate === 'UP');
    },
    START_MS,
  );
  return sw;
}

/** A file system that only the switch has, so that it is gone with it: `ip netns exec` gives each program mounts of its own. */
export class LogDisk {
  constructor(private readonly folder: string) {}

  /** A command line whose output goes to a file on the disk. */
  command(words: readonly string[]): string[] {
    const script = `mkdir "$0" && mount -t tmpfs -o size=${DISK} none "$0" && exec "$@" >"$0/log"`;
    return ['sh', '-c', script, this.folder, ...words];
  }

  /** Fills it to the last byte. */
  fill(sw: RunningSwitch): void {
    const piece = Buffer.alloc(4096, 'x');
    try {
      for (;;) writeFileSync(this.inside(sw, 'filler'), piece, { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  freeBlocks(sw: RunningSwitch): number {
    return statfsSync(this.inside(sw, '')).bavail;
  }

  log(sw: RunningSwitch): string {
    return readFileSync(this.inside(sw, 'log'), 'utf8');
  }

  private inside(sw: RunningSwitch, name: string): string {
    return join(`/proc/${sw.program.pid}/root`, this.folder, name);
  }
}

/** In a folder that every user may enter. */
function compilePrograms(): Pick<Site, 'program' | 'removePrograms'> {
  const folder = mkdtempSync(join(tmpdir(), 'overtap-hostile-'));
  chmodSync(folder, 0o755);
  const here = fileURLToPath(new URL('.', import.meta.url));
  const own = readdirSync(here).filter((file) => file.endsWith('.c'));
  for (const source of [...own, '../tools/flood.c'])
    execFileSync(process.env.CC ?? 'cc', [
      ...['-O1', '-Wall', '-D_GNU_SOURCE'],
      ...['-o', join(folder, basename(source, '.c')), join(here, source)],
    ]);
  return {
    program: (name) => join(folder, name),
    removePrograms: () => rmSync(folder, { recursive: true, force: true }),
  };
}
