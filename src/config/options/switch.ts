/** The keys at the top of the file. */
import { mapping, value } from '../../values/value.js';
import { defaultsOf, option, required } from './option.js';

export const offloadOptions = {
  tso: option({
    value: value.flag,
    default: true,
    doc: 'Guests hand over TCP, and UDP where the kernel can, unsegmented. Needs `vnet_header`.',
  }),
  udp_segment: option({
    value: value.flag,
    default: true,
    doc: 'Segments of a flow leave in one call (UDP_SEGMENT).',
  }),
  tunnel_gso: option({
    value: value.flagOrAuto,
    default: 'auto',
    doc: 'TCP leaves unsegmented where the NIC segments UDP tunnels. Such frames bypass the `output` and `postrouting` hooks of the host firewall and IPsec, so `auto` does without while rules or policies are there, and without `tso` or `udp_segment`; `true` uses it all the same.',
  }),
  udp_gro: option({
    value: value.flag,
    default: true,
    doc: 'Segments of a flow arrive in one piece (UDP_GRO).',
  }),
  vnet_header: option({
    value: value.flag,
    default: true,
    doc: 'TAPs carry a virtio-net header. Without it guests have no offloads.',
  }),
};

export const switchOptions = {
  name: option({
    value: value.switchName,
    otherwise: "the host's name",
    change: 'restart',
    doc: 'Name of the switch in the log and in metrics. Derived MAC addresses depend on it.',
  }),
  control: option({
    value: value.socketPath,
    default: '/run/overtap/overtap.sock',
    change: 'next start',
    doc: 'Path of the control socket. Its owner may use it, and others as `control_group` and `control_mode` say.',
  }),
  control_group: option({
    value: value.group,
    otherwise: 'that of the process',
    change: 'next start',
    doc: 'Group of the control socket. With a group `control_mode` defaults to `0660`. Its members control the switch, and thereby the network of the host.',
  }),
  control_mode: option({
    value: value.socketMode,
    otherwise: '`0600`; `0660` with `control_group`',
    change: 'next start',
    doc: 'Mode of the control socket: `0600` for its owner only, `0660` for the group too, `0666` for every user of the host.',
  }),
  metrics: option({
    value: value.listenAddress,
    otherwise: 'none',
    change: 'next start',
    doc: 'Address and TCP port of an HTTP server that answers `GET /metrics` only, for Prometheus. It knows no password: give an address that only the right hosts reach. `[::]:9477` is every address of the host.',
  }),
  workers: option({
    value: value.workers,
    default: 1,
    change: 'restart',
    doc: 'Engine threads. Each has a queue of every TAP and a receiving socket of every vxlan port.',
  }),
  busy_poll: option({
    value: value.microseconds,
    default: 50,
    change: 'restart',
    doc: 'Microseconds that an engine looks for frames before it sleeps. 0 saves CPU and costs latency.',
  }),
  offloads: option({
    value: mapping('offloads to true or false'),
    default: defaultsOf(offloadOptions),
    fields: offloadOptions,
    otherwise: 'all that the kernel has',
    change: 'restart',
    doc: 'What the switch may use. Each is tried at start; what the kernel lacks is logged and done without.',
  }),
  fdb_size: option({
    value: value.fdbSize,
    default: 65_536,
    change: 'restart',
    doc: 'Most FDB entries of the switch. When the table is full, the oldest learned entry of the port with the most entries is replaced.',
  }),
};

export const switchLists = {
  bridges: required({ value: mapping('bridge names to bridges; {} for none'), doc: 'Bridges by their names.' }),
  ports: option({
    value: mapping('port names to ports').nullable(),
    otherwise: 'none',
    doc: 'Ports that belong to no bridge: their devices are there, and their frames are dropped as `port_down`.',
  }),
};
