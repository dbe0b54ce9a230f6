/** Reading a switch's event stream during a check, and a bounded record of events to wait on. */
import type { SwitchEvent } from '../../api/api.js';
import type { SwitchClient } from '../setup/environment.js';
import { LabError } from '../testbed/errors.js';
import { becomesTrue } from '../testbed/wait.js';

/** More than any check needs. */
const MAX_EVENTS = 10_000;

export type EventKind = SwitchEvent['event'];
/** The event type of a kind, with its fields. */
export type EventOf<K extends EventKind> = Extract<SwitchEvent, { event: K }>;

/** An open event stream. */
export interface Reading {
  /** Closes the stream. @throws the error that broke it before */
  stop(): Promise<void>;
}

/**
 * Reads a switch's events in the background. `take` gets the next event when it has finished the previous one.
 * @returns when the switch has accepted the stream
 * @throws when the switch cannot be reached or refuses the stream
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
  // Not an unhandled rejection: `stop` reports the failure.
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

  /** Starts to record events of these kinds. @returns when every later event will be recorded */
  static async open(client: SwitchClient, kinds: readonly EventKind[]): Promise<EventLog> {
    const log = new EventLog();
    log.#reading = await readEvents(client, kinds, (event) => log.#take(event));
    return log;
  }

  /** The recorded events of a kind. */
  of<K extends EventKind>(kind: K): EventOf<K>[] {
    return this.events.filter((event): event is EventOf<K> => event.event === kind);
  }

  /** Waits until a condition on the record holds. @returns false when the limit is over first */
  sees(condition: () => boolean, signal: AbortSignal, limitMs = 3000): Promise<boolean> {
    return becomesTrue(condition, { limitMs, everyMs: 5, signal });
  }

  /** Ends recording; the record stays. @throws the error that broke the stream before */
  async stop(): Promise<void> {
    await this.#reading?.stop();
    this.#reading = null;
  }

  #take(event: SwitchEvent): void {
    if (this.events.length >= MAX_EVENTS)
      throw new LabError('LAB_TIMEOUT', `more than ${MAX_EVENTS} events without the expected one`);
    this.events.push(event);
  }
}
