import { type GatewayPort, isGateway, isTunnel, type SwitchModel, type VxlanPort } from '../model/model.js';

/** The gateway of a VRF in the VLAN of a layer-3 VNI, and the vxlan port that has the VNI. */
export function doorOf(
  model: SwitchModel,
  l3vni: number,
  vrf?: string,
): { gateway: GatewayPort; tunnel: VxlanPort } | undefined {
  for (const port of model.ports.values()) {
    if (!isTunnel(port)) continue;
    const vni = port.vnis.find((one) => one.vni === l3vni);
    if (vni === undefined) continue;
    for (const gateway of port.bridge?.ports ?? []) {
      if (!isGateway(gateway) || gateway.config.vrf !== vrf) continue;
      if (vni.vid === null || vni.vid === gateway.pvid) return { gateway, tunnel: port };
    }
  }
  return undefined;
}
