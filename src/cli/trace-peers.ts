/** The further switches of a trace: those of `--peer`, or of the lab that the switch belongs to. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { SwitchClient } from '../client/client.js';
import { UsageError } from './errors.js';
import type { Peer } from './trace-path.js';

/** @param given NAME=SOCK, joined by commas */
export async function peersOf(given: string | undefined, client: SwitchClient): Promise<Peer[]> {
  const { createClient } = await import('../client/client.js');
  const named = given?.split(',').map(peerOf) ?? besides(client.socketPath);
  return named.map(({ name, socket }) => ({ name, client: createClient(socket, { keepAlive: false }) }));
}

function peerOf(text: string): { name: string; socket: string } {
  const [, name, socket] = /^([^=/]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || socket === undefined)
    throw new UsageError(`--peer: "${text}" is no NAME=SOCK; give a name and the path of a control socket`);
  return { name, socket };
}

/** The other switches of a lab: their sockets lie beside this one, and the lab's state with them. */
function besides(own: string): { name: string; socket: string }[] {
  const folder = dirname(own);
  try {
    const files = readdirSync(folder);
    if (!files.includes('state.json')) return [];
    return files
      .filter((file) => file.endsWith('.sock') && file !== basename(own))
      .map((file) => ({ name: basename(file, '.sock'), socket: join(folder, file) }));
  } catch {
    return []; // no lab of this user's
  }
}
