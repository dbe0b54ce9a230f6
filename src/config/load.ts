/**
 * Loading a configuration file: the way into this room.
 *
 * Reads text, schema and rules in turn and gathers all faults of a file into one ConfigError. It opens no device and
 * changes nothing on the machine.
 */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { decodeSwitch } from './decode.js';
import { readDocument, wholeFileError } from './document.js';
import { FaultList } from './faults.js';
import { resolveSwitch } from './resolve.js';
import { checkRules } from './rules.js';
import type { SwitchConfig } from './types.js';
import { checkAvailable } from './unavailable.js';

export { ConfigError, type ConfigFault } from './faults.js';

/** What loading asks of the machine; each has its default. */
export interface LoadDeps {
  /** Names a switch that has no name. */
  hostname?: () => string;
  /** Whether a network namespace exists, by name (as of `ip netns`) or path. */
  netnsExists?: (nameOrPath: string) => boolean;
}

/** Reads and checks a file. @throws ConfigError holding every fault of it */
export function loadConfig(path: string, deps: LoadDeps = {}): SwitchConfig {
  return parseConfig(readText(path), path, deps);
}

/** Checks the text of a file; `fileName` is for messages. @throws ConfigError holding every fault of it */
export function parseConfig(text: string, fileName: string, deps: LoadDeps = {}): SwitchConfig {
  const document = readDocument(text, fileName);
  const faults = new FaultList(document.locator);
  const decoded = decodeSwitch(document.value, faults);
  if (decoded === undefined) throw faults.toError(fileName);
  checkRules(decoded, { netnsExists: deps.netnsExists ?? netnsExists }, faults);
  checkAvailable(decoded, faults);
  if (faults.count > 0) throw faults.toError(fileName);
  return resolveSwitch(decoded, deps.hostname ?? hostname);
}

function readText(path: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw wholeFileError(path, `the file cannot be read: ${reason}; check its path and permissions`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw wholeFileError(path, 'the file is not UTF-8 text; save it as UTF-8');
  }
}

/** As `ip netns` finds them. */
function netnsExists(nameOrPath: string): boolean {
  return existsSync(nameOrPath.includes('/') ? nameOrPath : `/var/run/netns/${nameOrPath}`);
}
