/**
 * The reference of the configuration file, made from the rows of its options: docs/configuration.md for people, and
 * docs/configuration.schema.json for editors. `npm run docs` writes both; a test holds that they are up to date.
 */
import { z } from 'zod';
import { bridgeLists, bridgeOptions, bridgePorts } from '../../src/config/options/bridge.js';
import { cniOptions, dockerOptions } from '../../src/config/options/containers.js';
import {
  evpnDuplicateOptions,
  evpnNeighborOptions,
  evpnOptions,
  evpnVniOptions,
} from '../../src/config/options/evpn.js';
import { fdbOptions, mdbOptions, neighOptions } from '../../src/config/options/entries.js';
import { PORT_KINDS, PORT_TYPES, type PortType } from '../../src/config/options/kinds.js';
import { nicOptions } from '../../src/config/options/nic.js';
import type { Row, Rows } from '../../src/config/options/option.js';
import { deviceOptions, portLists, portOptions, stormLimitOptions } from '../../src/config/options/port.js';
import { portRows } from '../../src/config/options/schema.js';
import { etcdOptions, offloadOptions, switchLists, switchOptions } from '../../src/config/options/switch.js';
import { vlanGlobalOptions } from '../../src/config/options/mcast.js';
import { vlanOptions } from '../../src/config/options/vlan.js';
import type { Word } from '../../src/config/options/word.js';

export interface Section {
  title: string;
  /** Above the table. */
  text: string;
  example: string;
  rows: Rows;
}

