/**
 * The rules of `state`, of ports, of VLANs at them and of instances of the spanning tree: either a spanning tree says the state, or the
 * configuration, as in Linux (br_set_port_state, br_vlan_modify_state, br_mst_process).
 */
import type { DecodedBridge, DecodedPort, DecodedSwitch } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';

export function checkPortStates({ bridgeList, portList }: DecodedSwitch, faults: FaultList): void {
  for (const port of portList) checkInstances(port, undefined, faults);
  for (const bridge of bridgeList) {
    for (const port of bridge.portList) {
      checkInstances(port, bridge, faults);
      checkVlanStates(port, bridge, faults);
      if (bridge.given.stp_state !== true || (port.given.state ?? 'forwarding') === 'forwarding') continue;
      faults.at(
        [...port.path, 'state'],
        `the spanning tree of ${bridge.name} says the states of its ports; remove state or stp_state`,
      );
    }
  }
}

function checkVlanStates(
  { vlanList }: DecodedPort,
  { given: { mst_enabled, stp_state }, name }: DecodedBridge,
  faults: FaultList,
): void {
  if (stp_state !== true && mst_enabled !== true) return;
  const remedy =
    mst_enabled === true
      ? `the instances of ${name} say the states of VLANs (mst_enabled); give the state of the instance, in mst of the port`
      : `the spanning tree of ${name} says the states of its ports, in all VLANs; remove state or stp_state`;
  for (const { given, path } of vlanList ?? [])
    if ((given.state ?? 'forwarding') !== 'forwarding') faults.at([...path, 'state'], remedy);
}

function checkInstances(
  { instanceList, name }: DecodedPort,
  bridge: DecodedBridge | undefined,
  faults: FaultList,
): void {
  const seen = new Set<number>();
  for (const { path, value } of instanceList) {
    if (seen.has(value.msti))
      faults.at(
        [...path, 'msti'],
        `the state in instance ${value.msti} is there already; give each instance of a port once`,
      );
    seen.add(value.msti);
  }
  const first = instanceList[0];
  if (first === undefined || bridge?.given.mst_enabled === true || bridge?.rejected.has('mst_enabled') === true) return;
  const at = first.path.slice(0, -1);
  if (bridge === undefined)
    faults.at(at, `are states of a port of a bridge with mst_enabled, and ${name} belongs to none; remove mst`);
  else
    faults.at(
      at,
      `bridge ${bridge.name} has no instances of a spanning tree; set mst_enabled: true there, or remove mst`,
    );
}
