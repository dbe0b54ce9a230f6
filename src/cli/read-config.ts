/**
 * Reading a configuration file for `run`, `check` and `apply`. It turns faults of the file into a value, since these
 * commands show all of them; every other error passes through.
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

/** For commands to which the file's control socket matters: whether it can be made, unless `-s` names another one. */
export function controlCheck(context: Context): LoadDeps {
  return context.socketOption === undefined ? { controlFault: controlPathFault } : {};
}
