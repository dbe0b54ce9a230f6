/**
 * TAP ports: guests' NICs, and the host ports of bridges and vxlan ports. TUN ports are as these, but for `tun.ts`.
 */
import { z } from 'zod';
import { keysThat } from '../../config/options/option.js';
import { tapOptions } from '../../config/options/tap.js';
import type { NicConfig } from '../../config/types.js';
import { netnsName } from '../../port/netns.js';
import { netnsRemedy } from '../../text/netns.js';
import { automaticMtu } from '../devices/devices.js';
import type { DesiredPort } from '../model/desired.js';
import { DeviceError } from '../model/device-error.js';
import {
  hasOwnMac,
  isTunnel,
  type NicState,
  type OpenTap,
  type OwnMacPort,
  type Port,
  type SwitchModel,
  type TapPort,
} from '../model/model.js';
import { macOf } from '../model/naming.js';
import type { Transition } from '../model/transition.js';
import { readFacts } from './facts.js';
import { linkEvent } from './link-event.js';
import { changeNic } from './nic-changes.js';
import { portFlags } from './port-flags.js';
import type { Look, Opening, PortKind } from './port-kind.js';

/** See TapFacts in port/tap.ts. */
const FACTS = z.object({
  ifname: z.string(),
  mac: z.string(),
  mtu: z.int(),
  vnetHeaderSize: z.int(),
  offload: z.int(),
  takenOver: z.boolean(),
  isForeign: z.boolean(),
  madeInside: z.boolean(),
  foundVnetHeaderSize: z.int(),
  home: z.number(),
});

type Desired = DesiredPort & { config: NicConfig };

export const TAP: PortKind<NicConfig, TapPort, OpenTap> = {
  identity: (config, role) =>
    JSON.stringify([config.type, role, ...keysThat('new port', tapOptions).map((key) => config[key])]),

  room: () => ({ vnis: 0, vteps: 0 }),

  open(desired, opening) {
    const { name, config } = desired;
    const { model, devices, ending, opened, orAbsent } = opening;
    const heir = ending
      .map((other) => model.ports.get(other))
      .filter(isTap)
      .find((port) => isSameNic(model, port, config));
    if (heir !== undefined) {
      const { tap } = heir;
      opened.inherited.add(tap);
      opened.undo.unshift(...nicErrors(name, () => changeNic(tap, heir.config, config)));
      return tap;
    }
    const mtu = tapMtu(config, automaticMtuOf(desired, opening));
    // A descriptor is there or not: nothing is waited for.
    if (config.fd !== undefined) return devices.guestTap(config, mtu);
    return orAbsent(
      () => devices.guestTap(config, mtu),
      () => devices.absentTap(config, mtu),
      config.netns,
    );
  },

  bequeath: ({ tap }) => tap.bequeath(),

  inherit({ name, config }, bequest, custody, { devices }) {
    return devices.continueTap(config, { ...bequest, facts: readFacts(name, FACTS, bequest) }, custody);
  },

  reopen({ name, tap, config: before }, config, { opened }) {
    opened.undo.unshift(...nicErrors(name, () => changeNic(tap, before, config)));
  },

  discard(tap) {
    tap?.discard();
  },

  create(base, { config, role }, tap) {
    return { ...base, kind: config.type, config, tap, role, ownFids: [], ownMac: tap.mac, nicMac: () => tap.mac };
  },

  attach(port, _around, change) {
    const { fds, vnetHeaderSize, mtu } = port.tap;
    const bridge = port.bridge?.index ?? 0;
    const flags = portFlags(port.bridge?.config ?? null, port.config);
    change.structure.push({ op: 'local-port', port: port.index, bridge, fds, vnetHeaderSize, flags, mtu });
  },

  update: () => undefined,

  moved(port) {
    port.ownFids = [];
  },

  end({ tap }, inherited, _around, change) {
    if (!inherited.has(tap)) change.afterwards.push(() => remove(tap));
  },

  flags: () => 0,
  sockets: () => [],
  frameMtu: ({ tap }) => tap.mtu,
  wayMtu: () => null,

  setMtu({ config, tap }, _way, bridge) {
    const mtu = tapMtu(config, bridge);
    if (tap.mtu === mtu) return false;
    try {
      tap.setMtu(mtu);
    } catch {
      return false; // the device is gone; the port shows that
    }
    return true;
  },

  view(port, isLost) {
    const nic = isLost ? null : port.tap.state();
    // A NIC that does not exist yet has no address unless one is configured.
    const mac = nic?.mac ?? port.config.mac ?? port.tap.mac;
    return {
      ...whereabouts(port, nic),
      operstate: nic?.up === true ? 'UP' : 'DOWN',
      mtu: nic?.mtu ?? port.tap.mtu,
      ...(mac === '' ? {} : { address: mac }),
    };
  },

  summary({ config: { netns }, tap: { ifname, mac, mtu, isUnsteered } }) {
    // For want of CAP_BPF: flows may change their engine once.
    return { ifname, netns, mac, mtu, ...(isUnsteered === true ? { steered: false } : {}) };
  },

  watch(port, look) {
    const nic = port.tap.state();
    if (nic === null) {
      look.lost(port);
      return;
    }
    watchPlace(port, nic, look);
    if (port.role !== 'guest' && port.ownMac !== nic.mac) look.macChanged(port);
    const memory = look.memory(port);
    // Opening has applied its settings.
    const before = memory.up ?? true;
    memory.up = nic.up;
    if (before !== nic.up) look.tell(linkEvent(port, nic.up ? 'up' : 'down'));
  },

  lossFault({ config: { netns, fd } }, machine) {
    if (fd !== undefined)
      return `its device is gone, and fd ${fd} with it; start the switch again with another descriptor`;
    if (netns === undefined || machine.netnsExists(netns)) return 'its device is gone';
    return `its network namespace ${netns} is gone${netnsRemedy(netns)}`;
  },

  mayReturn: ({ config: { netns, fd } }, machine) =>
    fd === undefined && (netns === undefined || machine.netnsExists(netns)),
};

