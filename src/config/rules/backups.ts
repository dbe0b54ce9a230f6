/** Rules of backup ports (Linux nbp_backup_change). */
import { quote } from '../../values/show.js';
import type { DecodedBridge } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';

/** A backup is another port of the same bridge. A running switch waits for one that is missing. */
export function checkBackups({ name: bridge, portList }: DecodedBridge, faults: FaultList): void {
  const names = new Set(portList.map(({ name }) => name));
  for (const { name, path, given } of portList) {
    const { backup_port: backup } = given;
    if (backup === undefined) continue;
    const at = [...path, 'backup_port'];
    if (backup === name) faults.at(at, 'a port cannot be its own backup; give the name of another port');
    else if (!names.has(backup))
      faults.missing(at, `there is no port ${quote(backup)} in bridge ${bridge}; give one of its ports`);
  }
}
