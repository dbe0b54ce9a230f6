/**
 * Reads a configuration file for commands. Faults of the file are returned as a value, because the commands print all of them;
 * other errors are thrown.
 */
import { controlPathFault } from '../config/control-path.js';
import type { CheckedDocument, ConfigError, LoadDeps } from '../config/load.js';
import { type HostFacts, NO_FACTS } from '../config/read/host-facts.js';
import type { Context } from './context.js';

export type ReadConfig =
  | (CheckedDocument & { readonly error?: undefined })
  | {
      readonly document?: undefined;
      readonly config?: undefined;
      readonly warnings?: undefined;
      readonly error: ConfigError;
    };

/** Reads a file: its document, and the resolved configuration. */
export async function readConfig(context: Context, file: string, deps: LoadDeps = {}): Promise<ReadConfig> {
  const [{ loadDocument, ConfigError }, host] = await Promise.all([context.rooms.config(), factsOf(context)]);
  try {
    return loadDocument(file, { host, ...deps });
  } catch (error) {
    if (error instanceof ConfigError) return { error };
    throw error;
  }
}

/** Facts of this host. Without the addon a file is read without warnings of missing devices. */
export async function factsOf(context: Context): Promise<HostFacts> {
  try {
    return (await context.rooms.host()).HOST_FACTS;
  } catch {
    return NO_FACTS;
  }
}

/** A check whether the file's control socket can be created, unless `-s` gives another one. */
export function controlCheck(context: Context): LoadDeps {
  return context.socketOption === undefined ? { controlFault: controlPathFault } : {};
}
