/**
 * Effect of a new vlan_default_pvid on the ports of a bridge, as in the kernel's __br_vlan_set_default_pvid and
 * br_vlan_disable_default_pvid (net/bridge/br_vlan.c): only unmodified default memberships follow.
 *
 * Unlike the kernel, this does not require VLAN filtering to be off.
 */
import { defaultPvidOf, formatVlans, type Memberships, readVlans, withoutEntriesOf } from './memberships.js';
import { asMapping, type Mapping, portsOf, withKey } from './tree.js';

/** A changed bridge, with its ports' memberships moved to the new default PVID. `before` has the same ports. */
export function withDefaultPvid(before: Mapping, bridge: Mapping): Mapping {
  const [from, to] = [defaultPvidOf(before), defaultPvidOf(bridge)];
  // The schema refuses values that are not a PVID.
  if (from === to || !isPvid(to)) return bridge;
  const ports = Object.entries(portsOf(bridge)).map(([name, body]): [string, Mapping] => [
    name,
    follow(asMapping(body), from, to, name),
  ]);
  const out = ports.length === 0 ? bridge : withKey(bridge, 'ports', Object.fromEntries(ports));
  return bridge.host_port === true && before.vlans !== undefined && bridge.vlans === before.vlans
    ? follow(out, from, to, 'the bridge')
    : out;
}

/** A link whose memberships move from the old default to the new one, where they are unmodified. */
function follow(link: Mapping, from: number, to: number, name: string): Mapping {
  const members = readVlans(link, from, name);
  if (!follows(members, from, to)) return link;
  const old = members.get(from);
  members.delete(from);
  if (to !== 0) {
    for (const [vid, member] of members) members.set(vid, { ...member, pvid: false });
    members.set(to, { pvid: true, untagged: true });
  }
  // A link without a list of its own follows implicitly.
  const changed = link.vlans === undefined ? link : withKey(link, 'vlans', formatVlans(members));
  return old === undefined ? changed : withoutEntriesOf(changed, new Map([[from, old]]));
}

function follows(members: Memberships, from: number, to: number): boolean {
  const old = members.get(from);
  const isDefault = old?.pvid === true && old.untagged;
  if (to === 0) return isDefault;
  return (from === 0 || isDefault) && !members.has(to);
}

function isPvid(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 4094;
}
