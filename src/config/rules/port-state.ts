/** The rule of `state`: either a spanning tree says the state of a port, or the configuration, as in Linux (br_set_port_state). */
import type { DecodedBridge } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';

export function checkPortStates(bridges: readonly DecodedBridge[], faults: FaultList): void {
  for (const bridge of bridges) {
    if (bridge.given.stp_state !== true) continue;
    for (const { given, path } of bridge.portList) {
      if ((given.state ?? 'forwarding') === 'forwarding') continue;
      faults.at(
        [...path, 'state'],
        `the spanning tree of ${bridge.name} says the states of its ports; remove state or stp_state`,
      );
    }
  }
}
