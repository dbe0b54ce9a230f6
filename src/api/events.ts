/** `/v1/events`: the event stream. Each event is sent as `event: KIND` and `data: JSON`. */
import { z } from 'zod';
import { FDB_STATES, words } from './fdb.js';
import { count, said } from './fields.js';

const entry = {
  mac: z.string(),
  ifname: z.string(),
  master: z.string(),
  vlan: z.int().exactOptional(),
  vni: z.int().exactOptional(),
  dst: z.string().exactOptional(),
  nhid: z.int().exactOptional(),
  state: z.enum(FDB_STATES),
  activity_notify: z.literal(true).exactOptional(),
  inactive: z.literal(true).exactOptional(),
  locked: said(z.literal(true), 'Learned on a port with `mab`: the MAC waits for its authentication.').exactOptional(),
};
const ENTRY = z.object(entry);

const place = { ifname: z.string(), vlan: z.int().exactOptional(), vni: z.int().exactOptional() };

export const SWITCH_EVENT = z
  .discriminatedUnion('event', [
    z.object({ event: z.enum(['learned', 'aged', 'deleted', 'added', 'changed']), ...entry }),
    z.object({
      event: z.literal('moved'),
      from: z.object({ ifname: z.string(), dst: z.string().exactOptional() }),
      ...entry,
    }),
    z
      .object({
        event: z.literal('mac_moves'),
        mac: z.string(),
        master: z.string(),
        vlan: z.int().exactOptional(),
        moves: count,
        ports: z.array(z.string()),
      })
      .meta({
        description:
          "A MAC moves more often than the bridge's `mac_move_limit`; reported once until it is quiet again.",
      }),
    z
      .object({
        event: z.literal('vtep_unknown'),
        ifname: z.string(),
        address: z.string(),
        vni: z.int(),
        count,
        first: z.string(),
        last: z.string(),
      })
      .meta({
        description: 'Datagrams are dropped: their source is no remote of the port. Reported at a limited rate.',
      }),
    z.object({ event: z.literal('l2miss'), mac: z.string(), ...place }),
    z.object({ event: z.literal('l3miss'), dst: z.string(), ...place }),
    z.object({ event: z.literal('neigh_conflict'), dst: z.string(), lladdr: z.array(z.string()), ...place }).meta({
      description: 'Several MACs claim one address; the binding stays `lladdr[0]` until the dispute is over.',
    }),
    z.object({
      event: z.literal('link'),
      ifname: z.string(),
      type: z.string(),
      change: z.enum(['added', 'deleted', 'changed', 'up', 'down']),
      master: z.string().exactOptional(),
    }),
    z
      .object({
        event: z.literal('loop'),
        ifname: z.string(),
        master: z.string(),
        with: z.string(),
        vlan: z.int().exactOptional(),
        change: z.enum(['found', 'gone']),
      })
      .meta({ description: 'Loop guard has blocked the port `ifname`, or has opened it again.' }),
    z
      .object({
        event: z.literal('stp'),
        ifname: z.string(),
        master: z.string(),
        change: z.enum(['state', 'bpdu_guard', 'topology_change']),
        state: z.enum(['disabled', 'blocking', 'listening', 'learning', 'forwarding']).exactOptional(),
        role: z.enum(['disabled', 'root', 'designated', 'alternate', 'backup']).exactOptional(),
      })
      .meta({
        description:
          'A port has another state in the spanning tree of its bridge, a BPDU has closed it (`bpdu_guard`), or it tells of a change of the topology.',
      }),
    z
      .object({
        event: z.literal('evpn'),
        change: z.enum(['neighbor_up', 'neighbor_down', 'routes_near_limit', 'routes_refused', 'duplicate_mac']),
        neighbor: z.string().exactOptional(),
        reason: said(
          z.string(),
          'Why the session has ended; of refused routes, `attributes`: not `max_routes` is reached, but the memory for their attributes.',
        ).exactOptional(),
        routes: count.exactOptional(),
        limit: count.exactOptional(),
        vni: z.int().exactOptional(),
        mac: z.string().exactOptional(),
        vteps: said(z.array(z.string()), 'Both VTEPs that claim the MAC.').exactOptional(),
      })
      .meta({ description: 'A BGP session, a limit of routes, or a MAC that moves between VTEPs too often.' }),
    z.object({
      event: z.literal('mdb'),
      change: z.enum(['added', 'deleted']),
      dev: z.string(),
      port: z.string(),
      grp: z.string(),
      vid: z.int().exactOptional(),
      dst: z.string().exactOptional(),
      src: said(z.string(), 'Of an entry of a tunnel for one source.').exactOptional(),
      src_vni: said(z.int(), 'Of an entry of a tunnel with several VNIs.').exactOptional(),
    }),
    z
      .object({
        event: z.literal('peers'),
        ifname: z.string(),
        source: z.string(),
        change: z.enum(['failed', 'recovered']),
        reason: z.string().exactOptional(),
      })
      .meta({ description: 'A source of peers of a port fails, or works again. Reported at a limited rate.' }),
    z
      .object({
        event: z.literal('remote'),
        ifname: z.string(),
        address: z.string(),
        state: z.enum(['unknown', 'up', 'down']),
        diag: z.int(),
      })
      .meta({
        description:
          'The BFD session with a remote has come up or gone down; `unknown`: the remote has closed it on purpose. `diag` is the diagnostic of RFC 5880.',
      }),
    z
      .object({
        event: z.literal('path_mtu'),
        ifname: z.string(),
        address: z.string(),
        mtu: said(count, 'Bytes of the outer IP packet; 0: not known.'),
        search: z.enum(['disabled', 'base', 'searching', 'complete', 'error']),
      })
      .meta({ description: 'Probes have found another path MTU to a remote, or their search has ended (RFC 8899).' }),
    z
      .object({ event: z.literal('lost'), count: said(count, 'Number of lost events.') })
      .meta({ description: 'The reader was too slow, or changes came too fast.' }),
  ])
  .meta({ id: 'SwitchEvent' });

export type SwitchEvent = z.output<typeof SWITCH_EVENT>;
export type EventKind = SwitchEvent['event'];
/** The entry that an FDB event reports. */
export type EventEntry = z.output<typeof ENTRY>;

/** All event kinds. */
export const EVENT_KINDS = SWITCH_EVENT.options.flatMap(({ shape: { event } }) =>
  event instanceof z.ZodEnum ? event.options : [...event.values],
) as [EventKind, ...EventKind[]];

export const EVENTS_QUERY = z.strictObject({ kinds: words(EVENT_KINDS).exactOptional() });
