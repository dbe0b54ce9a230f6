/** The option `state` of ports, for engines. */
import { OPEN, type PortState, STP_DISCARDING, STP_LEARNING } from '../../dataplane/state/port-states.js';
import type { Port, SwitchModel } from '../model/model.js';
import type { PortClosing } from './port-closing.js';

const STATES: Readonly<Record<Port['config']['state'], PortState>> = {
  disabled: STP_DISCARDING,
  listening: STP_DISCARDING,
  learning: STP_LEARNING,
  forwarding: OPEN,
  blocking: STP_DISCARDING,
};

export class ConfiguredStates {
  /** Ports that are closed, by index. */
  private readonly closed = new Map<number, Port>();

  constructor(
    private readonly model: SwitchModel,
    private readonly closing: PortClosing,
  ) {}

  /** Follows the model after a change, before engines know of it: a port is closed before it is there. */
  follow(): void {
    const { closed, closing, model } = this;
    for (const [index, port] of closed) {
      // One that engines still have, and that is going, stays closed till then.
      if (model.portAt[index] === port && model.ports.get(port.name) !== port) continue;
      if (model.portAt[index] === port && STATES[port.config.state] !== OPEN) continue;
      closed.delete(index);
      closing.setConfigured(index, OPEN);
    }
    for (const port of model.ports.values()) {
      const state = STATES[port.config.state];
      if (state === OPEN) continue;
      closed.set(port.index, port);
      closing.setConfigured(port.index, state);
    }
  }
}
