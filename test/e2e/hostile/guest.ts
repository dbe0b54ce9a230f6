/**
 * A guest that means harm: an ordinary user who is root of a user namespace of its own, and of two network namespaces in it. Its
 * NIC on the switch is in the first one. It has no rights over anything else.
 */
import type { Program } from '../../../src/lab/testbed/program.js';
import type { World } from '../host-testbed.js';
import type { Guest } from '../topologies.js';

const NOBODY = '65534';
const THERE = ['sh', '-c', 'echo there; exec sleep "$0"'];

export class HostileGuest implements Guest {
  readonly ifname = 'eth0';

  private constructor(
    private readonly world: World,
    private readonly host: string,
    private readonly near: Program,
    private readonly far: Program,
    readonly address: string,
    readonly mac: string,
  ) {}

  /**
   * @param host name of the network namespace that it starts from; it only leaves it
   * @param number last byte of its addresses, less than 100
   * @param seconds after which its namespaces end by themselves
   */
  static async make(world: World, host: string, number: number, seconds: number): Promise<HostileGuest> {
    const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', 'unshare', '-Urn'];
    const near = world.spawn(host, [...user, ...THERE, String(seconds)]);
    await near.line('the namespace is there', (line) => line === 'there');
    const far = world.spawn(host, [...enterUser(near.pid), 'unshare', '-n', ...THERE, String(seconds)]);
    await far.line('the other namespace is there', (line) => line === 'there');
    const byte = String(number).padStart(2, '0');
    return new HostileGuest(world, host, near, far, `198.18.0.${number}`, `02:00:00:00:00:${byte}`);
  }

  /** Path of the namespace that its NIC is made in. */
  get netns(): string {
    return `/proc/${this.near.pid}/ns/net`;
  }

  /** A process in its other namespace. */
  get farPid(): number {
    return this.far.pid;
  }

  /** Starts a program in its first namespace, as root of its user namespace. */
  spawn(...command: string[]): Program {
    return this.world.spawn(this.host, [...enterUser(this.near.pid), ...command]);
  }

  /** Names of its NICs in both namespaces, loopbacks left out. */
  async nics(): Promise<string[]> {
    const listed = await Promise.all([this.near, this.far].map(({ pid }) => this.namesIn(pid)));
    return listed.flat();
  }

  private async namesIn(pid: number): Promise<string[]> {
    const command = [...enterUser(this.near.pid, pid), 'ip', '-json', 'link', 'show'];
    const ended = await this.world.exec(this.host, command);
    const rows = JSON.parse(ended.stdout || '[]') as { ifname: string }[];
    return rows.map(({ ifname }) => ifname).filter((name) => name !== 'lo');
  }
}

/** Enters the user namespace of one process and the network namespace of the same, or of another. */
function enterUser(pid: number, netns = pid): string[] {
  return ['nsenter', `--user=/proc/${pid}/ns/user`, `--net=/proc/${netns}/ns/net`, '--setuid', '0', '--setgid', '0'];
}
