/**
 * The attributes of an FDB entry: all that says neither where it is nor where its frames go. One list, so that comparisons, files
 * and commands have all of them.
 */
import type { FdbEntryConfig } from '../types.js';

export const ATTRIBUTES = [
  'state',
  'sticky',
  'extern_learn',
  'router',
  'proto',
  'activity_notify',
  'inactive',
] as const satisfies readonly (keyof FdbEntryConfig)[];

export type Attributes = Pick<FdbEntryConfig, (typeof ATTRIBUTES)[number]>;

/** Those of a row of a list of remotes. */
export const PLAIN = { state: 'permanent', sticky: false, extern_learn: false } as const satisfies Attributes;

/** Without those at their defaults, where these are not always said. */
export function attributesOf({ state, sticky, extern_learn, ...more }: Attributes): Attributes {
  return { state, sticky, extern_learn, ...said(more) };
}

function said({ router, proto, activity_notify, inactive }: Partial<Attributes>): Partial<Attributes> {
  return {
    ...(router === true ? { router } : {}),
    ...(proto === undefined || proto === 'unspec' ? {} : { proto }),
    ...(activity_notify === true ? { activity_notify } : {}),
    ...(inactive === true ? { inactive } : {}),
  };
}

/** Those that a request names. */
export function attributesGiven(
  request: { readonly [K in keyof Attributes]?: Attributes[K] | undefined },
): Partial<Attributes> {
  const found = ATTRIBUTES.map((key) => [key, request[key]]).filter(([, value]) => value !== undefined);
  return Object.fromEntries(found) as Partial<Attributes>;
}

/** Words of `fdb add` for attributes, without the state. */
export function attributeWords({
  sticky,
  extern_learn,
  router,
  proto,
  activity_notify,
  inactive,
}: Attributes): string[] {
  return [
    ...(sticky ? ['sticky'] : []),
    ...(extern_learn ? ['extern_learn'] : []),
    ...(router ? ['router'] : []),
    ...(activity_notify ? ['activity_notify'] : []),
    ...(inactive ? ['inactive'] : []),
    ...(proto === undefined || proto === 'unspec' ? [] : ['proto', proto]),
  ];
}

/** The attributes that are not at their defaults, as keys of a file; the state is left out. */
export function attributeKeys({ sticky, extern_learn, ...more }: Attributes): Partial<Attributes> {
  return { ...(sticky ? { sticky } : {}), ...(extern_learn ? { extern_learn } : {}), ...said(more) };
}

/** Comparable text of where an entry leads and what it is like. */
export function factsText(
  entry: Attributes & { vni?: number | null; dst?: string; udpPort?: number; sentVni?: number; nhid?: number },
): string {
  const { vni, dst, udpPort, sentVni, nhid } = entry;
  return JSON.stringify([vni, dst, udpPort, sentVni, nhid, attributesOf(entry)]);
}
