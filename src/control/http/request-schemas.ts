/**
 * The requests of the control socket, checked: bodies of POST and queries of GET (`api.ts`). Every field is looked at by
 * itself, and texts come out canonical. Whether what is asked for can be done is the switch's to say.
 */
import { z } from 'zod';
import type {
  ApplyRequest,
  FdbRequest,
  FdbState,
  LinkRequest,
  LogAnswer,
  LogLevel,
  MdbRequest,
  NeighRequest,
  NeighState,
  VlansRequest,
} from '../../api/api.js';
import { formatPath } from '../../config/read/faults.js';
import { canonicalIp, isMulticastIp, splitZone } from '../../values/address.js';
import { nearest } from '../../values/did-you-mean.js';
import { quote } from '../../values/show.js';
import { expected, value } from '../../values/value.js';
import { isLinkLocal } from '../../wire/ip-address.js';
import type { FdbFilter } from '../listings.js';
import { EVENT_KINDS, type EventKind } from './event-stream.js';
import { HttpRefusal } from './http-refusal.js';

/** Characters of a link's shown name: a vxlan port's host port is called `NAME@host`. */
const NAME_MAX = 32;
/** Faults told at once. */
const MAX_FAULTS = 8;

const FDB_STATES = ['dynamic', 'static', 'permanent'] as const satisfies readonly FdbState[];
const NEIGH_STATES = ['permanent', 'reachable', 'stale', 'noarp'] as const satisfies readonly NeighState[];

// ---- single fields ----

const linkName = z
  .string({ error: expected('the name of a link') })
  .min(1, { error: 'is empty; give the name of a link' })
  .max(NAME_MAX, { error: `no link has a name of more than ${NAME_MAX} characters` });

/** Any address, of a group too: for finding and deleting what is there. A zone says nothing that its port does not. */
const anyIp = z.string({ error: expected('an IPv4 or IPv6 address') }).transform((text, context) => {
  const { address, zone } = splitZone(text);
  const ip = canonicalIp(zone !== undefined && isLinkLocal(address.toLowerCase()) ? address : text);
  if (ip !== undefined) return ip.text;
  context.issues.push({
    code: 'custom',
    message: `expected an IPv4 or IPv6 address, found ${quote(text)}`,
    input: text,
  });
  return z.NEVER;
});

const groupIp = anyIp.refine((text) => isMulticastIp(text), {
  error: 'is no multicast address; give one such as 239.1.1.1 or ff05::1',
});

const options = z.record(z.string(), z.unknown(), {
  error: expected("a mapping of options, as in the configuration's file"),
});

const fdbState = value.choice(FDB_STATES);

const stateList = z
  .array(fdbState, { error: expected(`"all" or a list of ${FDB_STATES.join(', ')}`) })
  .min(1, { error: 'is empty; give one state or leave the list out' });

/** A union would say no more than that neither fits. */
const flushStates = z.unknown().transform((input, context) => {
  if (input === 'all') return 'all' as const;
  const { data, error } = stateList.safeParse(input);
  for (const { path, message } of error?.issues ?? []) context.issues.push({ code: 'custom', path, message, input });
  return data ?? z.NEVER;
});

const op = z.string();

// ---- bodies ----

type OpSchemas = Readonly<Record<string, z.ZodObject>>;

const fdbKey = {
  op,
  mac: value.mac,
  dev: linkName,
  vlan: value.vid.exactOptional(),
  vni: value.vni.exactOptional(),
  src_vni: value.vni.exactOptional(),
  port: value.udpPort.exactOptional(),
  via: value.netdev.exactOptional(),
};

const fdbPut = z.strictObject({
  ...fdbKey,
  dst: value.vtepIp.exactOptional(),
  state: fdbState.exactOptional(),
  sticky: value.flag.exactOptional(),
  extern_learn: value.flag.exactOptional(),
});

const vlan = z.strictObject({
  op,
  dev: linkName,
  vid: value.vid,
  vidEnd: value.vid.exactOptional(),
  pvid: value.flag.exactOptional(),
  untagged: value.flag.exactOptional(),
  tunid: value.vni.exactOptional(),
  tunidEnd: value.vni.exactOptional(),
});