export const SECTIONS: readonly Section[] = [
  {
    title: 'The switch',
    text: 'The keys at the top of the file. Only `bridges` is required.',
    example: `
name: host1
workers: 2
bridges:
  br1: {}`,
    rows: { ...switchOptions, ...switchLists },
  },
  {
    title: 'offloads',
    text: 'What the switch may use of the kernel, read once at start. `false` switches an offload off.',
    example: `
offloads: { tunnel_gso: false }`,
    rows: offloadOptions,
  },
  {
    title: 'etcd',
    text: 'How the switch speaks to the etcd of `peers_etcd` ([peers.md](peers.md#etcd)). A change begins all of these sources anew; what they have said stays meanwhile.',
    example: `
etcd: { user: overtap, password_file: /etc/overtap/etcd.password, ttl: 30 }`,
    rows: etcdOptions,
  },
  {
    title: 'docker',
    text: 'The network driver for Docker, read once at start ([containers.md](containers.md)).',
    example: `
docker: { bridge: br1 }`,
    rows: dockerOptions,
  },
  {
    title: 'cni',
    text: 'The CNI plugin, read once at start ([containers.md](containers.md#cni)).',
    example: `
cni: { bridge: br1 }`,
    rows: cniOptions,
  },
  {
    title: 'evpn',
    text: 'The BGP speaker for EVPN ([evpn.md](evpn.md)). A changed neighbour ends its own session only.',
    example: `
evpn:
  asn: 65000
  neighbors: [{ address: 192.0.2.254 }]`,
    rows: evpnOptions,
  },
  {
    title: 'evpn.neighbors',
    text: 'Items of `neighbors` of `evpn`.',
    example: `
evpn:
  asn: 65000
  neighbors: [{ address: 192.0.2.254, password_file: /etc/overtap/bgp.password }]`,
    rows: evpnNeighborOptions,
  },
  {
    title: 'evpn.vnis',
    text: 'Items of `vnis` of `evpn`.',
    example: `
evpn:
  asn: 65000
  vnis: [{ vni: 10010, import: ["65000:10010", "65001:10010"] }]`,
    rows: evpnVniOptions,
  },
  {
    title: 'evpn.duplicates',
    text: 'The limits of `duplicates` of `evpn`.',
    example: `
evpn:
  asn: 65000
  duplicates: { moves: 5, seconds: 180, hold: 600 }`,
    rows: evpnDuplicateOptions,
  },
  {
    title: 'A bridge',
    text: 'The keys of a bridge, under its name. `br1:` with nothing behind it is a bridge with every default.',
    example: `
bridges:
  br1:
    vlan_filtering: true
    host_port: true
    addresses: [192.0.2.10/24]
    ports: {}`,
    rows: { ...bridgeOptions, ...bridgeLists, ...bridgePorts },
  },
  {
    title: 'Any port',
    text:
      'The keys of a port of any type, under its name: in the `ports` of a bridge, or in those of the switch. A port that ' +
      'leaves its bridge takes `up` along; all else of this table goes back to its default, as in the kernel (a vxlan port ' +
      'also keeps `learning` and its flood list).',
    example: `
ports:
  tap0:
    type: tap
    isolated: true
    storm_limit: { broadcast: 1000 }
    vlans: [{ vid: 2, pvid: true, untagged: true }]`,
    rows: { ...deviceOptions, ...portOptions, ...portLists },
  },
  {
    title: 'storm_limit',
    text: 'Limits of a port, in frames a second. 0: no limit of its own.',
    example: `
storm_limit: { broadcast: 1000, unknown_unicast: 5000 }`,
    rows: stormLimitOptions,
  },
  {
    title: 'A NIC',
    text:
      'The NIC of a TAP or TUN port. A bridge and a vxlan port take these keys too, with `host_port: true`; they are those of the ' +
      'host port.',
    example: `
tap0:
  type: tap
  mac: 02:00:00:00:02:01
  addresses: [100.0.1.2/24, "2001:db8::2/64"]`,
    rows: nicOptions,
  },
  ...PORT_TYPES.map((type): Section => {
    const { doc, example, options, lists } = PORT_KINDS[type];
    return { title: `A ${type} port`, text: doc, example, rows: { ...options, ...lists } };
  }),
  {
    title: 'vlans',
    text: 'Items of `vlans`: the VLANs that a port, or the host port of a bridge, is a member of. The list replaces the default.',
    example: `
vlans:
  - { vid: 2, pvid: true, untagged: true }
  - { vid: 100-199 }`,
    rows: vlanOptions,
  },
  {
    title: 'fdb',
    text: 'Items of `fdb`: entries of the forwarding database, of a port or of a bridge itself.',
    example: `
fdb:
  - { mac: 02:00:00:00:09:01, vni: 2, dst: 192.0.2.2 }
  - { mac: 00:00:00:00:00:00, dst: 192.0.2.3 }`,
    rows: fdbOptions,
  },
  {
    title: 'neigh',
    text: 'Items of `neigh`: bindings of an address to a MAC behind a vxlan port. ARP and ND suppression answers from them.',
    example: `
neigh: [{ dst: 198.18.0.3, lladdr: "02:00:00:00:00:03", vlan: 4 }]`,
    rows: neighOptions,
  },
  {
    title: 'mdb',
    text: 'Items of `mdb`: permanent members of multicast groups of a bridge.',
    example: `
mdb: [{ port: tap0, grp: 239.1.1.1, vid: 2 }]`,
    rows: mdbOptions,
  },
  {
    title: 'vlan_global',
    text: 'Items of `vlan_global`: how VLANs of a bridge with `mcast_vlan_snooping` snoop. A VLAN that is not there has the defaults.',
    example: `
mcast_vlan_snooping: true
vlan_global: [{ vid: 2, mcast_querier: true, mcast_igmp_version: 3 }]`,
    rows: vlanGlobalOptions,
  },
];

const HEAD = `# The configuration file

<!-- Made by "npm run docs" from src/config/options. Edit the rows there, not this file. -->

YAML 1.2, so JSON too. Keys carry iproute2's names. Unknown keys are errors. \`overtap check -c FILE\` reports all faults of a
file at once, each with line and column.

Editors that know the YAML language server check and complete the file with the JSON Schema beside this page:

\`\`\`yaml
# yaml-language-server: $schema=./configuration.schema.json
bridges: {}
\`\`\`

The path is that of [\`configuration.schema.json\`](configuration.schema.json), relative to the file or as a URL. The schema knows keys and
types; rules across values are checked by \`overtap check\`.

In the tables below:

- **Words** are what \`overtap link add\` and \`link set\` take for the key; \`default WORD\` takes it back to its default.
- **Change** is what a changed value does to a running switch. *live*: it takes effect at once, and other ports lose no frame.
  *new port*: the port is closed and opened again. *restart*: the change is refused; stop the switch and start it again.
  *next start*: the change is accepted and takes effect at the next start.
`;

