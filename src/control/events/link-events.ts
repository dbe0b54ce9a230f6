/**
 * Link events from the difference of two configurations. Pure.
 */

import type { SwitchEvent } from '../../api/api.js';
import type { RawOptions, SwitchConfig } from '../../config/types.js';

type LinkEvent = Extract<SwitchEvent, { event: 'link' }>;

interface Link {
  type: string;
  master?: string;
  isUp: boolean;
  /** All other configured properties, without the ports. */
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
      const changes: LinkEvent['change'][] = isSame ? [] : ['changed'];
      if (old.isUp !== link.isUp) changes.push(link.isUp ? 'up' : 'down');
      return changes.map((change) => event(name, link, change));
    }),
  ];
}

function linksOf(config: SwitchConfig): Map<string, Link> {
  const links = new Map<string, Link>();
  for (const { ports, ...bridge } of config.bridges) {
    links.set(bridge.name, { type: 'bridge', ...stateOf(bridge) });
    for (const port of ports) links.set(port.name, { type: port.type, master: bridge.name, ...stateOf(port) });
  }
  for (const port of config.ports) links.set(port.name, { type: port.type, ...stateOf(port) });
  return links;
}

function stateOf({ up, options, ...rest }: { up: boolean; options: RawOptions }): Pick<Link, 'isUp' | 'facts'> {
  const { up: _, ...others } = options;
  return { isUp: up, facts: JSON.stringify({ ...rest, options: others }) };
}
