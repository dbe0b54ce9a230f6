/**
 * A world of network namespaces for one test file: namespaces, cables, addresses, programs inside, switches. Everything
 * is named `ote-<pid>-...` or known by its process id, and `cleanUp` takes it all away; what a killed run left behind
 * is removed when the next world is made. It touches nothing that bears another name.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Background, type Ended, must, run } from './processes.js';
import { RunningSwitch, switchCommand } from './switch.js';

const PREFIX = 'ote-';
const NAMED = /^ote-(\d+)-/;

/** One end of a cable. */
export interface End {
  readonly netns: string;
  readonly ifname: string;
}

let made = 0;

export class World {
  private readonly namespaces: string[] = [];
  private readonly programs: Background[] = [];
  private readonly number = ++made;
  private folder: string | null = null;

  constructor() {
    if (process.getuid?.() !== 0)
      throw new Error('the end-to-end tests make network namespaces and TAPs: run them as root');
  }

  /** Makes a namespace with its loopback up. Without `ipv6` its NICs send nothing of their own accord. */
  async netns(label: string, options: { ipv6?: boolean } = {}): Promise<string> {
    await sweepOnce();
    const name = `${PREFIX}${process.pid}-${this.number}-${label}`;
    this.namespaces.push(name);
    const silence = options.ipv6
      ? ''
      : 'for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done; ';
    // One command of Node's: it waits for a process about as long as these take.
    const lines = 'ip netns add "$1"; exec ip netns exec "$1" sh -ec "$2"';
    await must(['sh', '-ec', lines, 'sh', name, `${silence}ip link set lo up`]);
    return name;
  }

  /** Deletes a namespace while the test goes on. */
  async deleteNetns(name: string): Promise<void> {
    if (!this.namespaces.includes(name)) throw new Error(`${name} is not of this world`);
    // Nobody is killed: the switch itself is there for a moment whenever it looks at a NIC.
    await must(['ip', 'netns', 'del', name]);
  }

  /** A veth pair with its offloads as the kernel gives them, both ends up. */
  async veth(a: End, b: End): Promise<void> {
    const add = 'ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"';
    const up = 'ip -n "$1" link set "$2" up; exec ip -n "$3" link set "$4" up';
    await must(['sh', '-ec', `${add}; ${up}`, 'sh', a.netns, a.ifname, b.netns, b.ifname]);
  }

  /**
   * A NIC that takes no superframes from its stack, as one without segmentation offload: what a capture then shows is
   * what would be on a cable. By default a veth passes trains of datagrams on in one piece.
   */
  async cutTrains({ netns, ifname }: End, cut = true): Promise<void> {
    await must(['ip', '-n', netns, 'link', 'set', ifname, 'gso_max_segs', cut ? '1' : '65535']);
    const tunnels = ['tx-udp_tnl-segmentation', 'tx-udp_tnl-csum-segmentation'];
    const words = tunnels.flatMap((feature) => [feature, cut ? 'off' : 'on']);
    await must(['ip', 'netns', 'exec', netns, 'ethtool', '-K', ifname, ...words]);
  }

  /** @param address with its prefix length */
  async address({ netns, ifname }: End, address: string): Promise<void> {
    const fast = address.includes(':') ? ['nodad'] : [];
    await must(['ip', '-n', netns, 'address', 'add', address, 'dev', ifname, ...fast]);
  }

  /** `ip` inside a namespace; the words as on the command line, separated by blanks. */
  ip(netns: string, words: string): Promise<string> {
    return must(['ip', '-n', netns, ...words.split(' ')]);
  }

  /** `ip -json` inside a namespace. */
  async ipJson<T>(netns: string, words: string): Promise<T> {
    return JSON.parse((await must(['ip', '-json', '-n', netns, ...words.split(' ')])) || '[]') as T;
  }

  /** Names of the NICs of a namespace, the loopback left out. */
  async nics(netns: string): Promise<string[]> {
    const links = await this.ipJson<{ ifname: string }[]>(netns, 'link show');
    return links.map(({ ifname }) => ifname).filter((ifname) => ifname !== 'lo');
  }

