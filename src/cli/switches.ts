/** The switches that a command looks at: the one at the control socket, or all of a lab. */
import type { CaptureOptions, SwitchClient } from '../client/client.js';
import type { CaptureSource } from '../sight/capture.js';
import { Refusal } from '../values/address.js';
import { readFrameFilter } from '../values/frame-filter.js';
import type { Context } from './context.js';
import { UsageError } from './errors.js';
import { findLink } from './links.js';

export interface NamedSwitch {
  /** Empty: the only one. */
  readonly name: string;
  readonly client: SwitchClient;
}

/** @param lab the name of one that is up @throws LabError when it is not, UsageError for a socket as well */
export async function switchesOf(context: Context, lab: string | undefined): Promise<NamedSwitch[]> {
  if (lab === undefined) return [{ name: '', client: await context.client() }];
  if (context.socketOption !== undefined) throw new UsageError('give either --lab or the control socket of one switch');
  const room = await context.rooms.lab();
  return room.labSwitches(lab).map(({ host, socket }) => ({ name: host, client: room.connectInLab(socket) }));
}

export function sourcesOf(switches: readonly NamedSwitch[], query: CaptureOptions): CaptureSource[] {
  return switches.map(({ name, client }) => ({ name, open: (signal) => client.capture(signal, query) }));
}

/** A port that no switch has would be waited for without a word. @throws NotFoundError */
export async function expectPorts(switches: readonly NamedSwitch[], words: readonly string[]): Promise<void> {
  const read = readFrameFilter(words);
  if (read instanceof Refusal || read.port === undefined) return;
  const links = await Promise.all(switches.map(({ client }) => client.get('/v1/links')));
  for (const port of read.port) findLink(links.flat(), port);
}
