/** TAP ports, and the options that only they have. */
import { checkDevice, placeOptions } from './device.js';
import { kind } from './kind.js';

export const tapOptions = placeOptions;

export const TAP = kind({
  options: tapOptions,
  lists: {},
  nic: 'own',
  tunnels: false,
  check: (_name, port, _portOf, report) => checkDevice(port, report),
  doc: '`type: tap`, a NIC for a guest or for the host. Beside these keys it takes those of any port and of a NIC.',
  example: 'tap0: { type: tap, netns: ns2, ifname: eth0 }',
  command: 'link add tap1 master br0 type tap netns ns2 addresses 100.0.1.2/24',
});
