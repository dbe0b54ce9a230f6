/**
 * Own routes to one neighbour. The outbox of the RIB is a cursor over them, so nothing is queued for a slow neighbour: the next ones are
 * taken when the connection has room.
 */
import { encodeEndOfRib, UpdateEncoder } from '../../wire/bgp/update-encode.js';
import type { SessionFormat } from '../../wire/bgp/session.js';
import type { PathAttributes } from '../../wire/bgp/route.js';
import type { Outbox } from '../rib/contract.js';

/** Routes that are encoded at once: some messages. */
const BATCH_ROUTES = 256;
/** Batches in one turn of the event loop. */
const BATCHES_A_TURN = 8;
const LOCAL_PREFERENCE = 100;

/** The connection, as far as routes are concerned. */
export interface RouteWire {
  readonly hasRoom: boolean;
  sendBytes(message: Uint8Array): void;
}

export class Sending {
  private readonly encoder: UpdateEncoder;
  /** By identity, as the RIB keeps one object for equal attributes. */
  private readonly adapted = new WeakMap<PathAttributes, PathAttributes>();
  /** End-of-RIB is due when the neighbour has everything. */
  private owesEnd = true;
  /** So is the end of an answer to a refresh. */
  private owesRefreshEnd = false;
  messages = 0;

  constructor(
    private readonly wire: RouteWire,
    private readonly outbox: Outbox,
    private readonly own: { asn: number },
    private readonly format: SessionFormat,
  ) {
    this.encoder = new UpdateEncoder(format);
  }

  /** Sends everything once more. @param isMarked its end is told (RFC 7313) */
  again(isMarked: boolean): void {
    this.outbox.again();
    this.owesRefreshEnd ||= isMarked;
  }

  /**
   * Sends what there is, as far as there is room.
   * @param mayEnd whether own routes are complete, so that their end may be told
   * @returns `more`: goes on in the next turn; `full`: when there is room; `refresh-ends`: all is sent, and the mark is due
   */
  run(mayEnd: boolean): 'done' | 'more' | 'full' | 'waits' | 'refresh-ends' {
    for (let batch = 0; batch < BATCHES_A_TURN; batch++) {
      if (!this.wire.hasRoom) return 'full';
      const next = this.outbox.next(BATCH_ROUTES);
      if (next === null) return this.end(mayEnd);
      const messages =
        'withdrawn' in next
          ? this.encoder.withdraw(next.withdrawn)
          : this.encoder.announce(next.routes, this.adapt(next.attributes));
      for (const message of messages) this.say(message);
    }
    return 'more';
  }

  private end(mayEnd: boolean): 'done' | 'waits' | 'refresh-ends' {
    if (this.owesRefreshEnd) {
      this.owesRefreshEnd = false;
      return 'refresh-ends';
    }
    if (!this.owesEnd) return 'done';
    if (!mayEnd) return 'waits';
    this.owesEnd = false;
    this.say(encodeEndOfRib());
    return 'done';
  }

  private say(message: Uint8Array): void {
    this.messages++;
    this.wire.sendBytes(message);
  }

  /** Our AS number to other ones, a local preference within ours (RFC 4271 section 5.1). */
  private adapt(attributes: PathAttributes): PathAttributes {
    let adapted = this.adapted.get(attributes);
    if (adapted === undefined) {
      adapted = this.format.isInternal
        ? { ...attributes, localPref: attributes.localPref ?? LOCAL_PREFERENCE }
        : { ...attributes, asPath: [{ kind: 'sequence', asns: [this.own.asn] }, ...attributes.asPath] };
      this.adapted.set(attributes, adapted);
    }
    return adapted;
  }
}
