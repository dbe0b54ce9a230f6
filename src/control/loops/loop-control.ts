/**
 * Loop guard of a running switch: its clock, and what it does to engines, log and events. The protocol logic is in `loop-guard.ts`.
 */
import type { SwitchEvent } from '../../api/api.js';
import { fidOf } from '../../dataplane/state/fid.js';
import type { Punt } from '../../dataplane/state/punt-ring.js';
import type { OwnFrame } from '../../dataplane/send.js';
import { FLAGS_SET, type FdbMatch } from '../../fdb/table.js';
import { every } from '../guard.js';
import type { Port, SwitchModel } from '../model/model.js';
import { GUARD_TICK_MS, type Loop, LoopGuard } from './loop-guard.js';
import type { PortClosing } from './port-closing.js';

/** Loops that were ended, as far as they are remembered. */
const MOST_GONE = 16;

export interface LoopParts {
  model: SwitchModel;
  closing: PortClosing;
  send(frames: readonly OwnFrame[]): void;
  /** Floods of the switch since its start. */
  floods(): number;
  /** Removes entries of the FDB, between two changes. */
  flush(matches: readonly FdbMatch[]): void;
  tell(event: SwitchEvent): void;
  /** For the log. @param isThere false: the port is open again */
  say(loop: Loop, isThere: boolean): void;
  /** A monotonic clock in milliseconds; absent: the process's. With one, the owner calls `tick`. */
  now?: () => number;
  random?: () => number;
}

export class LoopControl {
  private readonly guard: LoopGuard;
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly ended: Loop[] = [];

  constructor(private readonly parts: LoopParts) {
    const { closing, model, send, floods, flush } = parts;
    this.guard = new LoopGuard({
      model,
      closing,
      send,
      floods,
      forget: (port, bridge, vid) =>
        flush([
          { owner: port.index, flagsMask: FLAGS_SET },
          { fid: fidOf(bridge.index, vid), flagsMask: FLAGS_SET },
        ]),
      found: (loop) => this.report(loop, true),
      gone: (loop) => this.report(loop, false),
      now: parts.now ?? (() => performance.now()),
      random: parts.random ?? Math.random,
    });
    if (parts.now === undefined) this.timer = every('loop guard', GUARD_TICK_MS, () => this.tick());
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Called every GUARD_TICK_MS. */
  tick(): void {
    this.guard.tick();
  }

  /** A MAC has moved between two ports of a bridge, given by index. */
  moved(bridge: number, vid: number, ports: readonly number[]): void {
    this.guard.moved(bridge, vid, ports);
  }

  /** A probe that has come back. */
  hear(punt: Punt): void {
    this.guard.hear(punt);
  }

  /** Loops that are there, each with its blocked port. */
  loops(): Loop[] {
    return this.guard.loops();
  }

  /** Loops that are not there any more, the latest first. */
  endedLoops(): Loop[] {
    return [...this.ended].reverse();
  }

  /** The loop that blocks a port. */
  loopOf(port: Port): Loop | undefined {
    return this.guard.loops().find((loop) => loop.port === port.name);
  }

  /** Goes on from the switch before this one. */
  restore(loops: readonly Loop[]): void {
    this.guard.restore(loops);
  }

  private report(loop: Loop, isThere: boolean): void {
    if (!isThere && this.ended.push(loop) > MOST_GONE) this.ended.shift();
    const { bridge, port, with: other, vid } = loop;
    const vlan = vid === 0 ? {} : { vlan: vid };
    this.parts.tell({
      event: 'loop',
      ifname: port,
      master: bridge,
      with: other,
      ...vlan,
      change: isThere ? 'found' : 'gone',
    });
    this.parts.say(loop, isThere);
  }
}
