/** The keys at the top of the file. */
import { mapping, value } from '../../values/value.js';
import { cniOptions, dockerOptions } from './containers.js';
import { evpnOptions } from './evpn.js';
import { nexthopOptions } from './nexthop.js';
import { choiceOption, defaultsOf, option, required } from './option.js';

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
  packet_ring: option({
    value: value.flag,
    default: true,
    doc: 'Attached interfaces (`type: netdev`) deliver frames by memory that is shared with the kernel, without system calls; 2 MiB for each of them and each engine.',
  }),
  io_uring: option({
    value: value.flagOrAuto,
    default: 'auto',
    doc: 'Several frames move from and to TAPs with one system call (io_uring, Linux 6.4), and datagrams of many flows leave with one. Many hosts do not allow it: `auto` does without, `true` also warns.',
  }),
  flow: choiceOption(['off', 'auto'], {
    default: 'off',
    doc: 'Known flows between attached interfaces (`type: netdev`), and between them and plain tunnels, are carried by programs in the kernel, as the switch has decided them (Linux 6.6). `auto` does so where that is allowed.',
  }),
  vnet_header: option({
    value: value.flag,
    default: true,
    doc: 'TAPs carry a virtio-net header. Without it guests have no offloads.',
  }),
};

export const etcdOptions = {
  user: option({
    value: value.etcdUser,
    otherwise: 'none',
    doc: 'User, where etcd asks for one; with `password_file`.',
  }),
  password_file: option({
    value: value.filePath,
    otherwise: 'none',
    doc: 'File with the password of `user`, in its first line. It is read whenever the switch logs in.',
  }),
  ca: option({
    value: value.filePath,
    otherwise: 'those of Node.js',
    doc: 'Certificates of authorities, as PEM, that the certificate of an `https` endpoint is checked against.',
  }),
  cert: option({ value: value.filePath, otherwise: 'none', doc: "The switch's own certificate, as PEM; with `key`." }),
  key: option({ value: value.filePath, otherwise: 'none', doc: 'The key of `cert`, as PEM.' }),
  ttl: option({
    value: value.leaseSeconds,
    default: 15,
    doc: 'Seconds after which the others forget a host that does not speak any more: the time of its lease.',
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
    value: value.busyPoll,
    default: 'auto',
    change: 'restart',
    doc: 'Microseconds that an engine looks for frames before it sleeps. 0 saves CPU and costs latency. `auto`: 50, as long as that finds frames at least one time in four.',
  }),
  offloads: option({
    value: mapping('offloads to true or false'),
    default: defaultsOf(offloadOptions),
    fields: offloadOptions,
    otherwise: 'all that the kernel has',
    change: 'restart',
    doc: 'What the switch may use. Each is tried at start; what the kernel lacks is logged and done without.',
  }),
  sflow: option({
    value: value.collectors,
    default: [],
    otherwise: 'none',
    items: value.collectors.element,
    doc: 'Collectors that get sFlow version 5: samples of frames, and counters of ports. An export costs nothing without collectors ([export.md](export.md)).',
  }),
  sflow_agent: option({
    value: value.ip,
    otherwise: 'the first `local` of a vxlan port, else 0.0.0.0',
    doc: 'Address by which collectors know the switch.',
  }),
  sflow_sampling: option({
    value: value.samplingInterval,
    default: 1000,
    doc: 'One frame of so many is sampled, at random. With `ipfix` too, the lower one of the two holds for both.',
  }),
  sflow_polling: option({ value: value.timeout, default: 20, doc: 'Seconds between two counter samples of a port.' }),
  ipfix: option({
    value: value.collectors,
    default: [],
    otherwise: 'none',
    items: value.collectors.element,
    doc: 'Collectors that get IPFIX (RFC 7011): flows of inner addresses, with VNI, VTEPs and the fate of their frames, counted from samples.',
  }),
  ipfix_sampling: option({
    value: value.samplingInterval,
    default: 1000,
    doc: 'One frame of so many is sampled, and counts for as many. 1: every frame, as far as the control thread keeps up.',
  }),
  ipfix_domain: option({ value: value.domain, default: 0, doc: 'Observation domain ID.' }),
  ipfix_active_timeout: option({
    value: value.timeout,
    default: 60,
    doc: 'Seconds after which a flow that goes on is exported.',
  }),
  ipfix_inactive_timeout: option({
    value: value.timeout,
    default: 15,
    doc: 'Seconds after the last frame when a flow is exported.',
  }),
  ipfix_template_interval: option({
    value: value.timeout,
    default: 60,
    doc: 'Seconds between two transmissions of the templates.',
  }),
  ipfix_cache: option({
    value: value.flowCache,
    default: 8192,
    doc: 'Most flows at a time; with more, the oldest one is exported.',
  }),
  dns_servers: option({
    value: value.nameServers,
    default: [],
    otherwise: 'those of `/etc/resolv.conf`',
    items: value.nameServers.element,
    doc: 'Name servers that are asked for names in `remotes`, the first one first: an address, with a port or without.',
  }),
  etcd: option({
    value: mapping('options of etcd such as { user: overtap }'),
    default: defaultsOf(etcdOptions),
    fields: etcdOptions,
    otherwise: 'neither user nor certificates',
    doc: 'How the switch speaks to the etcd of `peers_etcd`.',
  }),
  peers_grace: option({
    value: value.timeout,
    default: 600,
    doc: 'Seconds that remotes stay after their etcd could not be reached any more, or after their name ceased to exist.',
  }),
  docker: option({
    value: mapping('options of the network driver such as { bridge: br1 }'),
    fields: dockerOptions,
    otherwise: 'no driver',
    change: 'restart',
    doc: 'A network driver for Docker: its containers are ports of a bridge ([containers.md](containers.md)).',
  }),
  cni: option({
    value: mapping('options of the CNI plugin such as { bridge: br1 }'),
    fields: cniOptions,
    otherwise: 'no plugin',
    change: 'restart',
    doc: 'The switch for the CNI plugin `overtap-cni`, as podman and Kubernetes use it ([containers.md](containers.md#cni)).',
  }),
  evpn: option({
    value: mapping('options of EVPN such as { asn: 65000, neighbors: [] }'),
    fields: evpnOptions,
    otherwise: 'no speaker',
    doc: 'The BGP speaker of the switch, which tells other hosts the MACs of vxlan ports with `evpn`, and hears theirs ([evpn.md](evpn.md)).',
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
  nexthops: option({
    value: value.list('nexthops such as { id: 1, via: 192.0.2.2 }'),
    items: nexthopOptions,
    otherwise: 'none',
    doc: 'VTEPs and groups of VTEPs that FDB entries name by `nhid`; set with `nexthop add` and `nexthop del`.',
  }),
};
