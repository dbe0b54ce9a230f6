/** `/v1/routes`: the routes of gateways. */
import { z } from 'zod';
import { said } from './fields.js';

const NEXTHOP = z.object({
  gateway: said(z.string(), 'Address of the router; absent: on the link, or by its MAC.').exactOptional(),
  lladdr: said(z.string(), 'MAC of the router of another host.').exactOptional(),
  dev: said(z.string(), 'The gateway that packets leave by.'),
});

export const ROUTE_ROW = z
  .object({
    type: said(z.enum(['local', 'blackhole']), 'Absent: unicast.').exactOptional(),
    dst: said(z.string(), 'Prefix, or `default`.'),
    vrf: said(z.string(), 'Absent: the default table.').exactOptional(),
    protocol: said(z.string(), '`kernel`: connected; `static`: configured; otherwise its source.'),
    nexthops: z.array(NEXTHOP),
  })
  .meta({ id: 'RouteRow', description: 'One route, in the words of `ip -j route`.' });

export type RouteRow = z.output<typeof ROUTE_ROW>;
