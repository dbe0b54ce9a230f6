/**
 * IGMP and MLD snooping of a running switch: hands the engines' punted frames to the MDB, follows what becomes of ports,
 * VLANs and remotes, and lets the MDB's clock run. What the MDB decides is in `mdb.ts`.
 */
import { destinationOf } from '../../dataplane/forwarding.js';
import type { Operation } from '../../dataplane/operations.js';
import type { Punt } from '../../dataplane/punts.js';
import { type RemoteTable, STATIC_REMOTES } from '../../encap/remotes.js';
import { parseAddress } from '../../wire/ip-address.js';
import type { MdbAnswer, MdbRequest, SwitchEvent } from '../api.js';
import { ChangeRefused, unknownLink } from '../controls.js';
import type { BridgeModel, Port, SwitchModel } from '../model.js';
import { remoteAddress } from '../naming.js';
import { Mdb } from './mdb.js';
import { hearPunt } from './mdb-feed.js';

const TICK_MS = 250;

export interface MulticastParts {
  model: SwitchModel;
  remotes: RemoteTable;
  /** The numbers of a VTEP on a port. */
  remotesAt(port: number, address: string): number[];
  tell(event: SwitchEvent): void;
  /** Has operations carried out, between two changes. */
  carryOut(operations: () => Operation[]): void;
}

/** What the MDB was told of a port last. */
interface Known {
  name: string;
  bridge: number;
  vids: Set<number>;
  isUp: boolean;
}

export class MulticastControl {
  private readonly mdb: Mdb;
  private readonly ports = new Map<Port, Known>();
  private readonly bridges = new Map<BridgeModel, { filtering: boolean; snooping: boolean }>();
  private readonly portNames = new Map<number, string>();
  private readonly bridgeNames = new Map<number, string>();
  private readonly timer: NodeJS.Timeout;
  private isWaiting = false;

