/**
 * Converts refusals by rules and devices to refusals for the client. Pure.
 */
import { EditRefused } from '../../config/edit/tree.js';
import { ConfigError } from '../../config/load.js';
import { ChangeRefused } from '../controls.js';
import { DeviceError } from '../model/device-error.js';

/** The error as a ChangeRefused if it is one of the three types; else unchanged. */
export function explain(error: unknown): unknown {
  if (error instanceof EditRefused) return new ChangeRefused(error.message, error.code);
  if (error instanceof ConfigError)
    return new ChangeRefused(error.faults.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  if (error instanceof DeviceError) return new ChangeRefused(error.message, 'unavailable');
  return error;
}
