/**
 * The entry of this room: `overtap page` shows one or several switches in a browser. It is a client of their control sockets, as any
 * other program, and the only listener is its own, on a loopback address.
 */
import type { SwitchEvent } from '../api/api.js';
import type { Site } from './model/messages.js';
import { newToken } from './server/access.js';
import { Desk, type ShownSwitch } from './server/desk.js';
import { readDocument } from './server/document.js';
import { PageServer, type Questions } from './server/page-server.js';

export type { SendAsked, Site, TraceAsked } from './model/messages.js';
export type { ShownSwitch } from './server/desk.js';
export { PageRefusal, type Questions } from './server/page-server.js';

export interface PageOptions {
  readonly site: Site;
  readonly switches: readonly ShownSwitch[];
  /** A loopback address, and a port; 0: a free one. */
  readonly host: string;
  readonly port: number;
  readonly questions: Questions;
  /** One event of a switch as a line of text. */
  readonly describe: (event: SwitchEvent) => string;
  readonly report: (fault: unknown) => void;
}

export interface Page {
  /** The address with its token. */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the page until it is closed. @throws Error when the address cannot be had, or the page is not built */
export async function servePage(options: PageOptions): Promise<Page> {
  const { site, switches, host, port, questions, describe, report } = options;
  const desk = new Desk(site, switches, describe);
  const { streams } = desk;
  const server = new PageServer({
    host,
    port,
    token: newToken(),
    document: readDocument(),
    streams,
    questions,
    report,
  });
  const url = await server.listen();
  return {
    url,
    async close() {
      desk.close();
      await server.close();
    },
  };
}
