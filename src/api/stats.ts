/** `/v1/stats`: counters. They balance: sum(rx_packets) + replicated = sum(tx_packets) + sum(drops). */
import { z } from 'zod';
import { count, said } from './fields.js';

const traffic = { rx_packets: count, rx_bytes: count, tx_packets: count, tx_bytes: count };
const TRAFFIC = z.object(traffic).meta({ id: 'TrafficCounters', description: 'Inner frames and their bytes.' });
const DROPS = z.record(z.string(), count).meta({ id: 'DropCounters', description: 'Frames by drop reason.' });
const byKey = z.record(z.string(), TRAFFIC);
const VNI_COUNTERS = z
  .object({
    ...traffic,
    rx_drops: said(count, 'Datagrams of the VNI that were dropped.').exactOptional(),
    rx_errors: said(count, 'Likewise, as `ecn_invalid`.').exactOptional(),
    tx_drops: said(count, 'Copies into the VNI that were dropped.').exactOptional(),
    tx_errors: said(count, 'Likewise, as `tx_error`.').exactOptional(),
  })
  .meta({ id: 'VniCounters' });
const byVni = z.record(z.string(), VNI_COUNTERS);
const time = z.string().meta({ description: 'ISO 8601.' });

const LINK_COUNTERS = z
  .object({
    ...traffic,
    rx_dropped: count,
    tx_dropped: count,
    drops: DROPS,
    offloaded: said(TRAFFIC, 'Of these frames, what the kernel has carried (`offloads.flow`).').exactOptional(),
    remotes: said(byKey, "By the remote's address.").exactOptional(),
    vnis: said(byVni, 'By VNI.').exactOptional(),
    vlans: said(byKey, 'By VLAN ID, on a bridge with VLAN filtering.').exactOptional(),
  })
  .meta({ id: 'LinkCounters' });

const UNKNOWN_VTEP = z
  .object({
    address: z.string(),
    port: said(z.string(), 'The vxlan link.'),
    vni: z.int(),
    count,
    first: time,
    last: time,
  })
  .meta({ id: 'UnknownVtep', description: 'An address that is no remote of a port, and the datagrams that it sent.' });

const MAC_MOVES = z
  .object({
    mac: z.string(),
    master: z.string(),
    vlan: z.int().exactOptional(),
    moves: said(count, 'Within one second.'),
    ports: said(z.array(z.string()), 'The ports that it moved between.'),
    last: said(z.string(), 'When that was last reported; ISO 8601.'),
  })
  .meta({ id: 'MacMoves', description: 'A MAC that moves too often.' });

const LOOP = z
  .object({
    port: said(z.string(), 'The blocked port.'),
    with: said(z.string(), 'The other port that the loop goes through; the same where it is behind one port.'),
    master: z.string(),
    vlan: z.int().exactOptional(),
    since: time,
    state: said(z.enum(['blocked', 'gone']), '`gone`: the port is open again.'),
  })
  .meta({ id: 'Loop', description: 'A loop that loop guard has found.' });

const FDB_COUNTERS = z
  .object({
    entries: count,
    learned: count,
    moved: count,
    aged: count,
    refused: count,
    evicted: said(count, 'Learned entries that were replaced by others in a full table.').exactOptional(),
    capacity: said(count, 'Entries that the table can hold.').exactOptional(),
  })
  .meta({ id: 'FdbCounters' });

const CONTROL_COUNTERS = z
  .object({
    log_lost: said(count, 'Lines of the log that could not be written.'),
    connections_refused: said(count, 'Connections to the control socket that were closed at once.'),
    faults: said(z.record(z.string(), count), 'Faults caught in the control thread, by place.'),
  })
  .meta({ id: 'ControlCounters' });

export const STATS_ANSWER = z
  .object({
    unknown_vteps: said(
      z.array(UNKNOWN_VTEP),
      'Senders of datagrams that were dropped as `vtep_unknown`, the latest first; a bounded number.',
    ).exactOptional(),
    mac_moves: said(
      z.array(MAC_MOVES),
      'MACs that moved more often than `mac_move_limit` allows, the latest first.',
    ).exactOptional(),
    loops: said(
      z.array(LOOP),
      'Loops that loop guard has found: those that are there, then the last ones that are gone.',
    ).exactOptional(),
    links: z.record(z.string(), LINK_COUNTERS),
    drops: said(DROPS, 'Summed over the links, as are `remotes` and `vnis`.'),
    remotes: byKey,
    bfd_discarded: said(z.record(z.string(), count), 'BFD packets that were discarded, by reason.').exactOptional(),
    vnis: byVni,
    replicated: said(count, 'Copies that flooding made beyond the first of each frame.'),
    tunnel_gso: said(count, 'TCP superframes that left unsegmented, for the NIC to segment.').exactOptional(),
    retired: z
      .object({ ...traffic, rx_dropped: count.exactOptional(), tx_dropped: count.exactOptional(), drops: DROPS })
      .meta({ description: 'Counters of deleted ports, so that the sums still balance.' }),
    fdb: FDB_COUNTERS,
    control: CONTROL_COUNTERS.exactOptional(),
  })
  .meta({
    id: 'StatsAnswer',
    description: 'The counters balance: sum(rx_packets) + replicated = sum(tx_packets) + sum(drops).',
  });

/** Frames and bytes of the inner frames, since the switch started. */
export type TrafficCounters = z.output<typeof TRAFFIC>;
export type VniCounters = z.output<typeof VNI_COUNTERS>;
export type DropCounters = z.output<typeof DROPS>;
export type LinkCounters = z.output<typeof LINK_COUNTERS>;
export type UnknownVtep = z.output<typeof UNKNOWN_VTEP>;
export type MacMoves = z.output<typeof MAC_MOVES>;
export type LoopFacts = z.output<typeof LOOP>;
export type FdbCounters = z.output<typeof FDB_COUNTERS>;
export type ControlCounters = z.output<typeof CONTROL_COUNTERS>;
export type StatsAnswer = z.output<typeof STATS_ANSWER>;
