/** Questions to the BGP speaker and orders to it, for the control socket. */
import type { FromSpeaker, SpeakerConfig, ToSpeaker } from '../../evpn/contract.js';
import { ChangeRefused } from '../controls.js';
import type { EvpnAnswer, EvpnOrder, EvpnViews } from '../listings.js';

const ANSWER_MS = 5000;
/** The speaker answers one after the other; a client that asks faster is told so. */
const MOST_WAITING = 64;

type Answer = Extract<FromSpeaker, { tell: 'answer' }>;

interface Asked {
  answered(answer: EvpnAnswer): void;
  failed(reason: string): void;
}

interface Thread {
  readonly isRunning: boolean;
  post(message: ToSpeaker): void;
}

export class SpeakerViews {
  private readonly waiting = new Map<number, Asked>();
  private nextId = 1;

  constructor(private readonly thread: Thread) {}

  /** The speaker with this configuration. */
  of({ asn, routerId, listen }: SpeakerConfig): EvpnViews {
    return {
      ...{ asn, routerId, listen },
      ask: (question) => this.ask(question),
      order: (order) => this.order(order),
    };
  }

  hear({ id, tell: _, ...answer }: Answer): void {
    this.waiting.get(id)?.answered(answer);
  }

  /** The thread has ended: nobody answers any more. */
  fail(): void {
    for (const asked of [...this.waiting.values()]) asked.failed('the BGP speaker has ended; ask again in a moment');
  }

  private ask(question: Extract<ToSpeaker, { do: 'ask' }>['question']): Promise<EvpnAnswer> {
    return new Promise((resolve, reject) => {
      this.expectRunning();
      if (this.waiting.size >= MOST_WAITING)
        throw new ChangeRefused(`the BGP speaker is asked ${MOST_WAITING} things already; ask again`, 'unavailable');
      const id = this.nextId++;
      const end = (): void => {
        clearTimeout(patience);
        this.waiting.delete(id);
      };
      const failed = (reason: string): void => {
        end();
        reject(new ChangeRefused(reason, 'unavailable'));
      };
      const patience = setTimeout(
        () => failed(`the BGP speaker has not answered for ${ANSWER_MS / 1000} s`),
        ANSWER_MS,
      );
      const answered = (answer: EvpnAnswer): void => {
        end();
        resolve(answer);
      };
      this.waiting.set(id, { answered, failed });
      this.thread.post({ do: 'ask', id, question });
    });
  }

  private order(order: EvpnOrder): void {
    this.expectRunning();
    this.thread.post(order);
  }

  private expectRunning(): void {
    if (!this.thread.isRunning)
      throw new ChangeRefused('the BGP speaker has ended; ask again in a moment', 'unavailable');
  }
}
