/** The switch of a network namespace: namespaces are hosts, so each has its own. */
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createClient, type SwitchClient } from '../client/client.js';
import { LinkCache } from './view.js';
import { Waiting } from './waiting.js';
import { ERRNO, NetlinkFault } from '../netlink/fault.js';

/** Milliseconds that a switch has to say who it is. */
const PATIENCE_MS = 2000;
/** Sockets looked at, at most. */
const MAX_SOCKETS = 256;
/** Milliseconds for which "no switch is there" is believed. */
const ABSENCE_MS = 500;

const OTHERS_WRITE = 0o002;

/** A switch, and what it last said. */
export interface Here {
  readonly client: SwitchClient;
  readonly links: LinkCache;
  /** What the command has said of VNIs without a VLAN. */
  readonly waiting?: Waiting;
}

interface Known extends Here {
  readonly socket: string;
  /** Of its socket's file: another file is another switch, or the same one anew. */
  readonly file: string;
  readonly pid: number;
}

/** Inode of the network namespace of a process; 0: not known. */
export function netnsOf(pid: number | 'self'): number {
  try {
    return statSync(`/proc/${pid}/ns/net`).ino;
  } catch {
    return 0;
  }
}

export class Switches {
  private readonly known = new Map<string, Known>();
  private readonly absent = new Map<number, number>();

  /**
   * @param preferred sockets in the order of preference
   * @param folders where control sockets are
   */
  constructor(
    private readonly preferred: readonly string[],
    private readonly folders: readonly string[],
  ) {}

  /**
   * The client of the namespace's switch; undefined: there is none.
   * @param isNew it may have been started a moment ago: what was absent is looked for again
   * @throws NetlinkFault when there are several, and none of them is preferred
   */
  async of(netns: number, isNew = false): Promise<Here | undefined> {
    // An unknown namespace is not that of every switch whose namespace is not known either.
    if (netns === 0) return undefined;
    const here = this.there(netns);
    if (here !== undefined) return here;
    const told = this.absent.get(netns);
    if (!isNew && told !== undefined && performance.now() - told < ABSENCE_MS) return undefined;
    await this.look();
    const found = this.there(netns);
    if (found === undefined) this.absent.set(netns, performance.now());
    return found;
  }

  /** Sockets of all switches that answer. */
  async all(): Promise<string[]> {
    await this.look();
    return [...this.known.keys()];
  }

  /** What the command has said, and no switch has. */
  losses(): string[] {
    return [...this.known.values()].flatMap(({ waiting }) => waiting?.loss ?? []);
  }

  private there(netns: number): Here | undefined {
    const those = [...this.known.values()].filter((one) => this.isAlive(one) && netnsOf(one.pid) === netns);
    const preferred = this.preferred.map((socket) => those.find((one) => one.socket === socket));
    const first = preferred.find((one) => one !== undefined) ?? those[0];
    if (first !== undefined && those.length > 1 && !preferred.includes(first)) {
      const names = those.map(({ socket }) => socket).join(', ');
      throw new NetlinkFault(`several switches run in this network namespace; name one with -s: ${names}`, ERRNO.EBUSY);
    }
    return first;
  }

  /** A file system gives a new file the inode of one that has gone, and a switch may be started at the socket of a killed one. */
  private isAlive({ socket, file, pid }: Known): boolean {
    if (fileOf(socket) === file && netnsOf(pid) !== 0) return true;
    this.known.delete(socket);
    return false;
  }

  private async look(): Promise<void> {
    const folders = new Set([...this.folders, ...this.preferred.map((socket) => dirname(socket))]);
    const sockets = new Set([...this.preferred, ...[...folders].flatMap(socketsIn)]);
    const unknown = [...sockets].slice(0, MAX_SOCKETS).filter((socket) => !this.known.has(socket));
    await Promise.all(unknown.map((socket) => this.meet(socket)));
  }

  private async meet(socket: string): Promise<void> {
    const file = fileOf(socket);
    if (file === undefined) return;
    try {
      const { pid } = await createClient(socket, { deadlineMs: PATIENCE_MS }).get('/v1/info');
      const client = createClient(socket, { keepAlive: true });
      this.known.set(socket, { socket, file, pid, client, links: new LinkCache(client), waiting: new Waiting() });
    } catch {
      // Nobody is there, or no switch: it is looked at again next time.
    }
  }
}

/** Tells one file of a name from the next. */
function fileOf(path: string): string | undefined {
  try {
    const { ino, ctimeMs } = statSync(path);
    return `${ino} ${ctimeMs}`;
  } catch {
    return undefined;
  }
}

/** Where anybody may make files, as in /tmp, a socket may be of anybody: there only those are asked that are named. */
function socketsIn(folder: string): string[] {
  try {
    if ((statSync(folder).mode & OTHERS_WRITE) !== 0) return [];
    return readdirSync(folder).flatMap((name) => (name.endsWith('.sock') ? [join(folder, name)] : []));
  } catch {
    return [];
  }
}
