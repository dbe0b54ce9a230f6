/**
 * Owns what a switch tells on its event stream while a check listens: a bounded record, and waiting for an event. It never
 * answers one; control-program.ts does.
 */
import type { SwitchEvent } from '../../api/api.js';
import type { SwitchClient } from '../setup/environment.js';
import { LabError } from '../testbed/errors.js';
import { becomesTrue } from '../testbed/wait.js';

/** More than any check waits for. */
const MAX_EVENTS = 10_000;

export type EventKind = SwitchEvent['event'];
/** The event of a kind, with its own fields. */
export type EventOf<K extends EventKind> = Extract<SwitchEvent, { event: K }>;

/** A stream of events that is being read. */
export interface Reading {
  /** Ends it. @throws what ended it before */
  stop(): Promise<void>;
}

/**
 * Reads a switch's events in the background, one after the other: the next when `take` has done with the one before.
 * @returns once the switch has begun to listen
 * @throws what keeps the stream from beginning
 */
export async function readEvents(
  client: SwitchClient,
  kinds: readonly EventKind[],
  take: (event: SwitchEvent) => void | Promise<void>,
): Promise<Reading> {
  const controller = new AbortController();
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reading = (async () => {
    for await (const event of client.events(controller.signal, { kinds, onOpen: open })) await take(event);
  })();
  // It may fail before anybody asks; the one who stops it still gets the failure.
  reading.catch(() => {});
  await Promise.race([opened, reading]);
  return {
    stop: () => {
      controller.abort();
      return reading;
    },
  };
}

export class EventLog {
  readonly events: SwitchEvent[] = [];
  #reading: Reading | null = null;

  private constructor() {}

  /** Begins to record events of these kinds. @returns once what happens from then on is recorded */
  static async open(client: SwitchClient, kinds: readonly EventKind[]): Promise<EventLog> {
    const log = new EventLog();
    log.#reading = await readEvents(client, kinds, (event) => log.#take(event));
    return log;
  }

  /** The events of a kind so far. */
  of<K extends EventKind>(kind: K): EventOf<K>[] {
    return this.events.filter((event): event is EventOf<K> => event.event === kind);
  }

  /** Waits until the record holds what is looked for. @returns false when it does not within the limit */
  sees(condition: () => boolean, signal: AbortSignal, limitMs = 3000): Promise<boolean> {
    return becomesTrue(condition, { limitMs, everyMs: 5, signal });
  }

  /** Ends the record, which stays. @throws what ended the stream before */
  async stop(): Promise<void> {
    await this.#reading?.stop();
    this.#reading = null;
  }

  #take(event: SwitchEvent): void {
    if (this.events.length >= MAX_EVENTS)
      throw new LabError('LAB_TIMEOUT', `more than ${MAX_EVENTS} events, and not the one that was waited for`);
    this.events.push(event);
  }
}
