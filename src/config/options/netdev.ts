/** Netdev ports: existing interfaces that are attached to the switch. */
import { value } from '../../values/value.js';
import { kind } from './kind.js';
import { option } from './option.js';
import { onOff, text } from './word.js';

export const netdevOptions = {
  netns: option({
    value: value.netns,
    otherwise: "the switch's own",
    change: 'new port',
    word: text('NS'),
    doc: 'Network namespace of the interface, by name (as of `ip netns`) or path. The port waits, DOWN, for one that does not exist.',
  }),
  ifname: option({
    value: value.netdev,
    otherwise: 'the name of the port',
    change: 'new port',
    word: text('NAME'),
    doc: 'Name of the interface when it is attached. The port follows it when it is renamed.',
  }),
  host: option({
    value: value.flag,
    default: false,
    change: 'new port',
    word: onOff(),
    doc:
      "False: the host's own stack (its addresses, bridges and bonds) gets nothing that the interface receives, as long as the " +
      'port exists; this takes Linux 6.6. True: the host keeps its traffic beside the port.',
  }),
  force: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'True: the interface of the default route is attached even with `host: false`, which cuts the host off.',
  }),
};

export const NETDEV = kind({
  options: netdevOptions,
  lists: {},
  nic: 'attached',
  tunnels: false,
  doc:
    '`type: netdev`, an interface that exists already: a veth end, the `vnet0` of a virtual machine, a NIC, a bond. It is attached ' +
    'by a packet socket, in promiscuous mode; MTU, addresses and MAC stay as they are, and nothing of it remains when the ' +
    'switch ends, however it ends. Beside these keys it takes those of any port. Frames have offloads and VLAN tags (802.1Q, 802.1ad, ' +
    "priority tags) both ways; what the host sends by the interface does not enter the switch. `mtu` is the interface's own: a " +
    'frame may be longer by a tag of 802.1Q, not by one of 802.1ad (a limit of packet sockets: make the MTU 4 larger). ' +
    'Where the MTU is smaller than 1500, the bridge follows it. The port is DOWN, and says why, while the interface is down, has no ' +
    'carrier, was deleted or moved to another namespace; it comes up by itself when an interface of that name is back.',
  example: 'eth1: { type: netdev }',
  command: 'link add eth1 master br0 type netdev host on',
});
