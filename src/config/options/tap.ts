/** TAP ports, and the options that only they have. */
import { value } from '../../values/value.js';
import { kind } from './kind.js';
import { option } from './option.js';
import { text } from './word.js';

export const tapOptions = {
  netns: option({
    value: value.netns,
    otherwise: "the switch's own",
    change: 'new port',
    word: text('NS'),
    doc: 'Network namespace of the NIC, by name (as of `ip netns`) or path. The port waits, DOWN, for one that does not exist.',
  }),
  ifname: option({
    value: value.netdev,
    otherwise: 'the name of the port',
    change: 'new port',
    word: text('NAME'),
    doc: 'Name of the NIC in its namespace.',
  }),
};

export const TAP = kind({
  options: tapOptions,
  lists: {},
  nic: 'own',
  tunnels: false,
  doc: '`type: tap`, a NIC for a guest or for the host. Beside these keys it takes those of any port and of a NIC.',
  example: 'tap0: { type: tap, netns: ns2, ifname: eth0 }',
  command: 'link add tap1 master br0 type tap netns ns2 addresses 100.0.1.2/24',
});
