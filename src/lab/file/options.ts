/**
 * The rows of a lab file: every key with its value, default and documentation. Reader, reference and JSON Schema derive from them, as for the
 * configuration of a switch.
 */
import { option, required } from '../../config/options/option.js';
import { mapping, value } from '../../values/value.js';
import { labValue } from '../values/lab-value.js';

export const UNDERLAYS = ['pair', 'routed', 'segment'] as const;
export type Underlay = (typeof UNDERLAYS)[number];

export const labOptions = {
  lab: required({
    value: labValue.labName,
    doc: 'Name of the lab, for `lab down` and in the names of its namespaces. Those of the ready labs are taken.',
  }),
  summary: option({
    value: labValue.line('a summary', 200),
    otherwise: 'none',
    doc: 'One line for `lab list` and `lab up`.',
  }),
  prefix: option({
    value: labValue.prefix,
    otherwise: '`ovt-` and the name of the lab',
    doc: 'Beginning of the names of the namespaces: guest `a` is in `PREFIX-a`.',
  }),
  underlay: option({
    value: value.choice(UNDERLAYS),
    otherwise: '`pair` for two hosts, `routed` for more',
    doc: '`pair`: two hosts on one cable. `routed`: every host on a cable of its own to a namespace that routes and carries no multicast. `segment`: all hosts in one subnet, at a switch of its own that carries multicast.',
  }),
  router: option({
    value: labValue.ipv4,
    default: '192.0.2.254',
    doc: 'Underlay address of the namespace that routes, with `underlay: routed`.',
  }),
  vni: option({
    value: value.vni,
    default: 100,
    doc: 'VNI of the tunnels that hosts without `switch` have. VLAN n of guests with `vlan` travels in VNI n.',
  }),
  hosts: required({ value: mapping('host names to hosts'), doc: 'The hosts, each with one switch: at most 16.' }),
  guests: option({
    value: mapping('guest names to guests'),
    otherwise: 'none',
    doc: 'The guests: at most 64. Checks and `lab shell` know them by these names.',
  }),
  routers: option({
    value: value.list('names'),
    items: labValue.name,
    otherwise: 'none',
    doc: 'Namespaces that forward IPv4 between their NICs: at most 16. Their NICs are tap ports whose `netns` is the name.',
  }),
  routes: option({
    value: value.list('routes'),
    otherwise: 'none',
    doc: 'Routes of guests and routers: at most 64.',
  }),
  weather: option({
    value: value.list('links with weather'),
    otherwise: 'none',
    doc: 'Links whose frames are delayed, lost and so on. Only these have weather, also for `lab weather`.',
  }),
  drawing: option({
    value: labValue.drawing,
    otherwise: 'made from hosts and guests',
    doc: 'What `lab up` prints, as a block of text.',
  }),
  checks: option({
    value: value.list('checks'),
    otherwise: 'none',
    doc: 'What `lab check` proves, in order: at most 200. Each is one of the words below; `claim` beside it is its line of the report.',
  }),
};

export const hostOptions = {
  address: option({
    value: labValue.ipv4,
    otherwise: '`192.0.2.1` for the first host, and so on',
    doc: 'Underlay address of the host, on its NIC `eth0`.',
  }),
  switch: option({
    value: mapping('a configuration'),
    otherwise: '`br0` with the guests of the host and `vxlan0` to all other hosts',
    doc: 'The configuration of its switch, as in configuration.md, without `name`, `control`, `metrics`, `docker` and `cni`. `netns` is the name of a guest or router; nothing may name a file, socket or descriptor. `$CONTROL` in a comment becomes the path of the control socket.',
  }),
};

export const guestOptions = {
  host: required({ value: labValue.name, doc: 'Its host.' }),
  address: option({
    value: value.nicAddress,
    otherwise: 'that of its port in `switch`',
    doc: 'IPv4 address with prefix length. A host without `switch` needs it.',
  }),
  address6: option({ value: value.nicAddress, otherwise: 'none', doc: 'An IPv6 address as well.' }),
  mac: option({
    value: value.mac,
    otherwise: '`02:00:00:00:HH:GG`, the numbers of host and guest',
    doc: 'MAC of its NIC.',
  }),
  ifname: option({ value: value.netdev, default: 'eth0', doc: 'Name of its NIC.' }),
  vlan: option({
    value: value.vid,
    otherwise: 'none',
    doc: 'Its port is an access port of this VLAN; the bridge then filters VLANs. Without `switch` only.',
  }),
  in: option({
    value: value.choice(['namespace', 'host']),
    default: 'namespace',
    doc: '`host`: no namespace of its own. It stands for the host itself at its host port.',
  }),
};

export const routeOptions = {
  from: required({ value: labValue.name, doc: 'The guest or router that gets the route.' }),
  dev: option({ value: value.netdev, default: 'eth0', doc: 'Its NIC.' }),
  to: required({ value: labValue.destination, doc: 'Where to: `default` or a subnet.' }),
  via: required({ value: labValue.ipv4, doc: 'The next hop.' }),
};
