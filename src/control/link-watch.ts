/**
 * Watches what others do to the NICs of TAP ports: `ip link set eth0 down` in a guest, and up again. Looked at once a
 * second while somebody listens to events; a device that has gone is told of by the engines.
 */
import { tapState } from '../port/tap.js';
import type { SwitchEvent } from './api.js';
import type { SwitchModel, TapPort } from './model.js';

const POLL_MS = 1000;

export interface LinkWatchParts {
  model: SwitchModel;
  /** Whether anybody listens. */
  isHeard(): boolean;
  tell(event: SwitchEvent): void;
  /** The state of a NIC; null: it has gone. */
  stateOf?(port: TapPort): { up: boolean } | null;
}

export class LinkWatch {
  private readonly timer: NodeJS.Timeout;
  private states = new Map<TapPort, boolean>();

  constructor(private readonly parts: LinkWatchParts) {
    this.timer = setInterval(() => this.look(), POLL_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Tells of each NIC that has gone up or down since the last look. */
  look(): void {
    const { model, isHeard, tell, stateOf = nicState } = this.parts;
    if (!isHeard()) {
      this.states.clear();
      return;
    }
    const before = this.states;
    this.states = new Map();
    for (const port of model.ports.values()) {
      if (port.kind !== 'tap' || model.lost.has(port.index)) continue;
      const isUp = stateOf(port)?.up === true;
      this.states.set(port, isUp);
      if ((before.get(port) ?? isUp) === isUp) continue;
      const master = port.bridge === null ? {} : { master: port.bridge.name };
      tell({ event: 'link', ifname: port.name, type: 'tap', change: isUp ? 'up' : 'down', ...master });
    }
  }
}

function nicState({ tap, config }: TapPort): { up: boolean } | null {
  return tapState(tap.ifname, config.netns);
}
