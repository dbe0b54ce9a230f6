/**
 * Probes of the path MTU by one BFD session: a probe is a packet with P and zeros behind it, which every BFD speaker answers with F at once
 * (RFC 5880 section 6.8.7), whatever stands behind Length. Its first bytes there are a mark that another overtap repeats, so an answer
 * is told from a late one and from a forged one. No I/O: packets are filled in, the clock is the caller's.
 */
import type { BfdPacket } from '../wire/bfd.js';
import {
  answer,
  beginSearch,
  disable,
  enable,
  expireProbe,
  postpone,
  probe,
  type Search,
  setLimit,
} from './path-search.js';

/** A session that settles its own parameters by P and F is looked at again so much later, in milliseconds. */
const LATER_MS = 100;

export class Prober {
  readonly search: Search;
  private mark0 = 0;
  private mark1 = 0;
  /** Whether the remote has repeated a mark since the session is up: then nothing else is an answer. */
  private repeatsMarks = false;

  /**
   * @param limit the widest outer packet that the kernel knows to leave this host
   * @param random of 32 bits
   */
  constructor(
    family: 4 | 6,
    limit: number,
    private readonly random: () => number,
  ) {
    this.search = beginSearch(family, limit);
  }

  setLimit(limit: number, now: number): void {
    setLimit(this.search, limit, now);
  }

  /** The session is up, or not any more. */
  follow(isUp: boolean, now: number): void {
    if (!isUp) disable(this.search);
    else if (this.search.state === 'disabled') {
      this.repeatsMarks = false;
      enable(this.search, now);
    }
  }

  get dueAt(): number {
    return this.search.dueAt;
  }

  /** Looks whether the last probe is lost. @returns whether what is known has changed */
  expire(now: number): boolean {
    return expireProbe(this.search, now);
  }

  /**
   * Makes a packet that is ready to be sent a probe.
   * @param isPolling the session waits for an F of its own
   * @returns bytes of the outer IP packet; 0: none is due
   */
  take(packet: BfdPacket, isPolling: boolean, now: number): number {
    if (isPolling) postpone(this.search, now + LATER_MS);
    const size = probe(this.search, now);
    if (size === 0) return 0;
    this.mark0 = this.random();
    this.mark1 = this.random();
    Object.assign(packet, { poll: true, final: false, hasMark: true, mark0: this.mark0, mark1: this.mark1 });
    return size;
  }

  /**
   * Takes in a packet with F. One that belongs to a probe says nothing to the session.
   * @returns `none`: it is the session's; `heard`: a probe's; `changed`: a probe's, and what is known has changed
   */
  hear(packet: BfdPacket, isPolling: boolean, now: number): 'none' | 'heard' | 'changed' {
    const { search } = this;
    if (packet.hasMark) {
      if (search.size === 0 || packet.mark0 !== this.mark0 || packet.mark1 !== this.mark1) return 'heard';
      this.repeatsMarks = true;
    } else {
      if (search.size === 0 || this.repeatsMarks) return 'none';
      // Of two polls at once nobody can say which one is answered: the session asks again.
      if (isPolling) return 'heard';
    }
    return answer(search, now) ? 'changed' : 'heard';
  }
}
