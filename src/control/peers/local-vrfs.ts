/** The VRFs of the gateways of a model, as a source of routes may advertise them. Pure. */
import { Refusal } from '../../values/address.js';
import { networkOf, readRoute } from '../../values/route-text.js';
import { isLinkLocal } from '../../wire/ip-address.js';
import { type GatewayPort, isGateway, isTunnel, type SwitchModel } from '../model/model.js';
import type { LocalVrf } from './route-contract.js';

export function localVrfs(model: SwitchModel): LocalVrf[] {
  const byVrf = new Map<string | undefined, GatewayPort[]>();
  for (const port of model.ports.values()) {
    if (isGateway(port)) byVrf.set(port.config.vrf, [...(byVrf.get(port.config.vrf) ?? []), port]);
  }
  return [...byVrf].map(([vrf, gateways]) => ({
    vrf,
    door: gateways.map(doorAt).find((door) => door !== null) ?? null,
    vnis: [...new Set(gateways.flatMap((gateway) => (gateway.config.addresses.length > 0 ? vnisOf(gateway) : [])))],
    prefixes: prefixesOf(gateways),
  }));
}

/** A gateway without addresses in the VLAN of a VNI. */
function doorAt(gateway: GatewayPort): LocalVrf['door'] {
  if (gateway.config.addresses.length > 0) return null;
  const [first] = segmentsOf(gateway);
  return first === undefined ? null : { port: first.port, l3vni: first.vni, routerMac: gateway.ownMac };
}

const vnisOf = (gateway: GatewayPort): number[] => segmentsOf(gateway).map(({ vni }) => vni);

/** The tunnels that carry the VLAN of a gateway, and its VNI in them. */
function segmentsOf({ bridge, pvid }: GatewayPort): { port: string; vni: number }[] {
  return (bridge?.ports ?? []).flatMap((port) => {
    const vni = isTunnel(port) ? port.vnis.find(({ vid }) => vid === null || vid === pvid) : undefined;
    return vni === undefined ? [] : [{ port: port.name, vni: vni.vni }];
  });
}

function prefixesOf(gateways: readonly GatewayPort[]): LocalVrf['prefixes'] {
  const prefixes = new Map<string, 'connected' | 'static'>();
  for (const { config } of gateways) {
    for (const text of config.routes) {
      const route = readRoute(text);
      if (!(route instanceof Refusal)) prefixes.set(`${route.address}/${route.length}`, 'static');
    }
  }
  for (const { config } of gateways) {
    for (const { address, prefix } of config.addresses)
      if (!isLinkLocal(address)) prefixes.set(`${networkOf(address, prefix)}/${prefix}`, 'connected');
  }
  return [...prefixes].map(([prefix, kind]) => ({ prefix, kind }));
}
