/** The types of links that are tunnels, with VTEPs and VNIs; `config/options/kinds.ts` is the registry (test/page/model). */

const TUNNEL_TYPES: readonly string[] = ['vxlan', 'geneve'];

export function isTunnelType(type: string): boolean {
  return TUNNEL_TYPES.includes(type);
}
