/** `/v1/neigh`: bindings used for ARP and ND suppression, and changes of them. */
import { z } from 'zod';
import { value } from '../values/value.js';
import { anyIp, count, linkName, said } from './fields.js';

export const NEIGH_STATES = ['permanent', 'reachable', 'stale', 'noarp'] as const;

const place = { dev: linkName, vlan: value.vid.exactOptional(), vni: value.vni.exactOptional() };

const put = z.strictObject({
  op: z.enum(['add', 'replace']),
  dst: value.ip,
  lladdr: value.nicMac,
  ...place,
  router: value.flag.exactOptional(),
  state: value.choice(NEIGH_STATES).exactOptional(),
});

const del = z.strictObject({ op: z.literal('del'), dst: anyIp, ...place });

export const NEIGH_REQUEST = z.discriminatedUnion('op', [put, del]);

export type NeighState = (typeof NEIGH_STATES)[number];
export type NeighRequest = z.output<typeof NEIGH_REQUEST>;

export const NEIGH_ROW = z
  .object({
    dst: z.string(),
    lladdr: z.string(),
    vlan: z.int().exactOptional(),
    vni: z.int().exactOptional(),
    ifname: z.string(),
    state: z.enum(NEIGH_STATES),
    router: z.boolean().exactOptional(),
    origin: said(
      z.enum(['manual', 'local', 'tunnel', 'extern_learn']),
      'Configured by hand, learned on a local port, learned through a tunnel, or put in by a source of peers.',
    ).exactOptional(),
    updated: said(count, 'Seconds since it was last seen, or added.').exactOptional(),
  })
  .meta({ id: 'NeighRow', description: 'One binding, as `ip -j neigh` shows it.' });

export type NeighRow = z.output<typeof NEIGH_ROW>;
