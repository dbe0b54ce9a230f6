/**
 * The live document as a tree: finding links in it, and writing a changed one beside the old.
 *
 * Every function leaves its input as it is and shares what did not change. It knows where links stand and nothing of
 * what their options mean.
 */

/** The plain value of a configuration file: mappings, lists and scalars, as JSON has them. Never changed in place. */
export type Document = { readonly [key: string]: unknown };

/** Options of a link, or any other mapping of the document. */
export type Mapping = { readonly [key: string]: unknown };

/** An edit cannot be made, and nothing was changed. The message says why and what to do. */
export class EditRefused extends Error {
  override readonly name = 'EditRefused';

  constructor(
    message: string,
    readonly code: 'not_found' | 'exists' | 'invalid' = 'invalid',
  ) {
    super(message);
  }
}

/** Where a link stands. */
export type FoundLink =
  | { kind: 'bridge'; name: string; body: Mapping }
  /** `bridge` is absent for a port that belongs to none. */
  | { kind: 'port'; name: string; body: Mapping; bridge?: string };

/** The bridges of a document, in its order. "br1:" with nothing after it is a bridge with every default. */
export function bridgesOf(doc: Document): [name: string, body: Mapping][] {
  return Object.entries(asMapping(doc.bridges)).map(([name, body]) => [name, asMapping(body)]);
}

/** Ports of a bridge, or of the whole document for those that belong to none. */
export function portsOf(parent: Mapping): Mapping {
  return asMapping(parent.ports);
}

/** @returns undefined when no link has that name */
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

/** @throws EditRefused when there is none */
export function getLink(doc: Document, name: string): FoundLink {
  const found = findLink(doc, name);
  if (found === undefined) {
    throw new EditRefused(`there is no link ${text(name)}; "link show" lists those that there are`, 'not_found');
  }
  return found;
}

/** The bridge of that name. @throws EditRefused when there is none */
export function getBridge(doc: Document, name: string): Mapping {
  const found = findLink(doc, name);
  if (found === undefined) {
    throw new EditRefused(`there is no bridge ${text(name)}; add it first, or give the name of another`, 'not_found');
  }
  if (found.kind !== 'bridge') throw new EditRefused(`${name} is a port, no bridge; give the name of a bridge`);
  return found.body;
}

/** The document with a bridge changed or added. */
export function withBridge(doc: Document, name: string, body: Mapping): Document {
  return { ...doc, bridges: withKey(asMapping(doc.bridges), name, body) };
}

export function withoutBridge(doc: Document, name: string): Document {
  return { ...doc, bridges: withoutKey(asMapping(doc.bridges), name) };
}

/** The document with a port changed or added, in a bridge or outside of all. */
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

/** The document with the link's body replaced, wherever it stands. */
export function withBody(doc: Document, link: FoundLink, body: Mapping): Document {
  return link.kind === 'bridge' ? withBridge(doc, link.name, body) : withPort(doc, link.bridge, link.name, body);
}

export function withKey(mapping: Mapping, key: string, value: unknown): Mapping {
  return { ...mapping, [key]: value };
}

export function withoutKey(mapping: Mapping, ...keys: string[]): Mapping {
  return Object.fromEntries(Object.entries(mapping).filter(([key]) => !keys.includes(key)));
}

/** A mapping as it is; an empty one for anything else, which the schema refuses by itself. */
export function asMapping(value: unknown): Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Mapping) : {};
}

/** A key's value, nothing inherited; null stands for a mapping with nothing in it. */
function member(mapping: Mapping, key: string): unknown {
  return Object.hasOwn(mapping, key) ? (mapping[key] ?? null) : undefined;
}

/** A name as a message shows it: shortened, with control characters made visible. */
function text(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}...` : name);
}