  /** Runs a program inside a namespace to its end. */
  exec(netns: string, command: readonly string[], options: { limitMs?: number } = {}): Promise<Ended> {
    return run(inside(netns, command), options);
  }

  /** Starts a program inside a namespace; `cleanUp` ends it. `ip netns exec` becomes the program: the pid is its own. */
  spawn(netns: string, command: readonly string[]): Background {
    const program = new Background(inside(netns, command));
    this.programs.push(program);
    return program;
  }

  /** Path of a file in the world's own folder. */
  path(name: string): string {
    this.folder ??= mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
    return join(this.folder, name);
  }

  /** Writes a file into the world's folder. @returns its path */
  file(name: string, text: string): string {
    const path = this.path(name);
    writeFileSync(path, text);
    return path;
  }

  /** Path of a switch's control socket. */
  control(name: string): string {
    return this.path(`${name}.sock`);
  }

  /** Writes a switch's configuration: `bridges` is YAML, indented by two. @returns its path */
  config(name: string, bridges: string, control = this.control(name)): string {
    return this.file(`${name}.yaml`, `name: ${name}\ncontrol: ${control}\nbridges:\n${bridges}`);
  }

  /** Starts a switch and waits until it forwards. */
  async startSwitch(netns: string, name: string, bridges: string): Promise<RunningSwitch> {
    const config = this.config(name, bridges);
    const program = this.spawn(netns, switchCommand(config));
    const started = new RunningSwitch(program, this.control(name));
    await started.ready();
    return started;
  }

  /** Runs a switch that is expected to refuse its start. */
  refusedSwitch(netns: string, config: string, through: readonly string[] = []): Promise<Ended> {
    return this.exec(netns, [...through, ...switchCommand(config)], { limitMs: 20_000 });
  }

  /** Takes away all that was made, even when a part of it does not go; then says so. */
  async cleanUp(): Promise<void> {
    const failures: unknown[] = [];
    const attempt = (work: () => Promise<unknown>): Promise<unknown> =>
      work().catch((error: unknown) => failures.push(error));
    await Promise.all(this.programs.map((program) => attempt(() => program.stop('SIGKILL'))));
    await Promise.all(this.namespaces.map((name) => attempt(() => removeNamespace(name))));
    if (this.folder !== null) rmSync(this.folder, { recursive: true, force: true });
    this.programs.length = 0;
    this.namespaces.length = 0;
    this.folder = null;
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('\n'));
  }
}

function inside(netns: string, command: readonly string[]): string[] {
  return ['ip', 'netns', 'exec', netns, ...command];
}

function namespaceNames(): string[] {
  try {
    return readdirSync('/run/netns');
  } catch {
    return []; // no namespace has ever been made on this machine
  }
}

export function namespaceExists(name: string): boolean {
  return namespaceNames().includes(name);
}

/** Ends whatever still runs in a namespace of ours, and deletes it. Another test file may sweep the same one at the same time. */
async function removeNamespace(name: string): Promise<void> {
  if (!namespaceExists(name)) return;
  try {
    await endPrograms(name);
    await must(['ip', 'netns', 'del', name]);
  } catch (error) {
    if (namespaceExists(name)) throw error;
  }
}

async function endPrograms(netns: string): Promise<void> {
  for (const pid of (await must(['ip', 'netns', 'pids', netns])).split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

let swept: Promise<void> | null = null;

/** Removes what runs that were killed left behind: names that hold the pid of a process that is no more. */
function sweepOnce(): Promise<void> {
  swept ??= sweep();
  return swept;
}

async function sweep(): Promise<void> {
  await Promise.all(namespaceNames().filter(isLeftOver).map(removeNamespace));
  for (const folder of readdirSync(tmpdir()).filter(isLeftOver))
    rmSync(join(tmpdir(), folder), { recursive: true, force: true });
}

function isLeftOver(name: string): boolean {
  const pid = NAMED.exec(name)?.[1];
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
