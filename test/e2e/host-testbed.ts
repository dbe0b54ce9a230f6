/**
 * A test bed for one test file: what `Testbed` makes and removes, plus cables, addresses and switches. Names are
 * `ote-<pid>-...`; what killed runs left is removed when the first namespace is made.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addAddress, addVeth, deleteNamespace, type End } from '../../src/lab/testbed/namespaces.js';
import { type Ended, must, type Program, run } from '../../src/lab/testbed/program.js';
import { inNamespace, sweep, Testbed } from '../../src/lab/testbed/testbed.js';
import { RunningSwitch, switchCommand } from './switch.js';

export type { End };

const PREFIX = 'ote';

let made = 0;
let swept: Promise<void> | null = null;

export class World {
  private readonly bed = new Testbed(PREFIX);
  private readonly number = ++made;

  /** Makes a namespace with its loopback up. Without `ipv6` its NICs send nothing of their own accord. */
  async netns(label: string, options: { ipv6?: boolean } = {}): Promise<string> {
    swept ??= sweep(PREFIX);
    await swept;
    const name = this.bed.nameOf(`${this.number}-${label}`);
    await this.bed.addNamespace(name, options);
    return name;
  }

  /** Deletes a namespace while the test goes on. */
  async deleteNetns(name: string): Promise<void> {
    if (!this.bed.namespaces.includes(name)) throw new Error(`${name} is not of this world`);
    // No program inside is killed: the switch itself enters for a moment whenever it looks at a NIC.
    await deleteNamespace(name);
  }

  /** A veth pair with its offloads as the kernel gives them, both ends up. */
  async veth(a: End, b: End): Promise<void> {
    await addVeth(a, b);
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
  async address(end: End, address: string): Promise<void> {
    await addAddress(end, address);
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
    return run(inNamespace(netns, command), options);
  }

  /** Starts a program inside a namespace; `cleanUp` ends it. */
  spawn(netns: string, command: readonly string[]): Program {
    return this.bed.start(netns, command);
  }

  /** Path of a file in the world's own folder. */
  path(name: string): string {
    return join(this.bed.folder, name);
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

  /** Removes all that was made, even when a part of it does not go; then throws. */
  cleanUp(): Promise<void> {
    return this.bed.takeDown('SIGKILL');
  }
}