/** docs/configuration.md. */
export function referenceText(): string {
  return `${[HEAD, ...SECTIONS.map(sectionText)].join('\n')}`;
}

export function sectionText({ title, text, example, rows }: Section): string {
  const hasWords = Object.values(rows).some(({ words }) => words.length > 0);
  const hasChange = hasWords || Object.values(rows).some(({ change }) => change !== 'live');
  const columns = [
    'Key',
    'Value',
    'Default',
    ...(hasWords ? ['Words'] : []),
    ...(hasChange ? ['Change'] : []),
    'Meaning',
  ];
  const lines = Object.entries(rows).map(([key, row]) => [
    `\`${key}\``,
    valueText(row.value),
    row.required ? '(required)' : defaultText(row),
    ...(hasWords ? [row.words.map((word) => wordText(key, word)).join(', ')] : []),
    ...(hasChange ? [row.change] : []),
    row.doc,
  ]);
  const table = [columns, columns.map(() => '---'), ...lines].map((cells) => `| ${cells.map(cell).join(' | ')} |`);
  return [`## ${title}`, '', text, '', '```yaml', example.trim(), '```', '', ...table, ''].join('\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** In the words of the error messages. */
export function valueText(value: z.ZodType): string {
  const message = value.safeParse(undefined).error?.issues[0]?.message ?? '';
  return message.replace(/^is missing; give /, '');
}

export function defaultText({ otherwise, default: value }: Row): string {
  if (otherwise !== undefined) return otherwise;
  return `\`${JSON.stringify(value).replaceAll('"', '').replaceAll(',', ', ')}\``;
}

export function wordText(key: string, { word = key, kind, value }: Word): string {
  if (kind.form === 'flag') return `\`[no]${word}\``;
  if (kind.form === 'state') return `\`${word}\`, \`${kind.no}\``;
  return `\`${word} ${value}\``;
}

export type Json = { readonly [key: string]: unknown };

/** docs/configuration.schema.json. */
export function schemaText(): string {
  const port = {
    type: 'object',
    required: ['type'],
    oneOf: PORT_TYPES.map(portSchema),
  };
  const ports = { type: ['object', 'null'], additionalProperties: { $ref: '#/$defs/port' } };
  const bridge = objectSchema({ ...bridgeOptions, ...bridgeLists, ...nicOptions, ...bridgePorts }, { ports });
  const bridges = { type: 'object', additionalProperties: { $ref: '#/$defs/bridge' } };
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'The configuration of an overtap switch',
    ...objectSchema({ ...switchOptions, ...switchLists }, { bridges, ports }),
    $defs: { bridge: { ...bridge, type: ['object', 'null'] }, port },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function portSchema(type: PortType): Json {
  return objectSchema(portRows(type), {}, { type: { const: type } });
}

/** The schema of a mapping. @param inside what stands in place of a key's own schema @param first properties that no row has */
export function objectSchema(rows: Rows, inside: Json = {}, first: Json = {}): Json {
  const properties = Object.entries(rows).map(([key, row]) => [key, rowSchema(row, inside[key] as Json | undefined)]);
  const required = Object.keys(rows).filter((key) => rows[key]?.required === true);
  return {
    type: 'object',
    properties: { ...first, ...Object.fromEntries(properties) },
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

function rowSchema({ value, default: initial, fields, items, doc }: Row, inside: Json | undefined): Json {
  const description = { description: doc.replaceAll('`', '') };
  if (inside !== undefined) return { ...inside, ...description };
  if (fields !== undefined) return { ...objectSchema(fields), ...description };
  return {
    ...plainSchema(value),
    ...(items === undefined ? {} : { items: items instanceof z.ZodType ? plainSchema(items) : objectSchema(items) }),
    ...(initial === undefined ? {} : { default: initial }),
    ...description,
  };
}

function plainSchema(value: z.ZodType): Json {
  const { $schema: _, ...schema } = z.toJSONSchema(value, { io: 'input' });
  return schema;
}
