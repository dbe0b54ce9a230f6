/**
 * A switch in memory with the hosts of the kernel's tests of multicast behind it, in the words of iproute2: `bridge mdb`, `bridge vlan`,
 * `bridge vlan global` and `ip link`. Its multicast database has a clock that the test moves.
 */
import type { GlobalRange, MdbRow, VlanRange } from '../../../src/api/api.js';
import { linkSet } from '../../../src/cli/requests/link.js';
import { mdbChange, mdbFlush } from '../../../src/cli/requests/mdb.js';
import { vlanChange, vlanGlobal, vlanSetting } from '../../../src/cli/requests/vlan.js';
import { igmpFrame, igmpV3Frame, mldFrame, mldV2Frame } from '../../dataplane/support/group-traffic.js';
import { groupMac } from '../../dataplane/support/group-traffic.js';
import { packet } from '../../dataplane/support/frames.js';
import { type Left, LiveSwitch } from '../../control/live/live-switch.js';

export class LiveGroups {
  private constructor(
    readonly live: LiveSwitch,
    private readonly clock: { now: number },
  ) {}

  /** @param bridge keys of br0, its ports among them */
  static async start(bridge: object): Promise<LiveGroups> {
    const clock = { now: 1_000_000 };
    const document = { name: 'live', fdb_size: 128, bridges: { br0: bridge } };
    return new LiveGroups(await LiveSwitch.start(document, { groupClock: () => clock.now }), clock);
  }

  stop(): void {
    this.live.stop();
  }

  /** Carries commands out, one a line. */
  async run(...lines: string[]): Promise<void> {
    for (const line of lines) await this.one(line.split(' '));
  }

  private one([noun, verb, ...words]: string[]): Promise<void> {
    const { controls } = this.live;
    if (noun === 'link') return controls.link(linkSet(words));
    if (noun === 'mdb') {
      const op = verb as 'add' | 'replace' | 'del';
      return controls.mdb(verb === 'flush' ? mdbFlush(words) : mdbChange(op, words));
    }
    if (verb === 'global') return controls.vlan(vlanGlobal(words));
    return controls.vlan(verb === 'set' ? vlanSetting(words) : vlanChange(verb as 'add' | 'del', words));
  }

  /** The reason why a command is refused; '': it is not. */
  refusal(line: string): Promise<string> {
    return this.run(line).then(
      () => '',
      (error: unknown) => (error as Error).message,
    );
  }

  // ---- Time and frames ----

  /** Lets time pass. @returns what has left the switch meanwhile */
  async wait(ms: number): Promise<Left[]> {
    const left = this.live.turn(0);
    for (const end = this.clock.now + ms; this.clock.now < end; ) {
      this.clock.now = Math.min(end, this.clock.now + 250);
      await this.live.tickGroups();
      left.push(...this.live.turn(0));
    }
    return left;
  }

  /** A frame of a host. @returns where it goes */
  async send(port: string, frame: Uint8Array): Promise<string[]> {
    this.live.inject(0, port, frame);
    const left = this.live.turn(0);
    this.live.hearPunts();
    await this.live.tickGroups();
    return left.map(({ to }) => to);
  }

  /** A datagram to a group in a VLAN. @returns where it goes */
  datagram(port: string, group: string, vid: number): Promise<string[]> {
    const version = group.includes(':') ? 6 : 4;
    const fields = { destination: groupMac(group), destinationAddress: group, tci: vid };
    return this.send(port, packet({ ...fields, version, protocol: 'udp' }));
  }

  /** A report of one record. @param vid 0: untagged */
  async report(port: string, type: number, group: string, sources: string[], vid: number): Promise<void> {
    const frame = group.includes(':') ? mldV2Frame : igmpV3Frame;
    await this.send(port, frame([{ type, group, sources }], vid === 0 ? {} : { tci: vid }));
  }

  /** Joins by IGMPv2, or leaves, as older hosts do; MLDv1 in IPv6. */
  async old(port: string, what: 'join' | 'leave', group: string, vid: number): Promise<void> {
    const tag = vid === 0 ? {} : { tci: vid };
    const frame = group.includes(':')
      ? mldFrame(what === 'join' ? 131 : 132, group, tag)
      : igmpFrame(what === 'join' ? 0x16 : 0x17, group, tag);
    await this.send(port, frame);
  }

  // ---- What it says ----

  rows(group: string): MdbRow[] {
    return this.live.groups().mdb.filter(({ grp }) => grp === group);
  }

  /** `bridge -d link show` of a port. */
  link(name: string): Record<string, unknown> {
    return this.live.linkDetails().find(({ ifname }) => ifname === name) ?? {};
  }

  /** `bridge -d vlan show` of a port. */
  vlan(port: string, vid: number): VlanRange | undefined {
    return this.live
      .vlans()
      .vlans.find(({ ifname }) => ifname === port)
      ?.vlans.find((row) => covers(row, vid));
  }

  /** `bridge vlan global show`. */
  global(vid: number): GlobalRange | undefined {
    return this.live
      .vlans()
      .globals?.find(({ ifname }) => ifname === 'br0')
      ?.vlans.find((row) => covers(row, vid));
  }
}

function covers({ vlan, vlanEnd = vlan }: { vlan: number; vlanEnd?: number }, vid: number): boolean {
  return vlan <= vid && vid <= vlanEnd;
}
