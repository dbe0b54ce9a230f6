/**
 * Reading a configuration file for `run` and `check`. It turns faults of the file into a value, since both commands
 * show all of them; every other error passes through.
 */

import type { ConfigError } from '../config/load.js';
import type { SwitchConfig } from '../config/types.js';
import type { Context } from './context.js';

export type ReadConfig =
  | { readonly config: SwitchConfig; readonly error?: undefined }
  | { readonly config?: undefined; readonly error: ConfigError };

export async function readConfig(context: Context, file: string): Promise<ReadConfig> {
  const { loadConfig, ConfigError } = await context.rooms.config();
  try {
    return { config: loadConfig(file) };
  } catch (error) {
    if (error instanceof ConfigError) return { error };
    throw error;
  }
}
