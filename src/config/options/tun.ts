/** TUN ports: a device that has IP packets only, of which the switch is the Ethernet half. */
import { Refusal, readNicAddress } from '../../values/address.js';
import { value } from '../../values/value.js';
import { isInSubnet, isLinkLocal } from '../../wire/ip-address.js';
import { checkDevice, placeOptions } from './device.js';
import { type KindPort, type KindReport, kind } from './kind.js';
import { option } from './option.js';
import { text } from './word.js';

const GATEWAY =
  'Next hop of packets to destinations outside of the prefixes of `addresses`, itself in one of them; without one they are dropped as `no_route`.';

export const tunOptions = {
  ...placeOptions,
  gateway: option({ value: value.ip, otherwise: 'none', word: text('ADDRESS'), doc: `IPv4. ${GATEWAY}` }),
  gateway6: option({
    value: value.ip,
    otherwise: 'none',
    word: text('ADDRESS'),
    doc: `IPv6; a link-local address too. ${GATEWAY}`,
  }),
};

export const TUN = kind({
  options: tunOptions,
  lists: {},
  nic: 'own',
  tunnels: false,
  layer3: true,
  check(_name, port, _portOf, report) {
    checkDevice(port, report);
    checkGateway(port, 'gateway', 4, report);
    checkGateway(port, 'gateway6', 6, report);
    checkVlans(port, report);
  },
  doc:
    '`type: tun`, a NIC without Ethernet, for hosts and sandboxes that give only layer 3. The switch is its Ethernet half: it has ' +
    "the port's `mac`, answers ARP and neighbour discovery for `addresses`, finds the MACs of the neighbours, and adds and removes " +
    'Ethernet headers. Only IP reaches the NIC. Beside these keys it takes those of any port and of a NIC. Its VLANs are untagged; ' +
    'unknown unicast is not flooded to it.',
  example: 'tun0: { type: tun, netns: ns3, addresses: [100.0.1.3/24], gateway: 100.0.1.1 }',
  command: 'link add tun0 master br0 type tun netns ns2 addresses 100.0.1.3/24',
});

function checkGateway({ given }: KindPort, key: 'gateway' | 'gateway6', family: 4 | 6, report: KindReport): void {
  const gateway = given[key];
  if (typeof gateway !== 'string') return;
  if (gateway.includes(':') !== (family === 6)) {
    report.fault(key, `${gateway} is no IPv${family} address; give it as ${family === 6 ? 'gateway' : 'gateway6'}`);
    return;
  }
  if (isLinkLocal(gateway)) return;
  const own = (Array.isArray(given.addresses) ? given.addresses : []).flatMap((item) => {
    const read = typeof item === 'string' ? readNicAddress(item) : undefined;
    return read === undefined || read instanceof Refusal ? [] : [read];
  });
  if (own.some(({ address }) => address === gateway))
    report.fault(key, `${gateway} is an address of the port itself; give that of a router`);
  else if (!own.some((one) => isInSubnet(gateway, one)))
    report.fault(
      key,
      `${gateway} is in no prefix of addresses; give an address of that subnet, or a router within reach`,
    );
}

/** An item of `vlans` that is invalid is a fault of its own. */
function checkVlans({ given }: KindPort, report: KindReport): void {
  const vlans: unknown[] = Array.isArray(given.vlans) ? given.vlans : [];
  const isTagged = (item: unknown): boolean =>
    typeof item === 'object' && item !== null && (item as { untagged?: unknown }).untagged !== true;
  if (vlans.some(isTagged)) report.fault('vlans', 'a TUN has no place for tags; give each VLAN with untagged: true');
}
