/**
 * Warnings of a valid configuration, as checks. Pure. Other judges report missing devices.
 */
import type { ConfigWarning } from '../config/load.js';
import { type Check, warn } from './check.js';

const REMEDIES: Partial<Record<ConfigWarning['kind'], string>> = {
  own_tunnel: 'ip route add REMOTE dev DEVICE, or other addresses for the bridge',
  contradiction: 'change one of the two settings with overtap link set, and see overtap -d link show',
};

export function judgeWarnings(warnings: readonly ConfigWarning[]): Check[] {
  return warnings.flatMap(({ kind, path, message }) => {
    const remedy = REMEDIES[kind];
    return remedy === undefined ? [] : [warn(path, message, remedy)];
  });
}
