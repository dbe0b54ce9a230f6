/**
 * TUN ports: NICs that have IP packets only. The engines are the Ethernet half of the NIC's host, so they are told its MAC and
 * addresses; everything else is as with a TAP.
 */
import type { NicAddress, NicConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { LAYER3 } from '../../dataplane/state/forwarding.js';
import { parseAddress } from '../../wire/ip-address.js';
import type { OpenTap, TapPort } from '../model/model.js';
import { macOf } from '../model/naming.js';
import { portFlags } from './port-flags.js';
import type { PortKind } from './port-kind.js';
import { TAP } from './tap.js';

/** Bits of the prefix that marks an IPv4 address among those of IPv6. */
const MAPPED_BITS = 96;

export const TUN: PortKind<NicConfig, TapPort, OpenTap> = {
  ...TAP,

  attach(port, _around, change) {
    const { fds, vnetHeaderSize, mtu } = port.tap;
    const bridge = port.bridge?.index ?? 0;
    const flags = portFlags(port.bridge?.config ?? null, port.config) | LAYER3;
    change.structure.push({
      op: 'local-port',
      port: port.index,
      bridge,
      fds,
      vnetHeaderSize,
      flags,
      mtu,
      layer3: true,
    });
  },

  update(port, _before, around, change) {
    around.tell(port, hostOf(port), change);
  },

  flags: () => LAYER3,
};

function hostOf({ index, config, ownMac }: TapPort): Operation {
  const gateways = config.type === 'tun' ? [config.gateway, config.gateway6] : [];
  return {
    op: 'layer3',
    port: index,
    mac: macOf(ownMac),
    addresses: config.addresses.map(prefixOf),
    gateways: gateways.flatMap((address) => (address === undefined ? [] : [wordsOf(address)])),
  };
}

function prefixOf({ address, prefix, family }: NicAddress): { words: number[]; prefix: number } {
  return { words: wordsOf(address), prefix: family === 4 ? MAPPED_BITS + prefix : prefix };
}

function wordsOf(address: string): number[] {
  return [...(parseAddress(address)?.words ?? [])];
}
