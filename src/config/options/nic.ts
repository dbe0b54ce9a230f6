/** The options of a NIC created by the switch: of a TAP or TUN port, or of a host port. */
import { value } from '../../values/value.js';
import { option } from './option.js';
import { generic, list, numberOr, onOff, text } from './word.js';

export const nicOptions = {
  mac: option({
    value: value.nicMac,
    otherwise: 'derived from host, switch and port: the same at each start',
    word: generic(text('MAC', 'address', 'mac')),
    doc: 'MAC address of the NIC; of a TUN, which has none, the one that its neighbours see. On the host port of a vxlan port a new one makes the port anew.',
  }),
  addresses: option({
    value: value.list('addresses such as [192.0.2.1/24]'),
    default: [],
    items: value.nicAddress,
    word: list('A/P[,A/P]', 'addr'),
    doc: 'Addresses put on the NIC, each with its prefix length. IPv4 and IPv6 may be mixed.',
  }),
  mtu: option({
    value: value.mtu,
    default: 'auto',
    word: generic(numberOr({ auto: 'auto' })),
    doc: '`auto`: the largest MTU that the underlay carries without fragmentation; it follows the routes to the remotes.',
  }),
  persist: option({
    value: value.flag,
    default: false,
    word: onOff(),
    doc: 'The NIC outlives the switch: its namespace keeps addresses and routes across a restart. `link del` removes it.',
  }),
};
