/**
 * The options of a bridge's VLANs in the live document (`vlan_global`): as `bridge vlan global set` on the kernel's bridge
 * (net/bridge/br_vlan_options.c). The list is kept short: without defaults, and with ranges.
 */
import type { VlanGlobalRequest } from '../../api/api.js';
import { formatRange, readRange, VLAN_ID } from '../../values/id-range.js';
import { Refusal } from '../../values/address.js';
import { bridgeVlanOptions } from '../options/mcast.js';
import { asMapping, type Document, EditRefused, getLink, type Mapping, withBody, withKey, withoutKey } from './tree.js';

/** Sets options of VLANs; others stay. The VLANs need no port yet. @throws EditRefused */
export function setVlanGlobals(doc: Document, request: Omit<VlanGlobalRequest, 'op'>): Document {
  const { dev, vid, vidEnd = vid, options } = request;
  const link = getLink(doc, dev);
  if (link.kind !== 'bridge')
    throw new EditRefused(`${dev} is a port, and these are options of a bridge's VLANs; give the bridge`);
  if (vidEnd < vid) throw new EditRefused(`the range ${vid}-${vidEnd} is reversed; give ${vidEnd}-${vid}`);
  if (Object.keys(options).length === 0)
    throw new EditRefused(`nothing is to be set; give one of ${Object.keys(bridgeVlanOptions).join(', ')}`);
  const vlans = readGlobals(link.body);
  for (let one = vid; one <= vidEnd; one++) {
    const wanted = withoutDefaults({ ...vlans.get(one), ...options });
    if (Object.keys(wanted).length === 0) vlans.delete(one);
    else vlans.set(one, wanted);
  }
  const list = formatGlobals(vlans);
  const body = list.length === 0 ? withoutKey(link.body, 'vlan_global') : withKey(link.body, 'vlan_global', list);
  return withBody(doc, link, body);
}

/** By VID. What is no list, or no VLAN, is left out: the schema has refused it. */
function readGlobals(bridge: Mapping): Map<number, Mapping> {
  const found = new Map<number, Mapping>();
  for (const item of Array.isArray(bridge.vlan_global) ? bridge.vlan_global.map(asMapping) : []) {
    const { vid, ...options } = item;
    const range = typeof vid === 'number' || typeof vid === 'string' ? readRange(vid, VLAN_ID) : undefined;
    if (range === undefined || range instanceof Refusal) continue;
    for (let one = range.first; one <= range.last; one++) found.set(one, options);
  }
  return found;
}

function withoutDefaults(options: Mapping): Mapping {
  const defaults: Readonly<Record<string, { default: unknown }>> = bridgeVlanOptions;
  return Object.fromEntries(Object.entries(options).filter(([key, value]) => value !== defaults[key]?.default));
}

function formatGlobals(vlans: ReadonlyMap<number, Mapping>): Mapping[] {
  const runs: { first: number; last: number; text: string; options: Mapping }[] = [];
  for (const [vid, options] of [...vlans].sort(([one], [other]) => one - other)) {
    const text = JSON.stringify(Object.entries(options).sort());
    const run = runs.at(-1);
    if (run !== undefined && run.last + 1 === vid && run.text === text) run.last = vid;
    else runs.push({ first: vid, last: vid, text, options });
  }
  return runs.map(({ first, last, options }) => ({
    vid: first === last ? first : formatRange({ first, last }),
    ...options,
  }));
}
