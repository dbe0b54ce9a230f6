/**
 * Entries of the multicast database by command: `mdb add`, `replace`, `del` and `flush`, with names in place of indexes. Holds the VTEPs
 * that permanent entries name.
 */
import type { MdbRequest } from '../../api/api.js';
import { checkDestination } from '../../config/edit/check-entry.js';
import { type GroupEntry, groupEntryFault } from '../../config/rules/group-entry.js';
import { destinationOf, destinationPort, destinationRemote } from '../../dataplane/state/destination.js';
import { command } from '../../text/shell.js';
import { isMulticastIp } from '../../values/address.js';
import { routingProtocol } from '../../values/routing-protocol.js';
import type { GroupAddress } from '../../wire/group-message.js';
import { parseAddress } from '../../wire/ip-address.js';
import { ChangeRefused, notFound } from '../controls.js';
import { type BridgeModel, isTunnel, type Port, type SwitchModel, type VxlanPort } from '../model/model.js';
import type { Vteps } from '../reconcile/vteps.js';
import { parseGroup } from './group-address.js';
import type { Mdb } from './mdb.js';
import { NEVER } from './mdb-state.js';

export interface MulticastEntriesParts {
  model: SwitchModel;
  /** Remotes of a VTEP on a port. */
  remotesAt(port: number, address: string): number[];
  vteps: Pick<Vteps, 'checkRoom' | 'hold' | 'release'>;
}

type Put = Extract<MdbRequest, { op: 'add' | 'replace' }>;
type Del = Extract<MdbRequest, { op: 'del' }>;
type Flush = Extract<MdbRequest, { op: 'flush' }>;

/** A group in VLANs of a bridge. */
interface GroupPlace {
  bridge: BridgeModel;
  port: Port;
  vids: readonly number[];
  address: GroupAddress;
}

export class MulticastEntries {
  /** VTEPs referenced by permanent entries, by the index of their home. */
  private readonly held = new Map<number, { port: VxlanPort; address: string }>();

  constructor(
    private readonly mdb: Mdb,
    private readonly parts: MulticastEntriesParts,
    private readonly now: () => number,
  ) {}

  /** @param evenAsleep also where the bridge does not snoop. @throws ChangeRefused, EditRefused, DeviceError */
  change(request: MdbRequest, evenAsleep: boolean): void {
    const { dev } = request;
    refuseTunnelWords(request);
    const bridge = this.parts.model.bridges.get(dev);
    if (bridge === undefined) throw notFound('bridge', dev);
    if (!bridge.config.mcast_snooping && !evenAsleep)
      throw new ChangeRefused(`bridge ${dev} does not snoop; set mcast_snooping 1 there first`, 'unavailable');
    if (request.op === 'flush') this.flush(bridge, request);
    else if (request.op === 'del') this.remove(this.placeOf(bridge, request), request);
    else if (!bridge.config.up && !evenAsleep)
      throw new ChangeRefused(`bridge ${dev} is down; set it up first`, 'unavailable');
    else {
      const place = this.placeOf(bridge, request);
      if (!evenAsleep) checkVlans(place);
      this.put(place, request);
    }
    this.releaseUnneeded();
  }

  private placeOf(bridge: BridgeModel, { port: name, grp, vid }: Put | Del): GroupPlace {
    const port = portOf(bridge, name);
    const address = parseGroup(grp);
    if (address === null) throw new ChangeRefused(`"${grp}" is no group; give one such as 239.1.1.1`);
    return { bridge, port, vids: vidsOf(bridge, port, vid), address };
  }

  private put({ bridge, port, vids, address }: GroupPlace, request: Put): void {
    const { op, grp, dst, src, filter_mode: mode, source_list: sources, state, proto } = request;
    const isTemp = state === 'temp';
    const entry: GroupEntry = { grp, src, filter_mode: mode, source_list: sources, proto, isTemp };
    const fault = groupEntryFault(entry);
    if (fault !== undefined) throw new ChangeRefused(`${fault.key}: ${fault.message}`);
    if (isTemp && !port.config.up)
      throw new ChangeRefused(`port ${port.name} is down, and loses temporary entries; set it up first`, 'unavailable');
    if (isTemp && dst !== undefined) throw new ChangeRefused('an entry with dst is always permanent; leave temp out');
    const home = dst === undefined ? 0 : this.hold(port, dst);
    const wanted = {
      source: src === undefined ? undefined : wordsOf(src),
      isInclude: mode === 'include',
      sources: sources?.map(wordsOf),
      isTemp,
      proto: proto === undefined ? undefined : (routingProtocol(proto) ?? undefined),
      replaces: op === 'replace',
    };
    const outcome = this.mdb.add(bridge.index, vids, address, destinationOf(port.index, home), wanted, this.now());
    if (outcome === 'added') return;
    this.releaseUnneeded();
    if (outcome === 'exists')
      throw new ChangeRefused(
        `port ${port.name} is a${isTemp ? '' : ' permanent'} member of ${grp} already; there is nothing to add`,
        'exists',
      );
    if (outcome === 'max_groups')
      throw new ChangeRefused(
        `port ${port.name} would have more entries than its mcast_max_groups allows; delete some, or raise it`,
        'full',
      );
    if (outcome === 'full')
      throw new ChangeRefused(`bridge ${bridge.name} holds as many groups as it may; delete some first`, 'full');
    throw new ChangeRefused(`${grp} is no group that can be restricted: it is not multicast, or always flooded`);
  }

