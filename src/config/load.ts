/**
 * Loads and validates a configuration: the entry point of config/.
 *
 * Input is a file, its text or its plain value. Schema and rules run in turn; all faults are collected in one ConfigError.
 * Opens no device and changes nothing on the host.
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

/** What loading needs from the host; everything has a default. */
export interface LoadDeps {
  /** Default name of the switch. */
  hostname?: () => string;
  /** Whether a network namespace exists, by name (as of `ip netns`) or path. */
  netnsExists?: (nameOrPath: string) => boolean;
  /** Devices and addresses of the host. Absent: not checked, and only a port's own `local` counts as an address of this host. */
  host?: HostFacts;
  /** Why the control socket cannot be created at a path, or null. Not checked by default: only a start creates the socket. */
  controlFault?: (path: string) => string | null;
  /** The file must be a regular one, not a pipe. */
  regularFile?: boolean;
}

/** A valid configuration: as given, and resolved. */
export interface CheckedDocument {
  document: Document;
  config: SwitchConfig;
  /** Warnings, in text order. */
  warnings: readonly ConfigWarning[];
}

/** Reads and checks a file; `-` is standard input. @throws ConfigError with all faults */
export function loadConfig(path: string, deps: LoadDeps = {}): SwitchConfig {
  return loadDocument(path, deps).config;
}

/** As loadConfig; also returns the plain value of the file. */
export function loadDocument(path: string, deps: LoadDeps = {}): CheckedDocument {
  return parseDocument(readText(path, { regularFile: deps.regularFile }), path, deps);
}

/** Checks the text of a file; `fileName` is for messages. @throws ConfigError with all faults */
export function parseConfig(text: string, fileName: string, deps: LoadDeps = {}): SwitchConfig {
  return parseDocument(text, fileName, deps).config;
}

/** As parseConfig; also returns the plain value of the file. */
export function parseDocument(text: string, fileName: string, deps: LoadDeps = {}): CheckedDocument {
  const { value, locator } = readDocument(text, fileName);
  return check(value, fileName, locator, deps);
}

/**
 * Checks the plain value of a file, received over the control socket or produced by an edit.
 * @throws ConfigError whose faults
 * have a path but no position: line and column are 0, and the text is `PATH: message`
 */
export function checkDocument(value: unknown, deps: LoadDeps = {}): CheckedDocument {
  const faults = new FaultList(NOWHERE);
  if (!checkPlain(value, faults)) throw faults.toError('');
  return check(value, '', NOWHERE, deps);
}

/** The plain value of a file's text, unchecked, to be sent to a switch. @throws ConfigError with all YAML faults */
export function readDocumentValue(text: string, fileName: string): unknown {
  return readDocument(text, fileName).value;
}

/** Checks the plain value of a file whose text is a part of another file. @param locator of that part @throws ConfigError */
export function checkPart(value: unknown, fileName: string, locator: Locator, deps: LoadDeps = {}): CheckedDocument {
  return check(value, fileName, locator, deps);
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
