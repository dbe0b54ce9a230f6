/**
 * Validates requests of the control socket by the schemas of `src/api`: bodies of POST and queries of GET. Each fault names its
 * field. Semantic checks follow in the switch.
 */
import type { z } from 'zod';
import { EVENTS_QUERY, type EventKind } from '../../api/events.js';
import { WRITE_ROUTES, type WritePath, type WriteRoutes } from '../../api/routes.js';
import { formatPath } from '../../config/read/faults.js';
import { nearest } from '../../values/did-you-mean.js';
import { quote } from '../../values/show.js';
import { expected } from '../../values/value.js';
import { HttpRefusal } from './http-refusal.js';

/** Most faults reported for one request. */
const MAX_FAULTS = 8;

type OpSchema = z.ZodObject<{ op: z.ZodEnum | z.ZodLiteral<string> }>;

/** The body of a POST. @throws HttpRefusal 400 that names each invalid field */
export function readRequest<P extends WritePath>(path: P, body: unknown): WriteRoutes[P]['request'] {
  const schema = WRITE_ROUTES[path].request;
  const request = 'options' in schema ? byOp(schema.options, mapping(body)) : checked(schema, mapping(body));
  if (path === '/v1/vlans') checkRanges(request as WriteRoutes['/v1/vlans']['request']);
  return request as WriteRoutes[P]['request'];
}

/** The query of a GET. @throws HttpRefusal 400 that names each invalid key */
export function readQuery<T extends z.ZodObject>(schema: T, query: unknown): z.output<T> {
  return checked(schema, single(query)) as z.output<T>;
}

/** The event kinds of a query; null: all. @throws HttpRefusal 400 */
export function readKinds(query: unknown): ReadonlySet<EventKind> | null {
  const { kinds } = readQuery(EVENTS_QUERY, query);
  return kinds === undefined ? null : new Set(kinds);
}

/** Two ranges map one to one; the message names the missing or wrong end. */
function checkRanges(request: WriteRoutes['/v1/vlans']['request']): void {
  if (request.op === 'mst') return;
  if (request.op === 'vni_add' || request.op === 'vni_del') {
    const { vni, vniEnd = vni } = request;
    if (vniEnd < vni) throw invalid(`vniEnd: ${vniEnd} is before vni ${vni}; give the last VNI of the range`);
    return;
  }
  const { vid, vidEnd = vid } = request;
  if (vidEnd < vid) throw invalid(`vidEnd: ${vidEnd} is before vid ${vid}; give the last VLAN ID of the range`);
  if (request.op === 'set' || request.op === 'global') return;
  const { tunid, tunidEnd } = request;
  if (tunid === undefined) {
    if (tunidEnd !== undefined) throw invalid('tunid: is missing; give the VNI that vid maps to beside tunidEnd');
    return;
  }
  const last = tunidEnd ?? tunid;
  if (last - tunid === vidEnd - vid) return;
  throw invalid(
    `tunidEnd: VLANs ${vid}-${vidEnd} and VNIs ${tunid}-${last} are not equally many; ranges map one to one`,
  );
}

/** A repeated key arrives as a list. It is refused, since the intended value is ambiguous. */
function single(query: unknown): Record<string, unknown> {
  const given = { ...(query as Record<string, unknown>) };
  for (const [key, values] of Object.entries(given)) {
    if (Array.isArray(values)) throw invalid(`${formatPath([key])}: is given ${values.length} times; give it once`);
  }
  return given;
}

// ---- Text of faults ----

const invalid = (message: string): HttpRefusal => new HttpRefusal(400, 'invalid', message);

function mapping(body: unknown): Record<string, unknown> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  throw invalid('the body must be a JSON object with the fields of the request');
}

function byOp(schemas: readonly OpSchema[], fields: Record<string, unknown>): unknown {
  const schema = schemas.find(({ shape }) => shape.op.safeParse(fields.op).success);
  if (schema !== undefined) return checked(schema, fields);
  const known = schemas.flatMap(opsOf).map((name) => `'${name}'`);
  throw invalid(`op: ${expected(`${known.slice(0, -1).join(', ')} or ${known.at(-1)}`)({ input: fields.op })}`);
}

function opsOf({ shape: { op } }: OpSchema): readonly (string | number)[] {
  return 'options' in op ? op.options : [...op.values];
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