const vlanSet = z.strictObject({
  op,
  dev: linkName,
  vid: value.vid,
  vidEnd: value.vid.exactOptional(),
  neigh_suppress: value.flag,
});

const neighPut = z.strictObject({
  op,
  dst: value.ip,
  lladdr: value.nicMac,
  dev: linkName,
  vlan: value.vid.exactOptional(),
  vni: value.vni.exactOptional(),
  router: value.flag.exactOptional(),
  state: value.choice(NEIGH_STATES).exactOptional(),
});

const mdb = z.strictObject({
  op,
  dev: linkName,
  port: linkName,
  grp: groupIp,
  vid: value.vid.exactOptional(),
  dst: value.ip.exactOptional(),
});

const LINK: OpSchemas = {
  add: z.strictObject({
    op,
    name: value.netdev,
    type: value.choice(['bridge', 'tap', 'vxlan']),
    master: linkName.exactOptional(),
    options: options.exactOptional(),
  }),
  del: z.strictObject({ op, name: linkName }),
  set: z.strictObject({
    op,
    name: linkName,
    master: linkName.nullable().exactOptional(),
    options: options.exactOptional(),
  }),
};

const FDB: OpSchemas = {
  add: fdbPut,
  append: fdbPut,
  replace: fdbPut,
  del: z.strictObject({ ...fdbKey, dst: anyIp.exactOptional() }),
  flush: z.strictObject({
    op,
    dev: linkName.exactOptional(),
    br: linkName.exactOptional(),
    vlan: value.vid.exactOptional(),
    vni: value.vni.exactOptional(),
    dst: anyIp.exactOptional(),
    state: flushStates.exactOptional(),
  }),
};

const VLAN: OpSchemas = { add: vlan, del: vlan, set: vlanSet };

const NEIGH: OpSchemas = {
  add: neighPut,
  replace: neighPut,
  del: z.strictObject({
    op,
    dst: anyIp,
    dev: linkName,
    vlan: value.vid.exactOptional(),
    vni: value.vni.exactOptional(),
  }),
};

const MDB: OpSchemas = { add: mdb, del: mdb };

const APPLY = z.strictObject({
  config: z.custom((input) => input !== undefined, { error: 'is missing; give the value of a configuration file' }),
  dryRun: value.flag.exactOptional(),
});

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const satisfies readonly LogLevel[];

const LOG = z.strictObject({ level: value.choice(LOG_LEVELS) });

/** The checks of the bodies, by what they are of. @throws HttpRefusal 400 that names each field at fault */
export const readRequest = {
  link: (body: unknown): LinkRequest => byOp(LINK, body) as LinkRequest,
  fdb: (body: unknown): FdbRequest => byOp(FDB, body) as FdbRequest,
  vlan: (body: unknown): VlansRequest => rangesFit(byOp(VLAN, body) as VlansRequest),
  neigh: (body: unknown): NeighRequest => byOp(NEIGH, body) as NeighRequest,
  mdb: (body: unknown): MdbRequest => byOp(MDB, body) as MdbRequest,
  apply: (body: unknown): ApplyRequest => checked(APPLY, mapping(body)) as ApplyRequest,
  log: (body: unknown): LogAnswer => checked(LOG, mapping(body)) as LogAnswer,
};

/** Two ranges are mapped one to one; which of their ends is missing says nothing else. */
function rangesFit(request: VlansRequest): VlansRequest {
  const { vid, vidEnd = vid } = request;
  if (vidEnd < vid) throw invalid(`vidEnd: ${vidEnd} is before vid ${vid}; give the last VLAN ID of the range`);
  if (request.op === 'set') return request;
  const { tunid, tunidEnd } = request;
  if (tunid === undefined) {
    if (tunidEnd !== undefined) throw invalid('tunid: is missing; give the VNI that vid maps to beside tunidEnd');
    return request;
  }
  const last = tunidEnd ?? tunid;
  if (last - tunid === vidEnd - vid) return request;
  throw invalid(
    `tunidEnd: VLANs ${vid}-${vidEnd} and VNIs ${tunid}-${last} are not equally many; ranges map one to one`,
  );
}

