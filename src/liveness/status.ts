/** What the liveness thread shows of its sessions in shared memory, a row each, and how many packets it has discarded, by reason. */
import type { BfdFault, BfdState } from '../wire/bfd.js';
import { MAX_SESSIONS, type ProbeStatus, type SessionStatus } from './contract.js';
import { SEARCH_STATES, type Search } from './path-search.js';
import type { Damping } from './damping.js';
import type { Prober } from './prober.js';
import { detectionTime, type Session, sendInterval } from './session.js';

const ROW = 18;

/** Reasons in the order of their words. */
export const DISCARDS = [
  'version',
  'length',
  'detect_mult',
  'multipoint',
  'my_discriminator',
  'your_discriminator',
  'authentication',
  'ttl',
  'unknown_session',
  'unknown_remote',
] as const satisfies readonly (BfdFault | string)[];
export type Discard = (typeof DISCARDS)[number];

const COUNTS = MAX_SESSIONS * ROW;

export function createStatus(): SharedArrayBuffer {
  return new SharedArrayBuffer((COUNTS + DISCARDS.length) * 4);
}

/** Counts of one session. */
export interface Traffic {
  ups: number;
  sent: number;
  received: number;
  prober: Prober | null;
  damping: Damping;
}

export class Status {
  private readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
  }

  write(slot: number, session: Session, { ups, sent, received, prober, damping }: Traffic): void {
    const { words } = this;
    const at = slot * ROW;
    words[at] = session.state | (session.remoteState << 8) | (session.diag << 16);
    words[at + 1] = session.my;
    words[at + 2] = session.your;
    words[at + 3] = session.remoteMult;
    words[at + 4] = session.remoteDesiredTx;
    words[at + 5] = session.remoteMinRx;
    words[at + 6] = Math.round(Math.min(sendInterval(session), 0x7fffffff));
    words[at + 7] = Math.round(Math.min(detectionTime(session), 0x7fffffff));
    words[at + 8] = ups;
    words[at + 9] = sent;
    words[at + 10] = received;
    this.writeProbes(at + 11, prober?.search ?? null);
    words[at + 16] = damping.flaps;
    words[at + 17] = damping.hold;
  }

  /** Words: the path MTU, one more than the state, probes, those lost, black holes. */
  private writeProbes(at: number, search: Search | null): void {
    const { words } = this;
    if (search === null) {
      words.fill(0, at, at + 5);
      return;
    }
    words[at] = search.mtu;
    words[at + 1] = SEARCH_STATES.indexOf(search.state) + 1;
    words[at + 2] = search.sent;
    words[at + 3] = search.lostInAll;
    words[at + 4] = search.blackHoles;
  }

  private probesAt(at: number): ProbeStatus | null {
    const { words } = this;
    const search = SEARCH_STATES[words[at + 1] - 1];
    if (search === undefined) return null;
    return { search, sent: words[at + 2] >>> 0, lost: words[at + 3] >>> 0, blackHoles: words[at + 4] >>> 0 };
  }

  clear(slot: number): void {
    this.words.fill(0, slot * ROW, (slot + 1) * ROW);
  }

  /** Null: the thread has not begun the session yet. */
  read(slot: number): SessionStatus | null {
    const { words } = this;
    const at = slot * ROW;
    const unsigned = (word: number): number => words[at + word] >>> 0;
    if (words[at + 1] === 0) return null;
    return {
      state: (words[at] & 3) as BfdState,
      remoteState: ((words[at] >>> 8) & 3) as BfdState,
      diag: (words[at] >>> 16) & 0x1f,
      my: unsigned(1),
      your: unsigned(2),
      remoteMult: words[at + 3],
      remoteDesiredTx: unsigned(4),
      remoteMinRx: unsigned(5),
      sendInterval: words[at + 6],
      detectionTime: words[at + 7],
      ups: unsigned(8),
      sent: unsigned(9),
      received: unsigned(10),
      pathMtu: words[at + 11],
      probes: this.probesAt(at + 11),
      flaps: words[at + 16],
      damped: words[at + 17],
    };
  }

  discard(reason: Discard): void {
    this.words[COUNTS + DISCARDS.indexOf(reason)]++;
  }

  discards(): Record<Discard, number> {
    const count = (reason: Discard, at: number): [Discard, number] => [reason, this.words[COUNTS + at] >>> 0];
    return Object.fromEntries(DISCARDS.map(count)) as Record<Discard, number>;
  }
}
