/**
 * A switch in memory that takes commands as they are typed: the words are parsed as by the command line, and listings are those that it
 * prints. Frames go in and out by name.
 */
import { formatFdb } from '../../../src/cli/format/fdb.js';
import { formatNexthops } from '../../../src/cli/format/nexthop.js';
import { fdbChange, fdbDel, fdbFlush, fdbShow } from '../../../src/cli/requests/fdb.js';
import { linkAdd, linkDel, linkSet } from '../../../src/cli/requests/link.js';
import { nexthopChange, nexthopDel, nexthopFlush } from '../../../src/cli/requests/nexthop.js';
import { neighChange } from '../../../src/cli/requests/neigh.js';
import { vlanChange, vlanSetting } from '../../../src/cli/requests/vlan.js';
import { vniAdd, vniDel } from '../../../src/cli/requests/vni.js';
import type { Document } from '../../../src/config/edit/tree.js';
import { receiverKey } from '../../../src/control/devices/underlay-sockets.js';
import type { VxlanPort } from '../../../src/control/model/model.js';
import { viewNexthops } from '../../../src/control/views/nexthops.js';
import { FDB_SIZE, LiveSwitch } from '../../control/live/live-switch.js';
import { frame } from '../../dataplane/support/frames.js';

export class Console {
  private constructor(readonly live: LiveSwitch) {}

  static async start(document: Document): Promise<Console> {
    return new Console(await LiveSwitch.start({ name: 'live', fdb_size: FDB_SIZE, ...document }));
  }

  stop(): void {
    this.live.stop();
    if (this.live.broken !== null) throw this.live.broken;
  }

  /** Carries commands out, one a line. @throws when one is refused */
  async run(commands: string): Promise<void> {
    for (const line of commands.trim().split('\n')) await this.carryOut(line.trim().split(/\s+/));
  }

  private async carryOut([object, verb, ...words]: string[]): Promise<void> {
    const { controls } = this.live;
    switch (`${object} ${verb}`) {
      case 'fdb add':
      case 'fdb append':
      case 'fdb replace':
        await controls.fdb(fdbChange(verb as 'add' | 'append' | 'replace', words));
        return;
      case 'fdb del':
        await controls.fdb(fdbDel(words));
        return;
      case 'fdb flush':
        await controls.fdb(fdbFlush(words));
        return;
      case 'vni add':
        for (const request of vniAdd(words)) await controls.vlan(request);
        return;
      case 'vni del':
        for (const request of vniDel(words)) await controls.vlan(request);
        return;
      case 'nexthop add':
      case 'nexthop replace':
        return controls.nexthop(nexthopChange(verb as 'add' | 'replace', words));
      case 'nexthop del':
        return controls.nexthop(nexthopDel(words));
      case 'nexthop flush':
        return controls.nexthop(nexthopFlush(words));
      case 'link add':
        return controls.link(linkAdd(words));
      case 'link set':
        return controls.link(linkSet(words));
      case 'link del':
        return controls.link(linkDel(words));
      case 'vlan add':
      case 'vlan del':
        return controls.vlan(vlanChange(verb as 'add' | 'del', words));
      case 'vlan set':
        return controls.vlan(vlanSetting(words));
      case 'neigh add':
      case 'neigh replace':
        return controls.neigh(neighChange(verb as 'add' | 'replace', words));
      default:
        throw new Error(`no command "${object} ${verb}" here`);
    }
  }

  /** Lines of `fdb show`, of those that contain all words of `filter`. @param details as with `-d -s` */
  fdb(words = '', filter = '', details = false): string[] {
    const { query } = fdbShow(words === '' ? [] : words.split(' '));
    const wanted = Object.fromEntries(new URLSearchParams(query));
    const rows = this.live
      .fdb()
      .filter(({ ifname, mac }) => ifname === (wanted.dev ?? ifname) && mac === (wanted.mac ?? mac));
    const lines = formatFdb(rows, details).split('\n').slice(0, -1);
    return lines.filter((line) => ` ${line} `.includes(filter === '' ? '' : ` ${filter} `));
  }

  /** Lines of `nexthop show`. */
  nexthops(): string[] {
    return formatNexthops(viewNexthops(this.live.model.config.nexthops ?? []))
      .split('\n')
      .slice(0, -1);
  }

  /** The options in force of a link, as `-j -d link show` has them. */
  link(name: string): Record<string, unknown> {
    return this.live.links().find(({ ifname }) => ifname === name) ?? {};
  }

  /** Sends a frame by a TAP. @returns where its copies went, such as `t1` and `v1>192.0.2.1:4789 vni 10` */
  send(port: string, source: string, destination: string, payload?: Uint8Array): string[] {
    return this.put(port, frame({ source, destination, ...(payload === undefined ? {} : { payload }) }));
  }

  /** Puts a frame into a TAP. @returns where its copies went */
  put(port: string, bytes: Uint8Array): string[] {
    this.live.inject(0, port, bytes);
    return this.live.turn(0).map(({ to }) => to);
  }

  /** Has a datagram with a frame arrive at the receiving socket of a vxlan port. */
  arrive(port: string, from: string, vni: number, source: string, destination: string, tci?: number): void {
    this.arriveBytes(port, from, vni, frame({ source, destination, ...(tci === undefined ? {} : { tci }) }));
  }

  /** As `arrive`, with a frame as bytes. */
  arriveBytes(port: string, from: string, vni: number, bytes: Uint8Array): void {
    const { config } = this.live.model.ports.get(port) as VxlanPort;
    this.live.arrive(receiverKey(config), from, vni, bytes);
  }

  /** Lets the engine take in what has arrived. @returns where copies went */
  turn(): string[] {
    return this.live.turn(0).map(({ to }) => to);
  }
}
