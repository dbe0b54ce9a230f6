/** The event for a port's transition between up and down. */
import type { SwitchEvent } from '../../api/api.js';
import type { Port } from '../model/model.js';

export function linkEvent(port: Port, change: 'up' | 'down'): SwitchEvent {
  const master = port.bridge === null ? {} : { master: port.bridge.name };
  return { event: 'link', ifname: port.name, type: port.kind, change, ...master };
}