// ---- queries ----

const digits = (schema: z.ZodInt) =>
  z.preprocess((text) => (/^[0-9]{1,9}$/.test(String(text)) ? Number(text) : text), schema);

const words = <T extends string>(known: readonly T[]) =>
  z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(value.choice(known as [T, ...T[]])));

const FDB_QUERY = z.strictObject({
  mac: value.mac.exactOptional(),
  dev: linkName.exactOptional(),
  br: linkName.exactOptional(),
  vlan: digits(value.vid).exactOptional(),
  vni: digits(value.vni).exactOptional(),
  dst: anyIp.exactOptional(),
  state: words(FDB_STATES).exactOptional(),
});

const EVENTS_QUERY = z.strictObject({ kinds: words(EVENT_KINDS).exactOptional() });

const LINKS_QUERY = z.strictObject({ details: value.choice(['0', '1']).exactOptional() });

const NO_QUERY = z.strictObject({});

/** The checks of the queries. @throws HttpRefusal 400 that names each key at fault */
export const readQuery = {
  fdb: (query: unknown): FdbFilter => checked(FDB_QUERY, single(query)) as FdbFilter,
  /** @returns null for all kinds */
  events(query: unknown): ReadonlySet<EventKind> | null {
    const { kinds } = checked(EVENTS_QUERY, single(query)) as { kinds?: EventKind[] };
    return kinds === undefined ? null : new Set(kinds);
  },
  /** @returns whether every option in force is asked for */
  links: (query: unknown): boolean => (checked(LINKS_QUERY, single(query)) as { details?: string }).details === '1',
  none: (query: unknown): void => void checked(NO_QUERY, single(query)),
};

/** A key given twice comes as a list; which one is meant nobody can tell. */
function single(query: unknown): Record<string, unknown> {
  const given = { ...(query as Record<string, unknown>) };
  for (const [key, values] of Object.entries(given)) {
    if (Array.isArray(values)) throw invalid(`${formatPath([key])}: is given ${values.length} times; give it once`);
  }
  return given;
}

// ---- how faults are told ----

const invalid = (message: string): HttpRefusal => new HttpRefusal(400, 'invalid', message);

function mapping(body: unknown): Record<string, unknown> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  throw invalid('the body must be a JSON object with the fields of the request');
}

function byOp(schemas: OpSchemas, body: unknown): unknown {
  const fields = mapping(body);
  const schema = typeof fields.op === 'string' && Object.hasOwn(schemas, fields.op) ? schemas[fields.op] : undefined;
  if (schema !== undefined) return checked(schema, fields);
  const known = Object.keys(schemas).map((name) => `'${name}'`);
  throw invalid(`op: ${expected(`${known.slice(0, -1).join(', ')} or ${known.at(-1)}`)({ input: fields.op })}`);
}

function checked(schema: z.ZodObject, fields: Record<string, unknown>): unknown {
  const result = schema.safeParse(fields);
  if (result.success) return result.data;
  const faults = result.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => unknownField(key, schema))
      : [`${formatPath(issue.path as (string | number)[])}: ${issue.message}`],
  );
  const told = faults.slice(0, MAX_FAULTS).join('; ');
  throw invalid(faults.length > MAX_FAULTS ? `${told}; and ${faults.length - MAX_FAULTS} more` : told);
}

function unknownField(key: string, schema: z.ZodObject): string {
  const known = Object.keys(schema.shape);
  if (known.length === 0) return `${formatPath([key])}: nothing can be asked for here; remove it`;
  const meant = nearest(key, known);
  const hint = meant === undefined ? `this request takes ${known.join(', ')}` : `did you mean ${quote(meant)}?`;
  return `${formatPath([key.slice(0, 60)])}: is not known; ${hint}`;
}
