/** The options that say which TUN or TAP device a port has: one that it makes or takes over, or an open descriptor. */
import { value } from '../../values/value.js';
import type { KindPort, KindReport } from './kind.js';
import { option } from './option.js';
import { text } from './word.js';

export const placeOptions = {
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
  fd: option({
    value: value.descriptor,
    otherwise: 'none: the port makes the NIC',
    change: 'new port',
    word: text('N|NAME'),
    doc:
      'The NIC as an open descriptor that the switch inherits when it starts: its number, or its name as of ' +
      "systemd's `FileDescriptorName=`. The device tells its name and namespace; the switch sets what it has the right to set. " +
      'Such a port cannot be added at run time, and is not made again when its device is gone.',
  }),
};

/** What the descriptor of a device decides itself cannot be given beside it. */
export function checkDevice({ given }: KindPort, report: KindReport): void {
  if (given.fd === undefined) return;
  for (const key of ['ifname', 'netns'])
    if (given[key] !== undefined) report.fault(key, 'the descriptor of fd tells it; remove this or fd');
  if (given.persist === true)
    report.fault('persist', 'a NIC given as fd belongs to the one who opened it; remove this or fd');
}