  constructor(private readonly parts: MulticastParts) {
    this.mdb = new Mdb({
      bridge: (bridge) => this.bridgeNames.get(bridge) ?? '',
      port: (port) => this.portNames.get(port) ?? '',
      remote: (remote) => remoteAddress(parts.remotes, remote),
    });
    this.timer = setInterval(() => this.advance(), TICK_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** What is known; of a bridge that does not snoop nothing is shown (`br_mdb_fill_info`). */
  list(): MdbAnswer {
    const { mdb, router } = this.mdb.rows(performance.now());
    const isShown = ({ dev }: { dev: string }): boolean =>
      this.parts.model.bridges.get(dev)?.config.mcastSnooping === true;
    return { mdb: mdb.filter(isShown), router: router.filter(isShown) };
  }

  /** VTEPs go. To be told once nobody comes upon them any more. @returns what the engines have to do */
  forgetRemotes(remotes: ReadonlySet<number>): Operation[] {
    this.mdb.forgetRemotes(remotes);
    return this.take();
  }

  /** The VTEPs that are permanent members of groups. */
  permanentRemotes(): Set<number> {
    return this.mdb.permanentRemotes();
  }

  /** The device of a port has gone: what was learned there is over. */
  portLost(port: number): void {
    this.mdb.forgetLearned(port);
    this.publish();
  }

  /** A frame that an engine has handed over. */
  hear(punt: Punt): void {
    // A port that has gone meanwhile, or whose bridge does not snoop any more.
    const port = this.parts.model.portAt[punt.port];
    if (port?.bridge?.config.mcastSnooping !== true || !this.isRemoteOf(port, punt.remote)) return;
    hearPunt(this.mdb, punt, performance.now());
  }

  /** Follows the model after a change. @returns what the engines have to do */
  follow(): Operation[] {
    const { model } = this.parts;
    for (const [bridge, known] of this.bridges) {
      const { vlanFiltering, mcastSnooping } = bridge.config;
      if (model.bridges.get(bridge.name) !== bridge) this.bridges.delete(bridge);
      else if (known.filtering === vlanFiltering) {
        if (known.snooping && !mcastSnooping) this.mdb.forgetHeard(bridge.index);
        continue;
      }
      this.mdb.forgetBridge(bridge.index);
    }
    for (const port of this.ports.keys()) {
      if (model.ports.get(port.name) === port && port.bridge !== null) continue;
      this.mdb.forgetPort(port.index);
      this.ports.delete(port);
    }
    const operations = this.take();
    for (const bridge of model.bridges.values()) {
      this.bridgeNames.set(bridge.index, bridge.name);
      this.bridges.set(bridge, { filtering: bridge.config.vlanFiltering, snooping: bridge.config.mcastSnooping });
    }
    for (const port of model.ports.values()) if (port.bridge !== null) this.followPort(port, port.bridge);
    return [...operations, ...this.take()];
  }

  private followPort(port: Port, bridge: BridgeModel): void {
    const { index, config } = port;
    const before = this.ports.get(port);
    const now: Known = {
      name: port.name,
      bridge: bridge.index,
      vids: new Set(port.vlans.keys()),
      isUp: config.up,
    };
    this.portNames.set(index, port.name);
    this.mdb.setPort(index, { bridge: bridge.index, router: config.mcastRouter, fastLeave: config.mcastFastLeave });
    for (const vid of before?.vids ?? []) if (!now.vids.has(vid)) this.mdb.forgetMembership(index, vid);
    if (!now.isUp) this.mdb.forgetLearned(index);
    this.ports.set(port, now);
  }

  /** Changes an entry by hand. @throws ChangeRefused @returns what the engines have to do */
  change({ op, dev, port: portName, grp, vid, dst }: MdbRequest): Operation[] {
    const { model, remotesAt } = this.parts;
    const bridge = model.bridges.get(dev);
    if (bridge === undefined) throw unknownLink('bridge', dev);
    if (!bridge.config.mcastSnooping)
      throw new ChangeRefused(`bridge ${dev} does not snoop; set mcast_snooping 1 there first`, 'unavailable');
    const port = bridge.ports.find(({ name }) => name === portName);
    if (port === undefined) throw new ChangeRefused(`bridge ${dev} has no port "${portName}"`, 'not_found');
    const address = parseAddress(grp);
    if (address === null) throw new ChangeRefused(`"${grp}" is no IP address; give a group such as 239.1.1.1`);
    const vids = vidsOf(bridge, port, vid);
    if (dst !== undefined && port.kind !== 'vxlan')
      throw new ChangeRefused(`${portName} is a tap port and has no remotes`);
    const remotes = dst === undefined ? [0] : remotesAt(port.index, dst);
    if (remotes.length === 0) throw new ChangeRefused(`${dst} is no remote of port ${portName}`, 'not_found');
    const place = destinationOf(port.index, remotes[0]);
    if (op === 'del') {
      if (!this.mdb.remove(bridge.index, vids, address.words, place))
        throw new ChangeRefused(`port ${portName} is no member of ${grp}`, 'not_found');
    } else {
      const outcome = this.mdb.add(bridge.index, vids, address.words, place);
      if (outcome === 'exists')
        throw new ChangeRefused(`port ${portName} is a permanent member of ${grp} already`, 'exists');
      if (outcome === 'full') throw new ChangeRefused(`bridge ${dev} holds as many groups as it may`, 'full');
      if (outcome === 'invalid')
        throw new ChangeRefused(`${grp} is no group that can be restricted: it is not multicast, or always flooded`);
    }
    return this.take();
  }

  private advance(): void {
    const now = performance.now();
    if (now < this.mdb.due) return;
    this.mdb.tick(now);
    this.publish();
  }

  /** Has the MDB's changes carried out; those that come until then go along. */
  publish(): void {
    if (this.isWaiting) return;
    this.isWaiting = true;
    this.parts.carryOut(() => {
      this.isWaiting = false;
      return this.take();
    });
  }

  /** Whether a number still stands for a VTEP of the port: a frame may have been handed over before that one went. */
  private isRemoteOf(port: Port, remote: number): boolean {
    if (remote === 0) return true;
    if (port.kind !== 'vxlan') return false;
    return remote < STATIC_REMOTES ? port.remoteUsers.has(remote) : this.parts.remotes.isFindable(port.index, remote);
  }

  private take(): Operation[] {
    const { operations, events } = this.mdb.take();
    for (const event of events) this.parts.tell(event);
    return operations;
  }
}

/**
 * The VLANs that an entry is for: without a VID all that the port is a member of now, those that it joins later not
 * (`br_mdb_add`). @throws ChangeRefused
 */
function vidsOf(bridge: BridgeModel, port: Port, vid: number | undefined): number[] {
  if (!bridge.config.vlanFiltering) {
    if (vid !== undefined) throw new ChangeRefused(`bridge ${bridge.name} does not look at VLANs; leave vid out`);
    return [0];
  }
  const vids = vid === undefined ? [...port.vlans.keys()] : [vid].filter((one) => port.vlans.has(one));
  if (vids.length > 0) return vids;
  const what = vid === undefined ? 'any VLAN' : `VLAN ${vid}`;
  throw new ChangeRefused(`port ${port.name} is no member of ${what}; make it one with "vlan add" first`);
}
