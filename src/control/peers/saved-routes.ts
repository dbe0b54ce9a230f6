/** Routes of sources for the next process: they hold there until their sources have spoken. */
import { z } from 'zod';
import type { PeerRoute } from './route-contract.js';

export const SAVED_ROUTES = z.array(
  z.object({
    source: z.string(),
    routes: z.array(
      z.object({
        vrf: z.string().exactOptional(),
        prefix: z.string(),
        nexthops: z.array(
          z.object({
            remote: z.string(),
            dstport: z.int().exactOptional(),
            l3vni: z.int(),
            routerMac: z.string(),
          }),
        ),
      }),
    ),
  }),
);
export type SavedRoutes = z.output<typeof SAVED_ROUTES>;

/** @param sources rows by source; those without rows are left out */
export function savedRoutes(sources: Iterable<{ name: string; rows: ReadonlyMap<string, PeerRoute> }>): SavedRoutes {
  return [...sources]
    .filter(({ rows }) => rows.size > 0)
    .map(({ name, rows }) => ({
      source: name,
      routes: [...rows.values()].map(({ nexthops, ...route }) => ({ ...route, nexthops: [...nexthops] })),
    }));
}
