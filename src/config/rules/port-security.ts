/** Rules of locked ports, and of ports that send frames back (Linux br_setport, net/bridge/br_netlink.c). */
import { isTunnelPort, PORT_KINDS } from '../options/kinds.js';
import type { DecodedPort } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';

/** Checks `mab` and `hairpin` of a port. */
export function checkPortSecurity(port: DecodedPort, faults: FaultList): void {
  const { given, path, rejected, type } = port;
  if (given.mab === true && given.locked !== true && !rejected.has('locked'))
    faults.at(
      [...path, 'mab'],
      'is for a locked port, and this one lets every MAC in; set locked: true too, or remove it',
    );
  if (given.mab === true && given.learning === false)
    faults.at(
      [...path, 'mab'],
      'learns who asks to be let in, and the port learns nothing; set learning: true, or remove it',
    );
  if (given.hairpin !== true) return;
  const at = [...path, 'hairpin'];
  if (isTunnelPort(port))
    faults.at(at, `is not for a ${type} port: what comes from a remote is never sent to a remote; remove it`);
  else if (PORT_KINDS[type].layer3 === true)
    faults.at(at, `is not for a ${type} port: there is one host behind it; remove it`);
}
