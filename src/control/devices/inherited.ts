/**
 * The descriptors that the process has inherited from the program that started it: by number, or by the name that a service
 * manager gave (sd_listen_fds(3)). They can be taken until the start is over: later a number may stand for anything.
 *
 * Owns the translation of names, and who has taken which. Never opens or closes one.
 */

import { type Environment, LISTEN_FDS_START, listenedDescriptors } from '../../port/listened.js';
import { quote } from '../../values/show.js';

/** Names that a message lists. */
const MOST_NAMED = 8;

export class Inherited {
  /** By name; a name may stand for several. */
  private readonly named = new Map<string, number[]>();
  /** The ports that have taken descriptors. */
  private readonly takers = new Map<number, string>();
  private isOver = false;

  /** @param env LISTEN_FDS and LISTEN_FDNAMES count if LISTEN_PID is @param pid this process */
  constructor(env: Environment, pid: number) {
    const count = listenedDescriptors(env, pid);
    // Without names all are called "unknown", as in sd_listen_fds_with_names(3).
    const names = env.LISTEN_FDNAMES?.split(':') ?? [];
    for (let i = 0; i < count; i++) {
      const name = names[i] ?? 'unknown';
      this.named.set(name, [...(this.named.get(name) ?? []), LISTEN_FDS_START + i]);
    }
  }

  /** Takes the descriptor for a port. @throws Error that says what to do */
  take(fd: number | string, port: string): number {
    if (this.isOver)
      throw new Error(
        'a descriptor (fd) can be taken only when the switch starts; put the port into its file, and start it again',
      );
    const number = typeof fd === 'number' ? fd : this.numberOf(fd);
    const taker = this.takers.get(number);
    if (taker !== undefined && taker !== port)
      throw new Error(`port ${taker} has descriptor ${number} already; give each port one of its own`);
    this.takers.set(number, port);
    return number;
  }

  /** The start is over. */
  end(): void {
    this.isOver = true;
  }

  private numberOf(name: string): number {
    const [number, ...others] = this.named.get(name) ?? [];
    if (number === undefined) {
      const known = listOf([...this.named.keys()]);
      throw new Error(
        `the switch was not given a descriptor named "${name}" (LISTEN_FDNAMES)${known === '' ? '; its service needs FileDescriptorName= in a socket unit, or give the number' : `; it has ${known}`}`,
      );
    }
    if (others.length > 0)
      throw new Error(
        `${others.length + 1} descriptors are named "${name}"; give each a name of its own, or the number`,
      );
    return number;
  }
}

function listOf(names: readonly string[]): string {
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return names.slice(0, MOST_NAMED).map(quote).join(', ') + more;
}
