/**
 * Loading a configuration: the way into this room.
 *
 * Takes a file, its text or its plain value, reads schema and rules in turn and gathers all faults into one ConfigError.
 * It opens no device and changes nothing on the machine.
 */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Document } from './edit/tree.js';
import { switchOptions } from './options/switch.js';
import { decodeSwitch } from './read/decode.js';
import { readDocument } from './read/document.js';
import { type ConfigWarning, FaultList, type Locator, NOWHERE } from './read/faults.js';
import { readText } from './read/file.js';
import { type HostFacts, NO_FACTS } from './read/host-facts.js';
import { checkPlain } from './read/plain-value.js';
import { resolveSwitch } from './resolve.js';
import { checkRules } from './rules/file.js';
import type { SwitchConfig } from './types.js';

export { ConfigError, type ConfigFault, type ConfigWarning, formatFaults } from './read/faults.js';

/** What loading asks of the machine; each has its default. */
export interface LoadDeps {
  /** Names a switch that has no name. */
  hostname?: () => string;
  /** Whether a network namespace exists, by name (as of `ip netns`) or path. */
  netnsExists?: (nameOrPath: string) => boolean;
  /** Devices and addresses; absent: they are not asked for, and only a port's own `local` is known as this host's. */
  host?: HostFacts;
  /** Why the control socket cannot be at a path, or null. By default it is not looked at: only a start makes it. */
  controlFault?: (path: string) => string | null;
  /** The file must be a regular one, not a pipe. */
  regularFile?: boolean;
}

/** A sound configuration: as it was given, and resolved. */
export interface CheckedDocument {
  document: Document;
  config: SwitchConfig;
  /** What does not make it wrong, in the order of the text. */
  warnings: readonly ConfigWarning[];
}

/** Reads and checks a file; `-` is standard input. @throws ConfigError holding every fault of it */
export function loadConfig(path: string, deps: LoadDeps = {}): SwitchConfig {
  return loadDocument(path, deps).config;
}

/** As loadConfig, with the value of the file beside. */
export function loadDocument(path: string, deps: LoadDeps = {}): CheckedDocument {
  return parseDocument(readText(path, deps.regularFile), path, deps);
}

/** Checks the text of a file; `fileName` is for messages. @throws ConfigError holding every fault of it */
export function parseConfig(text: string, fileName: string, deps: LoadDeps = {}): SwitchConfig {
  return parseDocument(text, fileName, deps).config;
}

/** As parseConfig, with the value of the file beside. */
export function parseDocument(text: string, fileName: string, deps: LoadDeps = {}): CheckedDocument {
  const { value, locator } = readDocument(text, fileName);
  return check(value, fileName, locator, deps);
}

/**
 * Checks the plain value of a file, as it comes over the control socket or out of an edit.
 * @throws ConfigError whose faults have a path and no place: line and column are 0, and a line of it is `PATH: message`
 */
export function checkDocument(value: unknown, deps: LoadDeps = {}): CheckedDocument {
  const faults = new FaultList(NOWHERE);
  if (!checkPlain(value, faults)) throw faults.toError('');
  return check(value, '', NOWHERE, deps);
}

/** The plain value of a file's text, unchecked, to be sent to a switch. @throws ConfigError holding its YAML faults */
export function readDocumentValue(text: string, fileName: string): unknown {
  return readDocument(text, fileName).value;
}

function check(value: unknown, fileName: string, locator: Locator, deps: LoadDeps): CheckedDocument {
  const faults = new FaultList(locator);
  const decoded = decodeSwitch(value, faults);
  if (decoded === undefined) throw faults.toError(fileName);
  const host = deps.host ?? NO_FACTS;
  checkRules(decoded, { netnsExists: deps.netnsExists ?? netnsExists, ...host }, faults);
  if (!decoded.rejected.has('control')) {
    const fault = deps.controlFault?.(decoded.given.control ?? switchOptions.control.default);
    if (typeof fault === 'string') faults.at(['control'], fault);
  }
  if (faults.count > 0) throw faults.toError(fileName);
  const config = resolveSwitch(decoded, { hostname: deps.hostname ?? hostname, ...host });
  return { document: value as Document, config, warnings: faults.warnings };
}

/** Whether a network namespace exists, by name or path: as `ip netns` finds them. */
export function netnsExists(nameOrPath: string): boolean {
  return existsSync(nameOrPath.includes('/') ? nameOrPath : `/var/run/netns/${nameOrPath}`);
}
