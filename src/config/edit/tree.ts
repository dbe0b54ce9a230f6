/**
 * The live document as a tree: lookup of links, and copy-on-write changes.
 *
 * No function modifies its input; results share unchanged parts. Knows where links are in the document, not what their options
 * mean.
 */
import { unknownBridge, unknownLink } from '../../values/unknown-link.js';

/** The plain value of a configuration file: mappings, lists and scalars, as in JSON. Immutable. */
export type Document = { readonly [key: string]: unknown };

/** Options of a link, or any other mapping of the document. */
export type Mapping = { readonly [key: string]: unknown };

/** An edit is refused; nothing has changed. The message gives the reason and the remedy. */
export class EditRefused extends Error {
  override readonly name = 'EditRefused';

  constructor(
    message: string,
    readonly code: 'not_found' | 'exists' | 'invalid' = 'invalid',
  ) {
    super(message);
  }
}

/** Location of a link. */
export type FoundLink =
  | { kind: 'bridge'; name: string; body: Mapping }
  /** `bridge` is absent for a port without one. */
  | { kind: 'port'; name: string; body: Mapping; bridge?: string };

/** The bridges of a document, in document order. "br1:" without a value is a bridge with all defaults. */
export function bridgesOf(doc: Document): [name: string, body: Mapping][] {
  return Object.entries(asMapping(doc.bridges)).map(([name, body]) => [name, asMapping(body)]);
}

/** The ports of a bridge, or the document's ports without a bridge. */
export function portsOf(parent: Mapping): Mapping {
  return asMapping(parent.ports);
}

/** @returns undefined when no link has this name */
export function findLink(doc: Document, name: string): FoundLink | undefined {
  const unattached = member(portsOf(doc), name);
  if (unattached !== undefined) return { kind: 'port', name, body: asMapping(unattached) };
  for (const [bridge, body] of bridgesOf(doc)) {
    if (bridge === name) return { kind: 'bridge', name, body };
    const port = member(portsOf(body), name);
    if (port !== undefined) return { kind: 'port', name, body: asMapping(port), bridge };
  }
  return undefined;
}

/** @throws EditRefused when it does not exist */
export function getLink(doc: Document, name: string): FoundLink {
  const found = findLink(doc, name);
  if (found === undefined) {
    throw new EditRefused(unknownLink(name), 'not_found');
  }
  return found;
}

/** The bridge with this name. @throws EditRefused when it does not exist */
export function getBridge(doc: Document, name: string): Mapping {
  const found = findLink(doc, name);
  if (found === undefined) {
    throw new EditRefused(unknownBridge(name), 'not_found');
  }
  if (found.kind !== 'bridge') throw new EditRefused(`"${name}" is a port, not a bridge; give the name of a bridge`);
  return found.body;
}

/** The document with a bridge changed or added. */
export function withBridge(doc: Document, name: string, body: Mapping): Document {
  return { ...doc, bridges: withKey(asMapping(doc.bridges), name, body) };
}

export function withoutBridge(doc: Document, name: string): Document {
  return { ...doc, bridges: withoutKey(asMapping(doc.bridges), name) };
}

/** The document with a port changed or added, inside or outside of a bridge. */
export function withPort(doc: Document, bridge: string | undefined, name: string, body: Mapping): Document {
  if (bridge === undefined) return { ...doc, ports: withKey(portsOf(doc), name, body) };
  const parent = getBridge(doc, bridge);
  return withBridge(doc, bridge, { ...parent, ports: withKey(portsOf(parent), name, body) });
}

export function withoutPort(doc: Document, bridge: string | undefined, name: string): Document {
  if (bridge !== undefined) {
    const parent = getBridge(doc, bridge);
    return withBridge(doc, bridge, { ...parent, ports: withoutKey(portsOf(parent), name) });
  }
  const rest = withoutKey(portsOf(doc), name);
  return Object.keys(rest).length > 0 ? { ...doc, ports: rest } : withoutKey(doc, 'ports');
}

/** The document with the body of a link replaced. */
export function withBody(doc: Document, link: FoundLink, body: Mapping): Document {
  return link.kind === 'bridge' ? withBridge(doc, link.name, body) : withPort(doc, link.bridge, link.name, body);
}

export function withKey(mapping: Mapping, key: string, value: unknown): Mapping {
  return { ...mapping, [key]: value };
}

export function withoutKey(mapping: Mapping, ...keys: string[]): Mapping {
  return Object.fromEntries(Object.entries(mapping).filter(([key]) => !keys.includes(key)));
}

/** A mapping unchanged; an empty one for any other value, which the schema refuses. */
export function asMapping(value: unknown): Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Mapping) : {};
}

/** The value of an own key; null is treated as an empty mapping. */
function member(mapping: Mapping, key: string): unknown {
  return Object.hasOwn(mapping, key) ? (mapping[key] ?? null) : undefined;
}
