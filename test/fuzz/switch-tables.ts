/**
 * The present contents of a fuzzed switch as plain tables, for checking each command of an engine: ports, bridges, VLANs, VNIs
 * and senders. Derived from the description of the switch, never read from the switch.
 */

import { MAX_PORTS } from '../../src/dataplane/state/counters.js';
import { MAX_SOCKETS } from '../../src/dataplane/state/forwarding.js';
import { VIDS } from '../../src/encap/tunnel.js';
import { ETHERTYPE_QINQ, ETHERTYPE_VLAN } from '../../src/wire/ethernet.js';
import type { Topology, VxlanSpec } from '../dataplane/support/control-model.js';
import { FILTERING, SERVICE, SHORT_CUTS } from './layout.js';

export const NONE = 0;
export const TAP = 1;
export const VXLAN = 2;
/** A port without a device: nothing is sent to it. */
export const GATEWAY = 3;

/** How a member of a VLAN sends its frames. */
export const TAGGED = 1;
export const UNTAGGED = 2;

const PLACES = 1 << 17;

export class Facts {
  /** NONE, TAP, VXLAN or GATEWAY by port. */
  readonly kind = new Uint8Array(MAX_PORTS);
  readonly bridge = new Int32Array(MAX_PORTS);
  /** 1: the bridge filters VLANs. */
  readonly filtering = new Uint8Array(MAX_PORTS);
  /** Of the tags that say a VLAN. */
  readonly tpid = new Uint16Array(MAX_PORTS);
  /** 1: tags are always off on the way out of the port. */
  readonly tunnels = new Uint8Array(MAX_PORTS);
  /** 1: a frame may go out of the TAP that it came in by, since `rsc` leads it past its router. */
  readonly turnsBack = new Uint8Array(MAX_PORTS);
  /** TAGGED, UNTAGGED or 0 by `port << 12 | vid`. */
  readonly member = new Uint8Array(MAX_PORTS * VIDS);
  /** The first word of the headers of frames into the tunnel, by port. */
  readonly header = new Int32Array(MAX_PORTS);
  /** 1: datagrams of Geneve, by socket. */
  readonly geneve = new Uint8Array(MAX_SOCKETS);
  /** Vxlan port by sender; -1: there is no such sender. */
  readonly portOfSender = new Int32Array(PLACES).fill(-1);
  /** VNIs by port. */
  readonly vnis: Set<number>[] = [];
  names: string[] = [];

  read(topology: Topology): void {
    this.kind.fill(NONE);
    this.portOfSender.fill(-1);
    this.names = [];
    this.geneve.fill(0);
    for (const { number, name, spec, bridge, socket, senders, dfSenders, vnis } of topology.ports.values()) {
      this.names[number] = name;
      this.kind[number] = spec.type !== 'tap' ? VXLAN : spec.gateway === undefined ? TAP : GATEWAY;
      this.bridge[number] = topology.bridgeNumber(bridge);
      this.filtering[number] = FILTERING.has(bridge) ? 1 : 0;
      this.tpid[number] = SERVICE.has(bridge) ? ETHERTYPE_QINQ : ETHERTYPE_VLAN;
      this.turnsBack[number] = SHORT_CUTS.has(bridge) ? 1 : 0;
      const isGeneve = spec.type === 'vxlan' && spec.geneve === true;
      this.header[number] = isGeneve ? 0x6558 : 0x08000000;
      if (isGeneve) this.geneve[socket] = 1;
      this.tunnels[number] = (spec as VxlanSpec).tunnel === undefined ? 0 : 1;
      this.vnis[number] = new Set([...vnis.values()].map(({ vni }) => vni));
      for (const sender of [...senders, ...dfSenders]) this.portOfSender[sender] = number;
      this.member.fill(0, number << 12, (number + 1) << 12);
      for (const text of spec.vlans ?? []) {
        const [vid, ...words] = text.split(' ');
        this.member[(number << 12) | Number(vid)] = words.includes('untagged') ? UNTAGGED : TAGGED;
      }
    }
  }
}
