/** The options that only a TAP port has. */
import { value } from '../../values/value.js';
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
