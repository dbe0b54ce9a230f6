/**
 * Reading a configuration file for `run`, `check` and `apply`. It turns faults of the file into a value, since these
 * commands show all of them; every other error passes through.
 */

import type { CheckedDocument, ConfigError } from '../config/load.js';
import type { Context } from './context.js';

export type ReadConfig =
  | (CheckedDocument & { readonly error?: undefined })
  | { readonly document?: undefined; readonly config?: undefined; readonly error: ConfigError };

/** What a file says: as it stands there, and resolved. */
export async function readConfig(context: Context, file: string): Promise<ReadConfig> {
  const { loadDocument, ConfigError } = await context.rooms.config();
  try {
    return loadDocument(file);
  } catch (error) {
    if (error instanceof ConfigError) return { error };
    throw error;
  }
}
