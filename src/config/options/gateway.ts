/** Gateways: routed interfaces of the switch in a VLAN. */
import { value } from '../../values/value.js';
import { neighOptions } from './entries.js';
import { type KindPort, type KindReport, kind } from './kind.js';
import { option } from './option.js';
import { list, text } from './word.js';

/** The MAC of gateways with addresses, on all hosts. */
export const GATEWAY_MAC = '02:00:5e:00:00:01';

export const gatewayOptions = {
  addresses: option({
    value: value.list('addresses such as [10.0.10.1/24, "fd00:10::1/64"]'),
    default: [],
    items: value.nicAddress,
    word: list('A/P[,A/P]', 'addr'),
    doc: 'Addresses of the gateway, each with the prefix length of its subnet: the next hop of the guests of the VLAN, the same on every host. No subnet is on two gateways of a VRF. Without addresses, the gateway joins its VRF to those of other hosts, in the VLAN of a layer-3 VNI.',
  }),
  mac: option({
    value: value.nicMac,
    otherwise: `${GATEWAY_MAC}, and with no addresses required`,
    word: text('MAC', 'address', 'mac'),
    doc: 'MAC address. All gateways of a bridge that have addresses share one, the same on every host, so that a guest keeps it wherever it moves; no guest may send from it (`source_is_own`). A gateway without addresses needs one that no other host has.',
  }),
  vrf: option({
    value: value.netdev,
    otherwise: 'the default table',
    word: text('NAME'),
    doc: 'Routing table: gateways of one VRF route among each other, and to no other.',
  }),
  routes: option({
    value: value.routes,
    default: [] as string[],
    otherwise: 'none',
    word: list('PREFIX=ADDRESS[,...]'),
    doc: 'Static routes of the VRF by routers in the subnets of this gateway: `[default via 10.0.10.254]`. Equal prefixes, of several gateways too, share the flows by a hash (up to 16 routers).',
  }),
};

export const gatewayLists = {
  neigh: option({
    value: value.list('neighbours such as { dst: 10.0.10.5, lladdr: "02:00:00:00:00:01" }'),
    items: neighOptions,
    otherwise: 'none',
    doc: 'Static neighbours: the MACs of addresses in the VLAN of the gateway, which it does not ask for; set with `neigh add` and `neigh del`.',
  }),
};

export const GATEWAY = kind({
  options: gatewayOptions,
  lists: gatewayLists,
  nic: 'none',
  tunnels: false,
  layer3: true,
  bare: true,
  check(name, port, _portOf, report) {
    checkVlans(port, report);
    const { addresses, mac } = port.given;
    if (!port.rejected.has('mac') && mac === undefined && (!Array.isArray(addresses) || addresses.length === 0))
      report.fault('mac', `is missing; give addresses, or for a layer-3 VNI a mac that ${name} has on this host only`);
  },
  doc:
    '`type: gateway`, a routed interface of the switch in one VLAN (anycast gateway): it answers ARP, neighbour discovery and echo for its ' +
    '`addresses`, and routes between the VLANs of its VRF, on the host where the guest is. It has no NIC. TTLs are decremented; ICMP ' +
    'errors are sent. Multicast and broadcast are not routed. See gateway.md.',
  example: 'gw10: { type: gateway, addresses: [10.0.10.1/24], vlans: [{ vid: 10, pvid: true, untagged: true }] }',
  command: 'link add gw10 master br0 type gateway addresses 10.0.10.1/24',
});

/** An item of `vlans` that is invalid is a fault of its own. */
function checkVlans({ given, rejected }: KindPort, report: KindReport): void {
  if (!Array.isArray(given.vlans) || rejected.has('vlans')) return;
  const vlans: unknown[] = given.vlans;
  const [first] = vlans as { pvid?: unknown; untagged?: unknown; vid?: unknown }[];
  const rule = 'a gateway is in one VLAN; give it as [{ vid: 10, pvid: true, untagged: true }]';
  if (vlans.length > 1 || String(first?.vid).includes('-'))
    report.fault(
      'vlans',
      `${rule}, and a gateway for each other VLAN; to move it by command, "vlan del" comes before "vlan add"`,
    );
  // Between `vlan del` and `vlan add` it is in none.
  else if (vlans.length === 0 || first?.pvid !== true || first.untagged !== true) report.missing('vlans', rule);
}