/**
 * Updates the entries of a NIC's own MAC to its present one. The caller sets the new entries.
 */
export function followMac(port: OwnMacPort, model: SwitchModel, change: Transition): void {
  const mac = port.nicMac();
  if (!hasOwnMac(port) || port.ownMac === mac) return;
  for (const fid of port.ownFids) change.structure.push({ op: 'fdb-del', ...macOf(port.ownMac), fid });
  port.ownFids = [];
  port.ownMac = mac;
  // No binding may keep the old MAC; frames of the host announce the new one.
  change.structure.push({ op: 'neigh-flush', port: port.index, learnedOnly: true });
  for (const other of model.ports.values()) {
    if (!isTunnel(other) || other.host !== port) continue;
    change.structure.push({ op: 'tunnel-mac', port: other.index, mac: macOf(port.ownMac) });
  }
}

function tapMtu(config: NicConfig, automatic: number): number {
  return config.mtu === 'auto' ? automatic : config.mtu;
}

/**
 * A NIC cannot be opened twice: a port under a new name takes over the open device. The file may also follow a NIC that was
 * renamed or moved.
 */
function isSameNic(model: SwitchModel, port: TapPort, { type, netns, ifname, fd }: NicConfig): boolean {
  if (model.lost.has(port.index) || port.kind !== type) return false;
  const { config, tap } = port;
  if (fd !== undefined || config.fd !== undefined) return config.fd === fd;
  return (config.netns === netns && config.ifname === ifname) || tap.isAt(ifname, netns);
}

function isTap(port: Port | undefined): port is TapPort {
  return port?.kind === 'tap' || port?.kind === 'tun';
}

/** The value of `mtu: auto` for a new TAP, from the configuration alone. */
function automaticMtuOf({ config, role }: Desired, { next, wayMtu }: Opening): number {
  const bridge = next.bridges.find(
    (one) =>
      (role === 'bridge' && one.name === config.name) ||
      one.ports.some((port) => port.name === config.name || (role === 'tunnel' && port.name === config.ifname)),
  );
  return automaticMtu((bridge?.ports ?? []).flatMap((port) => wayMtu(port) ?? []));
}

function nicErrors<T>(name: string, change: () => T): T {
  try {
    return change();
  } catch (error) {
    throw new DeviceError(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Deleting a port deletes its NIC: `persist` applies to the end of the switch. */
function remove(tap: OpenTap): void {
  try {
    tap.setPersist(false);
  } catch {
    // The device is gone already.
  }
  tap.close();
}

/** Name and namespace of the NIC, if its owner has renamed or moved it. */
function whereabouts({ config, tap }: TapPort, nic: NicState | null): { nic?: string; nic_netns?: string } {
  if (nic === null) return {};
  const name = nic.ifname === config.ifname ? {} : { nic: nic.ifname };
  return tap.hasMoved ? { ...name, nic_netns: netnsName(nic.netns) } : name;
}

function watchPlace(port: TapPort, { ifname, netns }: NicState, look: Look): void {
  const place = port.tap.hasMoved ? `${ifname} in netns ${netnsName(netns)}` : ifname;
  const memory = look.memory(port);
  if ((memory.place ?? port.tap.ifname) !== place) look.moved(port, place);
  memory.place = place;
}
