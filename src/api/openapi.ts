/**
 * The OpenAPI 3.1 document of the control socket, generated from the tables in `routes.ts`. zod produces the JSON Schemas: the
 * input side for requests, the output side for answers.
 */
import { z } from 'zod';
import { READ_ROUTES, TEXT_ROUTES, WRITE_ROUTES } from './routes.js';
import { ERROR_ANSWER } from './switch.js';

type Json = Record<string, unknown>;

let made: { version: string; document: Json } | undefined;

/** Generated on first use, then cached. @param version of this program */
export function openApiDocument(version: string): Json {
  if (made?.version !== version) made = { version, document: make(version) };
  return made.document;
}

function make(version: string): Json {
  const paths: Record<string, Json> = {};
  const add = (path: string, method: string, operation: Json): void => {
    paths[path] = { ...paths[path], [method]: operation };
  };
  const components: Json = {};
  const answerOf = (schema: z.ZodType): Json => shared(jsonSchema(schema, 'output'), components);
  const refusal = { description: 'Refused; nothing was changed.', content: json(answerOf(ERROR_ANSWER)) };
  const ok = (content: Json): Json => ({ description: 'Done.', content });
  for (const [path, { summary, query, answer }] of Object.entries(READ_ROUTES)) {
    const responses = { 200: ok(json(answerOf(answer))), default: refusal };
    add(path, 'get', { summary, parameters: parametersOf(query), responses });
  }
  for (const [path, { summary, query, type }] of Object.entries(TEXT_ROUTES)) {
    const responses = { 200: ok({ [type]: { schema: { type: 'string' } } }), default: refusal };
    add(path, 'get', { summary, parameters: parametersOf(query), responses });
  }
  for (const [path, { summary, request, answer }] of Object.entries(WRITE_ROUTES)) {
    const done = answer === null ? {} : { 200: ok(json(answerOf(answer))) };
    const plain = answer === null || path === '/v1/fdb' ? { 204: { description: 'Done.' } } : {};
    add(path, 'post', {
      summary,
      requestBody: { required: true, content: json(shared(jsonSchema(request, 'input'), components)) },
      responses: { ...done, ...plain, default: refusal },
    });
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'overtap control socket',
      version,
      description: 'HTTP over a unix socket. Keys are in snake_case; the ends of ranges are as iproute2 writes them.',
      license: { name: 'MIT' },
    },
    paths,
    components: { schemas: components },
  };
}

const json = (schema: Json): Json => ({ 'application/json': { schema } });

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  return z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json;
}

/** Moves definitions into the components of the document, where all schemas share them. */
function shared(schema: Json, components: Json): Json {
  const {
    $schema: _,
    $defs,
    ...own
  } = JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json & { $defs?: Json };
  Object.assign(components, $defs);
  const { id, ...rest } = own as Json & { id?: string };
  if (id === undefined) return rest;
  components[id] = rest;
  return { $ref: `#/components/schemas/${id}` };
}

function parametersOf(query: z.ZodObject): Json[] {
  const { properties = {} } = jsonSchema(query, 'input') as { properties?: Record<string, Json> };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    ...(description === undefined ? {} : { description }),
    schema,
  }));
}
