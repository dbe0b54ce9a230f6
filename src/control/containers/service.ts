/**
 * A driver with its socket and its records, started and ended with the switch.
 */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { Attachments } from './attachments.js';
import type { DriverLog, SwitchAccess } from './contract.js';
import { type Plugin, PluginServer } from './plugin-server.js';
import { Records } from './records.js';
import { Recovery } from './recovery.js';

export interface Service {
  /** Another process has the switch, and what is recorded. */
  givenAway(): void;
  close(): void;
}

export interface ServiceParts {
  /** Of the log, and of the file of records. */
  name: string;
  /** Of the names of ports, two letters. */
  prefix: string;
  /** Whether networks go with their last container. */
  prunes: boolean;
  socket: string;
  /** Folder of the records. */
  state: string;
  access: SwitchAccess;
  log: DriverLog;
  /** A fault of the switch. */
  report(error: unknown): void;
  plugin(attachments: Attachments): Plugin;
  /** Called before the first change. */
  begin(attachments: Attachments): void;
}

/**
 * Connects the containers of the last run, then listens.
 * @param succeeds this process has the switch of another one, and takes its socket
 * @throws RecordsError, ControlSocketError
 */
export async function startService(parts: ServiceParts, succeeds: boolean): Promise<Service> {
  const { name, socket, state, access, log, report } = parts;
  const { present, former } = filesOf(name, socket);
  const records = await Records.open(join(state, present), `${name}.state`, join(state, former));
  const attachments = new Attachments(parts.prefix, access, records, log, parts.prunes);
  const recovery = new Recovery(attachments);
  const server = new PluginServer(parts.plugin(attachments), {
    report,
    refused: (method, reason) => log.warn({ driver: name, method, reason }, 'request about a container refused'),
  });
  parts.begin(attachments);
  await recovery.start();
  await server.listen(socket, succeeds);
  recovery.watch();
  log.info({ driver: name, socket }, 'driver for containers');
  return {
    givenAway: () => records.end(),
    close() {
      recovery.stop();
      server.close();
    },
  };
}

/** Hexadecimal digits of the hash. */
const DIGITS = 12;

/**
 * Names of the file of records: by the whole path of the socket, since two switches may have sockets of one name in different folders.
 * Formerly it was the socket's name only.
 */
export function filesOf(driver: string, socket: string): { present: string; former: string } {
  const base = `${driver}-${basename(socket, '.sock')}`;
  const hash = createHash('sha256').update(socket).digest('hex').slice(0, DIGITS);
  return { present: `${base}-${hash}.json`, former: `${base}.json` };
}
