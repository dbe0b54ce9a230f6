/** The switches of this host that answer: for Wireshark, and for those who have named another one. Bounded in number and time. */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createClient } from '../client/client.js';
import { defaultSocket } from '../config/user-folder.js';

type Environment = Readonly<Record<string, string | undefined>>;

export interface AnsweringSwitch {
  readonly name: string;
  readonly socket: string;
}

/** Milliseconds that a switch has to say its name: somebody waits for all of them. */
const PATIENCE_MS = 1000;
/** Sockets asked, and switches named in a line, at most. */
const MAX_ASKED = 64;
const MAX_NAMED = 5;

/** Those in the folders of control sockets, and those of `sockets`. */
export async function answeringSwitches(env: Environment, ...sockets: readonly string[]): Promise<AnsweringSwitch[]> {
  const usual = defaultSocket(env, process.geteuid?.());
  const named = [...sockets, ...(env.OVERTAP_CONTROL ? [env.OVERTAP_CONTROL] : [])];
  const folders = new Set(['/run/overtap', dirname(usual), ...named.map((socket) => dirname(socket))]);
  const all = new Set([...[...folders].flatMap(socketsIn), ...named]);
  const found = await Promise.all([...all].slice(0, MAX_ASKED).map(nameOf));
  return found.flatMap((one) => (one === null ? [] : [one]));
}

/** A line for somebody whose switch does not answer; empty: no other one does. */
export async function otherSwitchesLine(env: Environment, socket: string): Promise<string> {
  const others = await answeringSwitches(env, socket);
  if (others.length === 0) return '';
  const named = others.slice(0, MAX_NAMED).map((one) => `-s ${one.socket} (${one.name})`);
  const more = others.length > MAX_NAMED ? `, and ${others.length - MAX_NAMED} more` : '';
  return `${others.length === 1 ? 'this one answers' : 'these answer'}: ${named.join(', ')}${more}`;
}

function socketsIn(folder: string): string[] {
  try {
    return readdirSync(folder).flatMap((name) => (name.endsWith('.sock') ? [join(folder, name)] : []));
  } catch {
    return [];
  }
}

async function nameOf(socket: string): Promise<AnsweringSwitch | null> {
  try {
    const { name } = await createClient(socket, { deadlineMs: PATIENCE_MS }).get('/v1/info');
    return { name, socket };
  } catch {
    return null;
  }
}
