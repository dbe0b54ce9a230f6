/**
 * What one process leaves to the next one, as JSON: the plan, which the new process prepares itself by while the former one still
 * forwards, and the state at the moment when that stands still. Large tables are words instead (`fdb/transfer.ts`, `tables.ts`).
 *
 * Links, remotes and VLANs have their names here, since the new process assigns indexes of its own. Only shapes: the values pass
 * through the rules of a configuration or the checks of the tables.
 */
import { z } from 'zod';
import { PROTOCOLS } from '../../config/options/nexthop.js';
import type { TableConfig } from '../../config/types.js';
import { SAVED_PEERS } from '../peers/saved.js';
import { SAVED_ROUTES } from '../peers/saved-routes.js';
import { PROTOCOL } from './frames.js';

const INDEX = z.int().min(0).max(1_048_576);
const COUNT = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const WORD = z.int().min(-2_147_483_648).max(4_294_967_295);
const UNSIGNED = z.int().min(0).max(0xffff_ffff);
const ADDRESS = z.tuple([WORD, WORD, WORD, WORD]);

const ENTRY = z.strictObject({
  mac: z.string(),
  port: z.string(),
  vlan: z.int(),
  vni: z.int().nullable().exactOptional(),
  dst: z.string().exactOptional(),
  udpPort: z.int().exactOptional(),
  sentVni: z.int().exactOptional(),
  nhid: z.int().exactOptional(),
  state: z.enum(['static', 'permanent', 'dynamic']),
  sticky: z.boolean(),
  extern_learn: z.boolean(),
  // Versions that had none do not say them.
  router: z.boolean().exactOptional(),
  proto: z.enum(PROTOCOLS).exactOptional(),
  activity_notify: z.boolean().exactOptional(),
  inactive: z.boolean().exactOptional(),
});

const OFFLOADS = z.object({
  vnet_header: z.boolean(),
  tso: z.boolean(),
  udp_segment: z.boolean(),
  tunnel_gso: z.union([z.boolean(), z.literal('auto')]),
  udp_gro: z.boolean(),
  // Versions that had none do not say them.
  packet_ring: z.boolean().default(false),
  io_uring: z.union([z.boolean(), z.literal('auto')]).default(false),
  flow: z.enum(['off', 'auto']).default('off'),
});

export const PLAN = z.object({
  protocol: z.literal(PROTOCOL),
  name: z.string(),
  /** The live document, without entries that were added by command and without bindings and groups. */
  document: z.record(z.string(), z.unknown()),
  /** All configured FDB entries, those added by command among them. */
  entries: z.array(ENTRY),
  tables: z.custom<TableConfig>(
    (value) => typeof value === 'object' && value !== null && 'neigh' in value && 'mdb' in value,
  ),
  /** Rows and routes of sources of peers. Versions that had none do not say them. */
  peers: SAVED_PEERS.default([]),
  routes: SAVED_ROUTES.default([]),
  /** What is in use, out of what is configured: descriptors are as they were opened. */
  mode: z.object({ offloads: OFFLOADS, workers: z.int().min(1).max(64) }),
  /** By name: the device's facts and its number of descriptors, which come in this order; or why there is none. */
  ports: z.array(
    z.tuple([
      z.string(),
      z.union([
        z.strictObject({
          facts: z.unknown(),
          fds: z.int().min(0).max(4096),
          absent: z.string().exactOptional(),
        }),
        z.strictObject({ absent: z.string() }),
      ]),
    ]),
  ),
  logLevel: z.string(),
});
export type Plan = z.output<typeof PLAN>;

/** The meaning of the former process's indexes. */
export const NAMES = z.object({
  bridges: z.array(z.tuple([INDEX, z.string()])),
  ports: z.array(z.tuple([INDEX, z.string()])),
  remotes: z.array(
    z.object({
      index: INDEX,
      port: z.string(),
      address: z.string(),
      udpPort: z.int().min(1).max(65_535),
      /** The VNI of all frames to it, where it has one of its own. */
      vni: z.int().exactOptional(),
      /** Of a learned VTEP: ticks since its last datagram. */
      heard: z.int().min(0).exactOptional(),
    }),
  ),
  /** Nexthop groups on their ports, as destinations have them. */
  groups: z.array(z.object({ index: INDEX, port: z.string(), nhid: z.int() })).default([]),
});
export type Names = z.output<typeof NAMES>;

