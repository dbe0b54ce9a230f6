/**
 * Rules of a cross-connect: a bridge that joins two ports as a cable does.
 */
import { PORT_KINDS } from '../options/kinds.js';
import type { DecodedBridge } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';

/** Ports of a cross-connect; one that has fewer waits, and drops frames as `no_destination`. */
const ENDS = 2;

/** Checks a bridge with `xconnect`: its number of ports, and what it cannot do. */
export function checkCrossConnect(bridge: DecodedBridge, faults: FaultList): void {
  if (bridge.given.xconnect !== true) return;
  if (bridge.given.vlan_filtering === true) {
    faults.at(
      [...bridge.path, 'vlan_filtering'],
      `${bridge.name} is a cross-connect, which passes all tags as they are; remove vlan_filtering or xconnect`,
    );
  }
  if (bridge.given.stp_state === true) {
    faults.at(
      [...bridge.path, 'stp_state'],
      `${bridge.name} is a cross-connect, which passes the BPDUs of others; remove stp_state or xconnect`,
    );
  }
  for (const { type, path } of bridge.portList) {
    if (PORT_KINDS[type].layer3 === true)
      faults.atKey(
        path,
        `${bridge.name} is a cross-connect, which passes frames; a ${type} port has IP only: put it elsewhere`,
      );
  }
  const hosts = bridge.given.host_port === true ? 1 : 0;
  const third = bridge.portList[ENDS - hosts];
  if (third === undefined) return;
  const why = hosts === 1 ? ', its host port being one' : '';
  faults.atKey(third.path, `${bridge.name} is a cross-connect, which has two ports${why}; put this one elsewhere`);
}
