/**
 * Which links came, went or changed between two configurations, as events. Pure.
 */
import type { SwitchConfig } from '../config/types.js';
import type { SwitchEvent } from './api.js';

type LinkEvent = Extract<SwitchEvent, { event: 'link' }>;

interface Link {
  type: string;
  master?: string;
  /** All that is configured of it, without its ports. */
  facts: string;
}

export function linkChanges(before: SwitchConfig, after: SwitchConfig): LinkEvent[] {
  const had = linksOf(before);
  const has = linksOf(after);
  const event = (ifname: string, { type, master }: Link, change: LinkEvent['change']): LinkEvent => ({
    event: 'link',
    ifname,
    type,
    change,
    ...(master === undefined ? {} : { master }),
  });
  return [
    ...[...had].flatMap(([name, link]) => (has.has(name) ? [] : [event(name, link, 'deleted')])),
    ...[...has].flatMap(([name, link]) => {
      const old = had.get(name);
      if (old === undefined) return [event(name, link, 'added')];
      const isSame = old.type === link.type && old.master === link.master && old.facts === link.facts;
      return isSame ? [] : [event(name, link, 'changed')];
    }),
  ];
}

function linksOf(config: SwitchConfig): Map<string, Link> {
  const links = new Map<string, Link>();
  for (const { ports, ...bridge } of config.bridges) {
    links.set(bridge.name, { type: 'bridge', facts: JSON.stringify(bridge) });
    for (const port of ports)
      links.set(port.name, { type: port.type, master: bridge.name, facts: JSON.stringify(port) });
  }
  for (const port of config.ports) links.set(port.name, { type: port.type, facts: JSON.stringify(port) });
  return links;
}
