/** Rules across the gateways of a file: their subnets, MACs, VRFs and routers. */
import { readRoute, overlaps } from '../../values/route-text.js';
import { Refusal } from '../../values/address.js';
import { isInSubnet, isLinkLocal } from '../../wire/ip-address.js';
import { GATEWAY_MAC } from '../options/gateway.js';
import { allPorts, type DecodedBridge, type DecodedPort, type DecodedSwitch } from '../read/decoded.js';
import { type FaultList, formatPath } from '../read/faults.js';

/** VRFs beside the default table: MAX_VRFS of the data path, less one. */
const MOST_VRFS = 255;
/** Static routes of one file. */
const MOST_ROUTES = 32_768;

type Gateway = Extract<DecodedPort, { type: 'gateway' }>;

export function checkGateways(config: DecodedSwitch, faults: FaultList): void {
  const gateways = allPorts(config).filter((port): port is Gateway => port.type === 'gateway');
  if (gateways.length === 0) return;
  checkSubnets(gateways, faults);
  for (const bridge of config.bridgeList) checkMacs(bridge, faults);
  for (const gateway of gateways) checkRoutes(gateway, faults);
  checkNumbers(gateways, faults);
}

/** A packet has one way in a VRF. */
function checkSubnets(gateways: readonly Gateway[], faults: FaultList): void {
  const subnets = gateways.flatMap((gateway) => gateway.addressList.map((item) => ({ gateway, ...item })));
  const known = new Map<string, typeof subnets>();
  for (const one of subnets) {
    // Each link has these for itself.
    if (isLinkLocal(one.value.address)) continue;
    const key = `${one.gateway.given.vrf ?? ''} ${one.value.family}`;
    const others = known.get(key) ?? [];
    known.set(key, others);
    const other = others.find(({ gateway, value }) => gateway !== one.gateway && overlaps(value, one.value));
    others.push(one);
    if (other === undefined) continue;
    const { address, prefix } = other.value;
    faults.at(
      one.path,
      `overlaps ${address}/${prefix} of ${other.gateway.name} in the same VRF; give another subnet, or another vrf`,
    );
  }
}

/** Guests know a gateway by its MAC, wherever they are. */
function checkMacs(bridge: DecodedBridge, faults: FaultList): void {
  let first: { mac: string; name: string } | undefined;
  for (const port of bridge.portList) {
    if (port.type !== 'gateway' || port.rejected.has('mac') || port.addressList.length === 0) continue;
    const mac = port.given.mac ?? GATEWAY_MAC;
    first ??= { mac, name: port.name };
    if (first.mac !== mac)
      faults.at(
        [...port.path, 'mac'],
        `is ${mac}, and ${first.name} has ${first.mac}; the gateways of a bridge that have addresses share one MAC`,
      );
  }
}

function checkRoutes({ given, path, addressList }: Gateway, faults: FaultList): void {
  for (const text of given.routes ?? []) {
    const route = readRoute(text);
    if (route instanceof Refusal) continue;
    const at = [...path, 'routes'];
    if (addressList.some(({ value }) => value.address === route.via))
      faults.at(at, `${route.via} is an address of the gateway itself; give that of another router`);
    else if (!isLinkLocal(route.via) && !addressList.some(({ value }) => isInSubnet(route.via, value)))
      faults.at(
        at,
        `${route.via} is in no subnet of the gateway; give a router there, or put the route on the gateway of its subnet`,
      );
  }
}

function checkNumbers(gateways: readonly Gateway[], faults: FaultList): void {
  const vrfs = new Set<string>();
  let routes = 0;
  for (const { given, path } of gateways) {
    if (given.vrf !== undefined) vrfs.add(given.vrf);
    routes += given.routes?.length ?? 0;
    if (vrfs.size > MOST_VRFS) faults.at([...path, 'vrf'], `is one more than ${MOST_VRFS} VRFs; give fewer`);
    if (routes > MOST_ROUTES)
      faults.at([...path, 'routes'], `up to ${formatPath(path)} there are more than ${MOST_ROUTES} routes; give fewer`);
    if (vrfs.size > MOST_VRFS || routes > MOST_ROUTES) return;
  }
}