const TRAFFIC = z.object({ rx_packets: COUNT, rx_bytes: COUNT, tx_packets: COUNT, tx_bytes: COUNT });
const LOSSES = z.object({ rx_drops: COUNT, rx_errors: COUNT, tx_drops: COUNT, tx_errors: COUNT });
const DROPS = z.record(z.string(), COUNT);
const ACCOUNT = z.object({ traffic: TRAFFIC, rx: DROPS, tx: DROPS, offloaded: TRAFFIC.exactOptional() });

export const COUNTS = z.object({
  ports: z.array(z.tuple([z.string(), ACCOUNT])),
  retired: ACCOUNT,
  replicated: COUNT,
  tunnelled: COUNT,
  /** By the former process's index. */
  remotes: z.array(z.tuple([INDEX, TRAFFIC])),
  vnis: z.array(z.tuple([z.int(), TRAFFIC])),
  /** By VNI. Older processes give none. */
  losses: z.array(z.tuple([z.int(), LOSSES])).default([]),
  vlans: z.array(z.tuple([z.string(), z.int(), TRAFFIC])),
  /** Of the FDB; see COUNTER_*. */
  fdb: z.array(COUNT),
});
export type Counts = z.output<typeof COUNTS>;

const PLACES = z.array(z.tuple([z.int(), z.number()]));
const FILTERS = z.array(
  z.object({
    place: z.int(),
    left: z.number(),
    isExclude: z.boolean(),
    sources: z.array(z.object({ address: ADDRESS, left: z.number() })),
  }),
);

/** 31 bits that wrap. */
const CLOCK = z.int().min(0).max(0x7fffffff);
const LEVEL = z.int().min(-0x40000000).max(0x7fffffff);

export const LIMITS = z.object({
  /** The tick up to which the storm buckets were filled. */
  filled: CLOCK,
  /** Port, kind, units in the bucket. */
  storm: z.array(z.tuple([INDEX, z.int().min(0).max(2), LEVEL])),
  /** Of each engine: source (`floodSource`), sends taken, and the millisecond as of which. */
  floods: z.array(z.array(z.tuple([INDEX, LEVEL, CLOCK]))),
});
export type Limits = z.output<typeof LIMITS>;

export const STATE = z.object({
  counts: COUNTS,
  /** Absent: the former process is of a version that does not say. */
  limits: LIMITS.exactOptional(),
  /** See HeardVlan. */
  groups: z.array(
    z.object({
      bridge: INDEX,
      vid: z.int().min(0).max(4095),
      // Versions without source filters do not say them, nor what the switch's own querier has got to.
      groups: z.array(z.object({ address: ADDRESS, members: PLACES, filters: FILTERS.exactOptional() })),
      routers: PLACES,
      queriers: z.array(
        z.object({ family: z.literal([4, 6]), source: ADDRESS, left: z.number(), settled: z.number() }),
      ),
      own: z.array(z.object({ family: z.literal([4, 6]), settled: z.number() })).exactOptional(),
    }),
  ),
  /** Ports that loop guard blocks, by names. Versions that had no loop guard do not say them. */
  loops: z
    .array(z.object({ bridge: z.string(), port: z.string(), with: z.string(), vid: z.int(), since: z.number() }))
    .default([]),
  /** Spanning trees. Versions that had none do not say them. */
  trees: z
    .array(
      z.object({
        bridge: z.string(),
        id: z.string(),
        isRapid: z.boolean(),
        ports: z.array(
          z.object({
            port: z.string(),
            number: z.int().min(1).max(1023),
            isGuarded: z.boolean(),
            kept: z.record(z.string(), z.unknown()),
          }),
        ),
      }),
    )
    .default([]),
  /** BFD sessions. Versions that had none do not say them. */
  remotes: z
    .array(
      z.object({
        key: z.string(),
        state: z.enum(['unknown', 'up', 'down']),
        session: z.object({
          ...{ my: UNSIGNED, your: UNSIGNED, remoteDesiredTx: UNSIGNED, remoteMinRx: UNSIGNED },
          ...{ state: z.literal([0, 1, 2, 3]), remoteState: z.literal([0, 1, 2, 3]) },
          diag: z.int().min(0).max(31),
          remoteMult: z.int().min(1).max(255),
          pathMtu: z.int().min(0).max(65_535).default(0),
          flaps: z.int().min(0).max(255).default(0),
          damped: z.int().min(0).max(3_600_000).default(0),
        }),
      }),
    )
    .default([]),
  /** CLOCK_MONOTONIC in milliseconds, when the former process was told to stand still. */
  heldAt: z.number(),
});
export type State = z.output<typeof STATE>;
