/**
 * Sends echo requests and reports the outcome of each: reply, too big, unreachable, refused locally, or timeout.
 * It owns the sockets and the pending requests, whose number is bounded; `path-probe.ts` decides how many to send, and the
 * judges interpret the answers.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { type EchoNews, encodeEcho, readNews, TOKEN_BYTES } from './echo.js';
import type { IcmpSocket, OpenIcmp } from './icmp-socket.js';

/** Destination and source of an echo request. */
export interface Path {
  readonly family: 4 | 6;
  readonly remote: string;
  /** Required over IPv6. */
  readonly source?: string;
  readonly dev?: string;
}

export type Answer =
  | { kind: 'reply'; ms: number }
  /** Reported by a router; `mtu` is 0 if it is not included. */
  | { kind: 'too-big'; mtu: number; from: string }
  | { kind: 'unreachable'; code: number; from: string }
  /** The packet exceeds the MTU of this host's own interface. */
  | { kind: 'too-long-here' }
  /** The kernel refused to send it, for another reason. */
  | { kind: 'refused'; words: string }
  | { kind: 'silent' };

interface Waiting {
  readonly sentAt: number;
  readonly path: Path;
  settle(answer: Answer): void;
}

/** Maximum pending requests: below the range of the sequence number, so that pending ones are unique. */
const MOST_WAITING = 60_000;

export class Pinger {
  private readonly identifier = randomInt(0x10000);
  private readonly token = randomBytes(TOKEN_BYTES);
  private readonly sockets = new Map<string, Promise<IcmpSocket>>();
  private readonly waiting = new Map<number, Waiting>();
  private sequence = 0;

  constructor(private readonly openIcmp: OpenIcmp) {}

  /**
   * @param size of the IP packet, in bytes
   * @throws IcmpUnavailable
   */
  async ping(path: Path, size: number, timeoutMs: number): Promise<Answer> {
    const socket = await this.socketOf(path);
    if (this.waiting.size >= MOST_WAITING) return { kind: 'refused', words: 'too many requests are under way' };
    const sequence = this.freeSequence();
    const packet = encodeEcho({
      family: path.family,
      source: path.source ?? '0.0.0.0',
      destination: path.remote,
      identifier: this.identifier,
      sequence,
      token: this.token,
      size,
    });
    return await new Promise((resolve) => {
      const timer = setTimeout(() => settle({ kind: 'silent' }), timeoutMs);
      const settle = (answer: Answer): void => {
        clearTimeout(timer);
        this.waiting.delete(sequence);
        resolve(answer);
      };
      this.waiting.set(sequence, { sentAt: performance.now(), path, settle });
      socket.send(packet, zoned(path), (words) => {
        settle(/too long/i.test(words) ? { kind: 'too-long-here' } : { kind: 'refused', words });
      });
    });
  }

  /** Closes the sockets; pending requests end by their timeouts. */
  async close(): Promise<void> {
    for (const socket of this.sockets.values())
      await socket.then(
        (open) => open.close(),
        () => undefined,
      );
    this.sockets.clear();
  }

  private socketOf({ family, dev }: Path): Promise<IcmpSocket> {
    const key = `${family} ${dev ?? ''}`;
    let socket = this.sockets.get(key);
    if (socket === undefined) {
      const place = dev === undefined ? { family } : { family, dev };
      socket = this.openIcmp(place, (packet, from) => this.take(readNews(family, packet), from));
      this.sockets.set(key, socket);
    }
    return socket;
  }

  private freeSequence(): number {
    do this.sequence = (this.sequence + 1) & 0xffff;
    while (this.waiting.has(this.sequence));
    return this.sequence;
  }

  private take(news: EchoNews | null, from: string): void {
    if (news === null || news.identifier !== this.identifier) return;
    const request = this.waiting.get(news.sequence);
    if (request === undefined) return;
    if (news.kind === 'reply') {
      // Another program may have the same identifier.
      if (!this.token.equals(news.token)) return;
      request.settle({ kind: 'reply', ms: performance.now() - request.sentAt });
    } else if (news.kind === 'too-big') {
      request.settle({ kind: 'too-big', mtu: news.mtu, from });
    } else {
      request.settle({ kind: 'unreachable', code: news.code, from });
    }
  }
}

/** Adds the zone to a link-local address, which is valid on one link only. */
export function zoned({ remote, dev }: { remote: string; dev?: string }): string {
  return dev !== undefined && /^fe[89ab]/i.test(remote) ? `${remote}%${dev}` : remote;
}
