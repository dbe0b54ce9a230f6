/**
 * Updates VLANs and VNIs of ports to the desired ones; FDB entries of removed ones are flushed.
 */
import type { VlanMembership } from '../../config/types.js';
import { MAX_VLAN_COUNTERS } from '../../dataplane/state/counters.js';
import { fidOf } from '../../dataplane/state/fid.js';
import type { VlanState } from '../../dataplane/state/forwarding.js';
import { FLAG_PERMANENT } from '../../fdb/table.js';
import { vnisOf } from '../model/desired.js';
import { hasOwnMac, isTunnel, type OwnMacPort, type Port, type VxlanPort } from '../model/model.js';
import { macOf } from '../model/naming.js';
import { Numbers } from '../model/numbers.js';
import type { Transition } from '../model/transition.js';
import type { PortEntries } from './port-entries.js';
import type { VniNumbers } from './vni-numbers.js';

export class Memberships {
  private readonly vlanCounters = new Numbers('counted VLAN memberships', 1, MAX_VLAN_COUNTERS);

  constructor(
    private readonly entries: PortEntries,
    private readonly vnis: VniNumbers,
  ) {}

  /** @throws DeviceError when the VNI table is too full */
  checkRoom(vnis: number): void {
    this.vnis.need(vnis);
  }

  /** Releases the indexes of a deleted port. */
  end(port: Port, change: Transition): void {
    for (const { counter } of port.vlans.values()) this.giveCounter(counter, change);
    if (!isTunnel(port)) return;
    for (const { header } of port.vnis) change.afterwards.push(() => this.vnis.give(header));
  }

  /** Memberships and PVID. */
  setVlans(port: Port, change: Transition): void {
    const wanted = new Map(port.config.vlans.map((vlan) => [vlan.vid, vlan]));
    for (const [vid, { counter }] of [...port.vlans]) {
      if (wanted.has(vid)) continue;
      port.vlans.delete(vid);
      this.giveCounter(counter, change);
      this.entries.forgetVlan(port, vid, change);
      change.structure.push({ op: 'vlan-del', port: port.index, vid });
      if (port.bridge === null) continue;
      const bridge = port.bridge.index;
      change.structure.push({ op: 'neigh-flush', port: port.index, bridge, vid, learnedOnly: true });
      change.flushes.push({ owner: port.index, fid: fidOf(bridge, vid) });
    }
    for (const vlan of port.config.vlans) {
      const { vid, untagged, neigh_suppress: suppresses = false, isolated = false } = vlan;
      const present = port.vlans.get(vid);
      const state = engineState(vlan);
      const isSame = present?.untagged === untagged && present.suppresses === suppresses;
      if (isSame && present.isolated === isolated && present.state === state) continue;
      const counter = present?.counter ?? this.vlanCounters.tryTake() ?? 0;
      port.vlans.set(vid, { untagged, suppresses, isolated, state, counter });
      const closed = state === undefined ? {} : { state };
      change.structure.push({ op: 'vlan', port: port.index, vid, untagged, suppresses, isolated, ...closed, counter });
    }
    const pvid = port.config.vlans.find((vlan) => vlan.pvid)?.vid ?? 0;
    if (pvid !== port.pvid) change.structure.push({ op: 'pvid', port: port.index, vid: pvid });
    port.pvid = pvid;
    if (hasOwnMac(port)) this.setOwnMac(port, change);
  }

  private giveCounter(counter: number, change: Transition): void {
    if (counter !== 0) change.afterwards.push(() => this.vlanCounters.give(counter));
  }

  /** The MAC of a host port, a TUN or an interface of the host is known from the start in each of its VLANs. */
  setOwnMac(port: OwnMacPort, change: Transition): void {
    const { bridge } = port;
    // A NIC that cannot be made yet may have no MAC.
    if (!hasOwnMac(port) || bridge === null || port.ownMac === '') return;
    // With fdb_local_vlan_0 the one entry without a VLAN holds in all of them.
    const byVlan = bridge.config.vlan_filtering && !bridge.config.fdb_local_vlan_0;
    const vids = byVlan ? [...port.vlans.keys()] : [0];
    const fids = vids.map((vid) => fidOf(bridge.index, vid));
    const mac = macOf(port.ownMac);
    const place = { destination: port.index, owner: port.index, flags: FLAG_PERMANENT };
    for (const fid of port.ownFids) if (!fids.includes(fid)) change.structure.push({ op: 'fdb-del', ...mac, fid });
    for (const fid of fids) if (!port.ownFids.includes(fid)) change.entries.push({ op: 'fdb', ...mac, fid, ...place });
    port.ownFids = fids;
  }

  /** The VLAN to VNI table, or the single VNI. */
  setVnis(port: VxlanPort, change: Transition): void {
    const wanted = vnisOf(port.config);
    const isWanted = (one: { vni: number; vid: number | null }): boolean =>
      wanted.some(({ vni, vid }) => vni === one.vni && vid === one.vid);
    const gone = port.vnis.filter((one) => !isWanted(one));
    for (const { vni, vid, header } of gone) {
      change.structure.push({ op: 'vni-del', port: port.index, vid, vni });
      change.afterwards.push(() => this.vnis.give(header));
      this.entries.forgetVni(port, vni, change);
      if (port.bridge !== null && vid !== null)
        change.flushes.push({ owner: port.index, fid: fidOf(port.bridge.index, vid) });
    }
    const kept = port.vnis.filter((one) => !gone.includes(one));
    const known = new Set(kept.map(({ vni }) => vni));
    const come = wanted.filter(({ vni }) => !known.has(vni));
    if (gone.some(({ vid }) => vid === null)) change.flushes.push({ owner: port.index });
    port.vnis = [
      ...kept,
      ...come.map(({ vni, vid }) => {
        const made = { vni, vid, ...this.vnis.take(vni) };
        change.structure.push({ op: 'vni', port: port.index, ...made });
        return made;
      }),
    ];
    if (gone.length + come.length > 0) this.entries.touch(port);
  }
}

/** The state of a VLAN at a port as engines have it; undefined: its frames pass. */
function engineState({ state, msti }: VlanMembership): VlanState | undefined {
  if (msti === 0) return 'port';
  if (state === undefined) return undefined;
  return state === 'learning' ? 'learning' : 'closed';
}
