/** docs/http-api.md as text, from the OpenAPI document. Pure. */

type Json = Record<string, unknown>;

interface Schema extends Json {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  description?: string;
  minimum?: number;
  maximum?: number;
}

interface Content {
  content?: Record<string, { schema: Schema }>;
}

interface Operation {
  summary: string;
  parameters?: { name: string; description?: string; schema: Schema }[];
  requestBody?: Content;
  responses: Record<string, Content>;
}

interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

const HEAD = `# The HTTP API

Made from the schemas in \`src/api\` by \`npm run docs\`; do not edit it by hand.

A running switch serves HTTP over its unix socket (\`control\` in the configuration file, by default
\`/run/overtap/overtap.sock\`), with JSON bodies. \`overtap\` itself is one of its clients. The same description for programs, as OpenAPI 3.1, is at
\`GET /v1/openapi.json\`.

\`\`\`sh
curl --unix-socket /run/overtap/overtap.sock http://switch/v1/fdb?vlan=2
curl --unix-socket /run/overtap/overtap.sock http://switch/v1/fdb -H 'content-type: application/json' \\
  -d '{"op":"append","mac":"00:00:00:00:00:00","dev":"vxlan0","dst":"192.0.2.3"}'
\`\`\`

A change is carried out completely or refused; done without an answer is status 204. Every refusal has a 4xx or 5xx status and the body of
\`ErrorAnswer\`. A body has 1 MiB at most. Keys are in snake_case; only the ends of ranges are as iproute2 writes them (\`vlanEnd\`,
\`tunidEnd\`, \`vidEnd\`).
`;

export function httpApiText(document: unknown): string {
  const { paths, components } = document as OpenApi;
  const parts = [HEAD];
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      parts.push(`## ${method.toUpperCase()} ${path}\n`, `${operation.summary}\n`, ...operationParts(operation));
    }
  }
  parts.push('## Shapes\n');
  for (const [name, schema] of Object.entries(components.schemas)) parts.push(`### ${name}\n`, ...shapeParts(schema));
  return `${parts.join('\n').trimEnd()}\n`;
}

function operationParts({ parameters = [], requestBody, responses }: Operation): string[] {
  const parts: string[] = [];
  if (parameters.length > 0) {
    const rows = parameters.map(({ name, description, schema }) => [
      `\`${name}\``,
      typeText(schema),
      description ?? '',
    ]);
    parts.push(table(['query', 'type', 'meaning'], rows));
  }
  const request = requestBody?.content?.['application/json']?.schema;
  for (const one of request?.oneOf ?? request?.anyOf ?? (request === undefined ? [] : [request]))
    parts.push('Request:\n', ...shapeParts(one));
  const answers = Object.entries(responses).filter(([status]) => status !== 'default');
  for (const [status, { content }] of answers) parts.push(`Answer ${status}: ${contentText(content)}\n`);
  return parts;
}

function contentText(content: Content['content']): string {
  const [type, body] = Object.entries(content ?? {})[0] ?? [];
  if (type === undefined || body === undefined) return 'no body.';
  return type === 'application/json' ? `${typeText(body.schema)}.` : `text of type ${type}.`;
}

function shapeParts(schema: Schema): string[] {
  const description = schema.description === undefined ? [] : [`${schema.description}\n`];
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants !== undefined) return [...description, ...variants.flatMap(shapeParts)];
  if (schema.properties === undefined) return [...description, `${typeText(schema)}\n`];
  const required = new Set(schema.required);
  const rows = Object.entries(schema.properties).map(([name, one]) => [
    `\`${name}\`${required.has(name) ? '' : ' ?'}`,
    typeText(one),
    one.description ?? '',
  ]);
  return [...description, table(['key (? may be absent)', 'type', 'meaning'], rows)];
}

function typeText(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${String(one)}\``).join(', ');
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants !== undefined) return variants.map(typeText).join(' or ');
  if (schema.type === 'array') return `list of ${typeText(schema.items ?? {})}`;
  if (schema.type === 'object') return objectText(schema);
  if (schema.type === undefined) return 'any';
  const { minimum, maximum } = schema;
  const bounded = minimum !== undefined && maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  return bounded ? `${String(schema.type)} ${minimum}-${maximum}` : String(schema.type);
}

function objectText({ properties, additionalProperties }: Schema): string {
  if (properties !== undefined) return `{ ${Object.keys(properties).join(', ')} }`;
  const of = typeof additionalProperties === 'object' ? typeText(additionalProperties) : 'any';
  return `object: text to ${of}`;
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return `${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`;
}
