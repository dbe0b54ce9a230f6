/** `/v1/links`: bridges and ports, and changes of them. */
import { z } from 'zod';
import { LINK_TYPES } from '../config/options/kinds.js';
import { expected, value } from '../values/value.js';
import { linkName, said } from './fields.js';

const options = z
  .record(z.string(), z.unknown(), { error: expected("a mapping of options, as in the configuration's file") })
  .meta({
    description: 'Keys and values of the configuration file. A value of null takes an option back to its default.',
  });

const waits = said(
  value.flag,
  'True: a device, address or namespace that the host lacks is waited for, as at the start. Else the change is refused.',
).exactOptional();

export const LINK_REQUEST = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.literal('add'),
    name: value.netdev,
    type: value.choice(LINK_TYPES),
    master: linkName.exactOptional(),
    options: options.exactOptional(),
    waits,
  }),
  z.strictObject({ op: z.literal('del'), name: linkName }),
  z.strictObject({
    op: z.literal('set'),
    name: linkName,
    master: said(linkName.nullable(), 'A bridge; null takes a port out of its bridge.').exactOptional(),
    options: options.exactOptional(),
    waits,
  }),
]);

export type LinkRequest = z.output<typeof LINK_REQUEST>;
export type LinkOptions = Record<string, unknown>;

export const LINKS_QUERY = z.strictObject({
  details: said(
    value.choice(['0', '1']),
    '`1`: every option in force, defaults among them; else those that were configured.',
  ).exactOptional(),
});

const PEER_SOURCE = z.object({
  source: said(z.string(), 'Such as `dns vtep.example.net`, `file /etc/overtap/peers.yaml`, `etcd /overtap/fabric1`.'),
  state: said(
    z.enum(['starting', 'ok', 'failed', 'lapsed']),
    '`failed`: it does not speak, or nonsense, and what it said before stays. `lapsed`: that was taken back after `peers_grace`.',
  ),
  remotes: z.int(),
  macs: z.int(),
  bindings: z.int(),
  spoke: said(z.iso.datetime(), 'When it last said something that was understood.').exactOptional(),
  fault: z.string().exactOptional(),
});

export type PeerSourceRow = z.output<typeof PEER_SOURCE>;

/** One link, in the shape of `ip -j link`; further keys are the configured options of the link. */
export const LINK_ROW = z
  .looseObject({
    ifname: z.string(),
    type: z.string(),
    master: said(z.string(), 'The bridge that a port belongs to.').exactOptional(),
    operstate: z.enum(['UP', 'DOWN']),
    mtu: z.int(),
    address: said(z.string(), "The link's MAC address.").exactOptional(),
    nic: said(
      z.string(),
      "The NIC's name where that is not the link's: as the file has it, or as its owner has renamed it.",
    ).exactOptional(),
    nic_netns: said(z.string(), 'The namespace that the NIC was moved to, by name, or `net:[number]`.').exactOptional(),
    connections: said(z.int(), 'Of a qemu port: peers that were connected so far.').exactOptional(),
    framing_errors: said(
      z.int(),
      'Of a qemu port: peers that were cut off because they sent a length that no frame has.',
    ).exactOptional(),
    refused_peers: said(
      z.int(),
      'Of a qemu port that listens: peers that were sent away because another one was connected.',
    ).exactOptional(),
    rx_missed: said(
      z.int(),
      'Of a netdev port: frames that the kernel had no room for, since the engines did not read them in time.',
    ).exactOptional(),
    mcast_n_groups: said(z.int(), 'Entries of the port in the multicast database, with `details`.').exactOptional(),
    bfd_remotes: said(
      z.array(
        z.object({
          address: z.string(),
          state: said(
            z.enum(['unknown', 'up', 'down']),
            '`down`: it was up, and is dead. `unknown`: it has not been up, or has closed the session on purpose.',
          ),
          session: z.enum(['admin_down', 'down', 'init', 'up']).exactOptional(),
          remote_session: z.enum(['admin_down', 'down', 'init', 'up']).exactOptional(),
          diag: said(z.int(), 'Why the session is not up, as of RFC 5880 section 4.1.').exactOptional(),
          discriminator: z.int().exactOptional(),
          remote_discriminator: z.int().exactOptional(),
          interval: said(z.int(), 'Milliseconds between two sent packets.').exactOptional(),
          detection_time: said(
            z.int(),
            'Milliseconds without a packet after which the remote is dead; 0: nothing was heard.',
          ).exactOptional(),
          ups: z.int().exactOptional(),
          flaps: said(
            z.int(),
            'How often its session has lately gone down; one is forgotten in each minute without another.',
          ).exactOptional(),
          damped: said(
            z.int(),
            'Since the session alternates between up and down: milliseconds for which it has to stay up before the remote is used again.',
          ).exactOptional(),
          rx_packets: z.int().exactOptional(),
          tx_packets: z.int().exactOptional(),
          path_mtu: said(
            z.int(),
            'Bytes of the longest outer IP packet that probes have found to pass; absent: not known.',
          ).exactOptional(),
          path_mtu_search: said(
            z.enum(['disabled', 'base', 'searching', 'complete', 'error']),
            'State of the search, as of RFC 8899 section 5.2; with `path_mtu_probes`.',
          ).exactOptional(),
          probes_sent: z.int().exactOptional(),
          probes_lost: z.int().exactOptional(),
          black_holes: said(z.int(), 'How often long packets were suddenly lost.').exactOptional(),
        }),
      ),
      'Of a port with `bfd`: its remotes, and their sessions.',
    ).exactOptional(),
    loop_with: said(z.string(), 'Of a port that loop guard blocks: the other port of the loop.').exactOptional(),
    loop_vlan: said(z.int(), 'The VLAN of that loop.').exactOptional(),
    state: said(
      z.enum(['disabled', 'blocking', 'listening', 'learning', 'forwarding']),
      'Of a port in a spanning tree: its state, as the kernel has it. Of others: that of the option, when it is given or with `details`.',
    ).exactOptional(),
    role: said(
      z.enum(['disabled', 'root', 'designated', 'alternate', 'backup']),
      'Of such a port: its role. With `details=1` there are `port_id`, `port_no`, `root_id`, `designated_bridge`, `designated_port`, `designated_cost`, `oper_edge`, `protocol`, `rx_bpdu`, `tx_bpdu` and `bpdu_skipped` too.',
    ).exactOptional(),
    closed_by: said(z.literal('bpdu_guard'), 'Why such a port is disabled though it is up.').exactOptional(),
    bridge_id: said(
      z.string(),
      'Of a bridge with `stp_state`: priority and MAC, as `8000.02:00:00:00:00:01`. With `details=1` there are `topology_change`, `since_topology_change` (seconds) and the times of the root too.',
    ).exactOptional(),
    root_id: said(z.string(), 'The root of its tree.').exactOptional(),
    root_port: said(z.string(), 'The port that leads to the root; `none` at the root.').exactOptional(),
    root_path_cost: said(z.int(), 'Sum of the path costs to the root.').exactOptional(),
    peer_sources: said(
      z.array(PEER_SOURCE),
      'Of a tunnel port, with `details`: where its peers come from, beside the configuration.',
    ).exactOptional(),
    topology_changes: said(z.int(), 'How often the topology has changed since the tree began.').exactOptional(),
    fault: said(z.string(), 'Why a port is DOWN though it is set up: its device, address or routes.').exactOptional(),
  })
  .meta({ id: 'LinkRow', description: "A link. The further keys are the link's options as configured." });

export type LinkRow = z.output<typeof LINK_ROW>;
