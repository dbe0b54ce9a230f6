/**
 * Gateways: ports without a device, which the engines route for. What they are told of VRFs and routes is settled for all gateways at the
 * end of a change (`reconcile/routes.ts`).
 */
import { GATEWAY_MAC } from '../../config/options/gateway.js';
import type { LocalConfigOf } from '../../config/types.js';
import { LAYER3 } from '../../dataplane/state/forwarding.js';
import { DEFAULT_MTU } from '../devices/devices.js';
import type { GatewayPort } from '../model/model.js';
import { portFlags } from './port-flags.js';
import type { PortKind } from './port-kind.js';

type GatewayConfig = LocalConfigOf<'gateway'>;

export const GATEWAY: PortKind<GatewayConfig, GatewayPort, object> = {
  identity: ({ type }) => type,
  room: () => ({ vnis: 0, vteps: 0 }),
  open: () => ({}),
  bequeath: () => ({ facts: null, fds: [] }),
  inherit: () => ({}),
  reopen: () => undefined,
  discard: () => undefined,

  create(base, { config }) {
    const port: GatewayPort = {
      ...base,
      kind: 'gateway',
      config,
      mtu: DEFAULT_MTU,
      ownFids: [],
      ownMac: macIn(config),
      nicMac: () => macIn(port.config),
    };
    return port;
  },

  attach(port, _around, change) {
    const flags = portFlags(port.bridge?.config ?? null, port.config) | LAYER3;
    change.structure.push({
      op: 'gateway-port',
      port: port.index,
      bridge: port.bridge?.index ?? 0,
      flags,
      mtu: port.mtu,
    });
  },

  update: () => undefined,

  moved(port) {
    port.ownFids = [];
  },

  end: () => undefined,
  flags: () => LAYER3,
  sockets: () => [],
  frameMtu: ({ mtu }) => mtu,
  wayMtu: () => null,

  setMtu(port, _way, bridge) {
    const before = port.mtu;
    port.mtu = bridge;
    return port.mtu !== before;
  },

  view: (port, isLost) => ({ operstate: isLost ? 'DOWN' : 'UP', mtu: port.mtu, address: macIn(port.config) }),
  summary: ({ config: { addresses, vrf } }) => ({
    addresses: addresses.map(({ address, prefix }) => `${address}/${prefix}`),
    vrf,
  }),
  watch: () => undefined,
  lossFault: () => 'it is gone',
  mayReturn: () => true,
};

function macIn({ mac }: GatewayConfig): string {
  return mac ?? GATEWAY_MAC;
}
