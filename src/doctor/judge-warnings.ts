/**
 * Warnings of a valid configuration, as checks. Pure. Other judges report missing devices.
 */
import type { ConfigWarning } from '../config/load.js';
import { type Check, warn } from './check.js';

export function judgeWarnings(warnings: readonly ConfigWarning[]): Check[] {
  return warnings.flatMap(({ kind, path, message }) =>
    kind === 'own_tunnel'
      ? [warn(path, message, 'ip route add REMOTE dev DEVICE, or other addresses for the bridge')]
      : [],
  );
}
