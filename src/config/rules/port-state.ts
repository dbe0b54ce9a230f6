/**
 * The rule of `state`, of ports and of VLANs at them: either a spanning tree says the state, or the configuration, as in Linux
 * (br_set_port_state, br_vlan_modify_state).
 */
import type { DecodedBridge } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';

export function checkPortStates(bridges: readonly DecodedBridge[], faults: FaultList): void {
  for (const bridge of bridges) {
    if (bridge.given.stp_state !== true) continue;
    for (const { given, path, vlanList } of bridge.portList) {
      for (const vlan of vlanList ?? []) {
        if ((vlan.given.state ?? 'forwarding') === 'forwarding') continue;
        faults.at(
          [...vlan.path, 'state'],
          `the spanning tree of ${bridge.name} says the states of its ports, in all VLANs; remove state or stp_state`,
        );
      }
      if ((given.state ?? 'forwarding') === 'forwarding') continue;
      faults.at(
        [...path, 'state'],
        `the spanning tree of ${bridge.name} says the states of its ports; remove state or stp_state`,
      );
    }
  }
}
