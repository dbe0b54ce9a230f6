/**
 * Instances of the spanning tree (`mst_enabled`): the state of a VLAN at a port is that of the port in the instance of the VLAN, as in
 * Linux (net/bridge/br_mst.c). Input has passed the rules; nothing is reported here.
 */
import { PORT_KINDS } from '../options/kinds.js';
import type { InstanceState, VlanMembership } from '../types.js';
import type { DecodedBridge, DecodedPort } from './decoded.js';

const VIDS = 4096;

/** Without `disabled`, which a port is in every instance that it has no state in. */
export function instanceStates({ instanceList }: DecodedPort): InstanceState[] {
  const states = instanceList.flatMap(({ value: { msti, state } }) => (state === 'disabled' ? [] : [{ msti, state }]));
  return states.sort((one, other) => one.msti - other.msti);
}

/** The memberships with their instances and states there; on a bridge without `mst_enabled` as they are. */
export function inInstances(
  vlans: VlanMembership[],
  port: DecodedPort,
  bridge: DecodedBridge | undefined,
): VlanMembership[] {
  const { mst_enabled, vlan_filtering } = bridge?.given ?? {};
  const hasStates = PORT_KINDS[port.type].bare !== true;
  if (bridge === undefined || mst_enabled !== true || vlan_filtering !== true || !hasStates) return vlans;
  const instances = instancesOf(bridge);
  const states = new Map(instanceStates(port).map(({ msti, state }) => [msti, state]));
  return vlans.map((vlan) => {
    const msti = instances[vlan.vid];
    if (msti === 0) return { ...vlan, msti };
    const state = states.get(msti) ?? 'disabled';
    return state === 'forwarding' ? { ...vlan, msti } : { ...vlan, msti, state };
  });
}

function instancesOf({ globalList }: DecodedBridge): Uint16Array {
  const instances = new Uint16Array(VIDS);
  for (const { value } of globalList) instances.fill(value.msti ?? 0, value.vid.first, value.vid.last + 1);
  return instances;
}