  private remove({ bridge, port, vids, address }: GroupPlace, { grp, dst, src }: Del): void {
    const remotes = dst === undefined ? [0] : this.parts.remotesAt(port.index, dst);
    const places = remotes.map((remote) => destinationOf(port.index, remote));
    const source = src === undefined ? undefined : wordsOf(src);
    const removed = places.filter((place) => this.mdb.remove(bridge.index, vids, address, place, source));
    if (removed.length > 0) return;
    throw new ChangeRefused(
      `port ${port.name} is no member of ${grp}; "${command`mdb show port ${port.name}`}" lists its groups`,
      'not_found',
    );
  }

  /** Removes all entries that fit, as `bridge mdb flush`; no entry is no fault. */
  private flush(bridge: BridgeModel, { port: name, vid, dst, state, proto }: Flush): void {
    const port = name === undefined ? undefined : portOf(bridge, name);
    const number = proto === undefined ? undefined : proto === 'kernel' ? 2 : routingProtocol(proto);
    if (number === null) throw new ChangeRefused(`"${proto}" is no protocol; give "kernel", "static" or another`);
    const remotes = dst === undefined ? undefined : new Set(this.remotesOf(bridge, dst));
    this.mdb.flush(
      bridge.index,
      (place, until, vlan, of) =>
        (port === undefined || destinationPort(place) === port.index) &&
        (vid === undefined || vlan === vid) &&
        (remotes === undefined || remotes.has(destinationRemote(place))) &&
        (state === undefined || (until === NEVER) === (state === 'permanent')) &&
        (number === undefined || of === number),
    );
  }

  private remotesOf({ ports }: BridgeModel, dst: string): number[] {
    return ports.flatMap((port) => (isTunnel(port) ? this.parts.remotesAt(port.index, dst) : []));
  }

  /** Index of the VTEP of an entry. @throws ChangeRefused, EditRefused, DeviceError */
  private hold(port: Port, dst: string): number {
    if (!isTunnel(port))
      throw new ChangeRefused(`${port.name} is a ${port.kind} port and has no remotes; leave dst out`);
    if (isMulticastIp(dst)) throw new ChangeRefused(`dst: ${dst} is a multicast address; give the address of one host`);
    checkDestination(dst, port.config);
    const { vteps } = this.parts;
    vteps.checkRoom([], 1, () => port);
    const home = vteps.hold(port, dst);
    if (this.held.has(home)) vteps.release(port, dst);
    else this.held.set(home, { port, address: dst });
    return home;
  }

  /** Releases the VTEPs that no permanent entry names any more. */
  releaseUnneeded(): void {
    if (this.held.size === 0) return;
    const needed = this.mdb.permanentRemotes();
    for (const [home, { port, address }] of this.held) {
      if (needed.has(home)) continue;
      this.held.delete(home);
      this.parts.vteps.release(port, address);
    }
  }
}

/** @throws ChangeRefused when a VLAN does not snoop */
function checkVlans({ bridge: { name, config }, vids }: GroupPlace): void {
  if (!config.mcast_vlan_snooping) return;
  const asleep = config.vlan_global.find(({ vid, mcast_snooping }) => !mcast_snooping && vids.includes(vid));
  if (asleep === undefined) return;
  const remedy = command`vlan global set dev ${name} vid ${String(asleep.vid)} mcast_snooping 1`;
  throw new ChangeRefused(`VLAN ${asleep.vid} of ${name} does not snoop; "${remedy}" first`, 'unavailable');
}

/** @throws ChangeRefused for words that only entries of a tunnel have */
function refuseTunnelWords({ dev, ...rest }: MdbRequest): void {
  const word = (['dst_port', 'vni', 'src_vni', 'via'] as const).find((key) => key in rest);
  if (word === undefined) return;
  throw new ChangeRefused(`${word}: is for entries of a tunnel, and ${dev} is none; give dev and port the vxlan port`);
}

function portOf(bridge: BridgeModel, name: string): Port {
  const port = bridge.ports.find((one) => one.name === name);
  if (port !== undefined) return port;
  throw new ChangeRefused(
    `bridge ${bridge.name} has no port "${name}"; "${command`link show master ${bridge.name}`}" lists those it has`,
    'not_found',
  );
}

/** Of a checked address. */
function wordsOf(address: string): GroupAddress {
  return parseAddress(address)?.words ?? [0, 0, 0, 0];
}

/**
 * The VLANs of an entry: without a VID all present memberships of the port, not later ones (`br_mdb_add`).
 * @throws ChangeRefused
 */
function vidsOf(bridge: BridgeModel, port: Port, vid: number | undefined): number[] {
  if (!bridge.config.vlan_filtering) {
    if (vid !== undefined) throw new ChangeRefused(`bridge ${bridge.name} does not look at VLANs; leave vid out`);
    return [0];
  }
  const vids = vid === undefined ? [...port.vlans.keys()] : [vid].filter((one) => port.vlans.has(one));
  if (vids.length > 0) return vids;
  const what = vid === undefined ? 'any VLAN' : `VLAN ${vid}`;
  throw new ChangeRefused(`port ${port.name} is no member of ${what}; make it one with "vlan add" first`);
}
