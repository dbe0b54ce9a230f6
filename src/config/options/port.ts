/**
 * The options of every port. Those in `portOptions` and `portLists` belong to the port of a bridge and are dropped when it
 * leaves the bridge, as the kernel does in del_nbp (net/bridge/br_if.c); `deviceOptions` stay.
 */
import { mapping, value } from '../../values/value.js';
import { fdbOptions } from './entries.js';
import { defaultsOf, option } from './option.js';
import { vlanOptions } from './vlan.js';
import { generic, number, numbers, onOff, state } from './word.js';

export const stormLimitOptions = {
  broadcast: option({ value: value.framesPerSecond, default: 0, doc: 'Broadcast frames.' }),
  unknown_unicast: option({
    value: value.framesPerSecond,
    default: 0,
    doc: 'Unicast frames to a MAC without an entry.',
  }),
  multicast: option({ value: value.framesPerSecond, default: 0, doc: 'Multicast frames that are flooded.' }),
};

export const deviceOptions = {
  up: option({
    value: value.flag,
    default: true,
    word: generic(state('up', 'down')),
    doc: 'False: the port is shut down; its frames are dropped as `port_down`.',
  }),
};

export const portOptions = {
  learning: option({
    value: value.flag,
    default: true,
    word: onOff(),
    doc: 'Source MACs of frames that enter by the port are learned. A vxlan port keeps this when it leaves its bridge.',
  }),
  flood: option({ value: value.flag, default: true, word: onOff(), doc: 'Unknown unicast frames leave by the port.' }),
  mcast_flood: option({
    value: value.flag,
    default: true,
    word: onOff(),
    doc: 'Multicast frames leave by the port where no member of the group is known.',
  }),
  bcast_flood: option({ value: value.flag, default: true, word: onOff(), doc: 'Broadcast frames leave by the port.' }),
  isolated: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'No frame passes between this port and another isolated port (`isolated_port`).',
  }),
  locked: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'Frames enter only from MACs that have an entry on this port (`locked_port`); nothing is learned from others.',
  }),
  neigh_suppress: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'ARP requests and neighbour solicitations for known bindings are answered here and do not leave by the port (`suppressed`).',
  }),
  neigh_vlan_suppress: option({
    value: value.flag,
    default: false,
    otherwise: '`true` where an item of `vlans` gives `neigh_suppress`, else `false`',
    word: onOff(),
    doc: 'The `neigh_suppress` of each VLAN decides, in place of that of the port.',
  }),
  mcast_router: option({
    value: value.mcastRouter,
    default: 1,
    word: number('0|1|2'),
    doc: 'Whether there is a multicast router behind the port: it gets every group.',
  }),
  mcast_fast_leave: option({
    value: value.flag,
    default: false,
    word: onOff('fastleave', 'mcast_fast_leave'),
    doc: 'A leave message ends the membership at once: for ports with a single host behind them.',
  }),
  storm_limit: option({
    value: mapping('limits such as { broadcast: 1000 }'),
    default: defaultsOf(stormLimitOptions),
    fields: stormLimitOptions,
    otherwise: 'none',
    word: numbers(Object.keys(stormLimitOptions)),
    doc: 'Frames a second that are flooded from the port, by kind; more are dropped as `storm_limited`. A superframe counts as its segments.',
  }),
};

export const vlanList = option({
  value: value.list('VLAN memberships such as [{ vid: 2 }]'),
  items: vlanOptions,
  otherwise: "the bridge's `vlan_default_pvid`, as PVID and untagged",
  doc: 'VLAN memberships of the port; set with `vlan add`, `vlan del` and `vlan set`.',
});

export const entryList = option({
  value: value.list('FDB entries'),
  items: fdbOptions,
  otherwise: 'none',
  doc: 'Configured FDB entries; set with `fdb add` and `fdb del`.',
});

export const portLists = { vlans: vlanList, fdb: entryList };
