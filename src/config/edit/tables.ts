/**
 * Conversion between the tables of bindings and multicast groups and the live document. At run time the tables hold these
 * entries, not the document.
 */
import type { GroupConfig, NeighConfig, TableConfig } from '../types.js';
import { asMapping, bridgesOf, type Document, type Mapping, portsOf, withBridge, withKey, withoutKey } from './tree.js';

/** The document without bindings and groups. */
export function withoutTables(document: Document): Document {
  let out = document;
  for (const [name, body] of bridgesOf(document)) {
    const ports = Object.entries(portsOf(body));
    const isBare =
      !('mdb' in body) && ports.every(([, port]) => !('neigh' in asMapping(port)) && !('mdb' in asMapping(port)));
    if (isBare) continue;
    const bare = ports.map(([port, one]): [string, Mapping] => [
      port,
      withoutKey(withoutKey(asMapping(one), 'neigh'), 'mdb'),
    ]);
    out = withBridge(out, name, withKey(withoutKey(body, 'mdb'), 'ports', Object.fromEntries(bare)));
  }
  return out;
}

/** The document completed with the bindings and groups of the tables. */
export function withTables(document: Document, { neigh, mdb }: TableConfig): Document {
  let out = document;
  for (const [name, body] of bridgesOf(document)) {
    const groups = groupsOf(mdb, name);
    const ports = Object.entries(portsOf(body)).map(([port, one]): [string, unknown] => {
      const bindings = neigh.filter(({ dev }) => dev === port).map(bindingText);
      const own = groupsOf(mdb, port).map((group) => withoutKey(group, 'port'));
      const bound = bindings.length === 0 ? one : withKey(asMapping(one), 'neigh', bindings);
      return [port, own.length === 0 ? bound : withKey(asMapping(bound), 'mdb', own)];
    });
    const isBare = groups.length === 0 && ![...neigh, ...mdb].some(({ dev }) => ports.some(([port]) => port === dev));
    if (isBare) continue;
    const full = ports.length === 0 ? body : withKey(body, 'ports', Object.fromEntries(ports));
    out = withBridge(out, name, groups.length === 0 ? full : withKey(full, 'mdb', groups));
  }
  return out;
}

/** Entries of a bridge, or of a tunnel. */
function groupsOf(mdb: readonly GroupConfig[], name: string): Mapping[] {
  return mdb.filter(({ dev }) => dev === name).map(({ dev: _, ...group }): Mapping => group);
}

function bindingText({ vid, dst, lladdr, router }: NeighConfig): Mapping {
  return { dst, lladdr, ...(vid === 0 ? {} : { vlan: vid }), ...(router ? { router } : {}) };
}
