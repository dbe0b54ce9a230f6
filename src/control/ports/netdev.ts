/**
 * Netdev ports: existing interfaces, attached by packet sockets. The switch changes nothing of them; the port shows their state.
 */

import { z } from 'zod';
import { netdevOptions } from '../../config/options/netdev.js';
import { keysThat } from '../../config/options/option.js';
import type { LocalConfigOf } from '../../config/types.js';
import { continueNetdev, hasInterface, type NetdevHandle, type NetdevState, openNetdev } from '../../port/netdev.js';
import { netnsRemedy } from '../../text/netns.js';
import type { FlowPort } from '../../dataplane/state/flows.js';
import type { FlowDevice } from '../../port/native-flow-table.js';
import { netnsNumber } from '../../port/netns.js';
import { NO_FD } from '../devices/absent-tap.js';
import { DEFAULT_MTU, type DeviceSource } from '../devices/devices.js';
import type { OwnMacPort } from '../model/model.js';
import { readFacts } from './facts.js';
import { portFlags } from './port-flags.js';
import type { PortKind } from './port-kind.js';

/**
 * See `NetdevHandle.bequeath`. Versions without packet rings say `silencer`, and know nothing else: one that takes a port over from this
 * version must refuse, and leave it to the former process, since it would wait for frames that go into the ring.
 */
export const FACTS = z.union([
  z.object({ home: z.number(), silenced: z.boolean() }),
  z
    .object({ home: z.number(), silencer: z.boolean() })
    .transform(({ home, silencer }) => ({ home, silenced: silencer })),
]);

type NetdevConfig = LocalConfigOf<'netdev'>;

/** `null`: the interface is missing. */
interface OpenNetdev {
  handle: NetdevHandle | null;
  /** The programs that carry its known flows; null: none do. */
  flow: FlowDevice | null;
}

interface NetdevPort extends OwnMacPort {
  kind: 'netdev';
  config: NetdevConfig;
  device: OpenNetdev;
  /** The MTU that the engines have. */
  mtu: number;
  /** Whether the interface is down, or without carrier: the kernel then drops frames without a word. */
  isDark: boolean;
}

export const NETDEV: PortKind<NetdevConfig, NetdevPort, OpenNetdev> = {
  isShared: true,

  identity: (config) =>
    JSON.stringify([config.type, nameOf(config), ...keysThat('new port', netdevOptions).map((key) => config[key])]),

  room: () => ({ vnis: 0, vteps: 0 }),

  open({ name, config }, { devices, orAbsent }) {
    const { netns, host, force } = config;
    const place = { ifname: nameOf(config), ...(netns === undefined ? {} : { netns }) };
    const ring = devices.packetRing;
    return orAbsent<OpenNetdev>(
      () => {
        const handle = devices.keep(name, (queues) => openNetdev({ ...place, queues, ring, host, force }));
        return { handle, flow: flowOf(handle, devices, netns) };
      },
      () => ({ handle: null, flow: null }),
      netns,
    );
  },

  bequeath({ device: { handle } }) {
    if (handle === null) return { facts: {}, fds: [] };
    const { fds, home, silencer } = handle.bequeath();
    return { facts: { home, silenced: silencer }, fds };
  },

  inherit({ name, config: { netns } }, bequest, _custody, { devices }) {
    const { home, silenced } = readFacts(name, FACTS, bequest);
    const handle = devices.keep(name, () => continueNetdev(netns, { home, silencer: silenced }, bequest.fds));
    return { handle, flow: flowOf(handle, devices, netns) };
  },

  reopen: () => undefined,

  discard(device, _renewal, devices) {
    device?.flow?.close();
    if (device?.handle != null) devices.drop(device.handle);
  },

  create: (base, { config }, device) => ({
    ...base,
    kind: 'netdev',
    config,
    device,
    mtu: device.handle?.mtu ?? DEFAULT_MTU,
    isDark: false,
    ownFids: [],
    // Without it all that the host gets by the interface would be flooded.
    ownMac: config.host ? (device.handle?.mac ?? '') : '',
    nicMac: () => device.handle?.mac ?? '',
  }),

  attach(port, { devices }, change) {
    const { handle, flow } = port.device;
    change.structure.push({
      op: 'local-port',
      port: port.index,
      bridge: port.bridge?.index ?? 0,
      fds: [...(handle?.fds ?? Array.from({ length: devices.workers }, () => NO_FD))],
      vnetHeaderSize: handle?.vnetHeaderSize ?? 0,
      flags: portFlags(port.bridge?.config ?? null, port.config),
      mtu: port.mtu,
      ...(flow === null ? {} : { flow: flowFacts(flow, port.config.netns) }),
    });
  },

  update: () => undefined,

  moved(port) {
    port.ownFids = [];
  },

  end({ device: { handle, flow } }, _inherited, { devices }, change) {
    // The programs first: what a socket has left to them would be nobody's.
    if (flow !== null) change.afterwards.push(() => flow.close());
    if (handle !== null) change.afterwards.push(() => devices.drop(handle));
  },

  flags: () => 0,
  isDark: ({ isDark }) => isDark,
  sockets: () => [],
  frameMtu: ({ mtu }) => mtu,

  /** A bridge follows a small MTU. A large one does not make the NICs of its guests larger than usual. */
  wayMtu: (_config, _devices, port) => {
    const mtu = port?.device.handle?.mtu ?? DEFAULT_MTU;
    return mtu < DEFAULT_MTU ? mtu : null;
  },

  setMtu(port) {
    const before = port.mtu;
    port.mtu = port.device.handle?.mtu ?? before;
    return port.mtu !== before;
  },

  view(port, isLost) {
    const state = isLost ? null : stateOf(port);
    return {
      operstate: state !== null && faultOf(state) === null ? 'UP' : 'DOWN',
      mtu: state?.mtu ?? port.mtu,
      ...(state === null ? {} : { address: state.mac }),
      ...(port.device.handle === null ? {} : { rx_missed: port.device.handle.missed }),
      ...(state === null || state.ifname === port.name ? {} : { nic: state.ifname }),
    };
  },

  summary: ({ config, mtu, device: { handle } }) => ({
    ifname: nameOf(config),
    netns: config.netns,
    mtu,
    host: handle?.isSilent === false,
  }),

  watch(port, look) {
    const state = stateOf(port);
    if (state === null) {
      look.lost(port);
      return;
    }
    const fault = faultOf(state);
    const wasDark = port.isDark;
    port.isDark = fault !== null;
    const isMtu = state.mtu !== port.mtu;
    if (isMtu || port.isDark !== wasDark) look.stateChanged(isMtu);
    const memory = look.memory(port);
    if ((memory.ifname ?? nameOf(port.config)) !== state.ifname) look.moved(port, state.ifname);
    memory.ifname = state.ifname;
    if (port.ownMac !== '' && port.ownMac !== state.mac) look.macChanged(port);
    look.setFault(port, fault);
  },

  release({ device: { handle, flow } }) {
    flow?.close();
    handle?.release();
  },

  lossFault({ config: { netns } }, machine) {
    if (netns === undefined || machine.netnsExists(netns))
      return 'its interface is gone: deleted, or moved to another network namespace';
    return `its network namespace ${netns} is gone${netnsRemedy(netns)}`;
  },

  mayReturn: ({ config }) => hasInterface({ ifname: nameOf(config), netns: config.netns }),
};

/** With a host beside the switch a frame has two destinations, of which the programs know one. */
function flowOf(
  handle: NetdevHandle,
  devices: Pick<DeviceSource, 'flowDevice'>,
  netns: string | undefined,
): FlowDevice | null {
  const state = handle.isSilent ? handle.state() : null;
  if (state === null) return null;
  const flow = devices.flowDevice({ ifname: state.ifname, netns });
  if (flow === null || flow.index === state.index) return flow;
  // It was renamed meanwhile.
  flow.close();
  return null;
}

function flowFacts({ device, filter, index }: FlowDevice, netns: string | undefined): FlowPort {
  const place = netnsNumber(netns);
  return { device, filter, index, place, isHome: place === netnsNumber() };
}

function nameOf({ ifname, name }: NetdevConfig): string {
  return ifname ?? name;
}

function stateOf({ device: { handle } }: NetdevPort): NetdevState | null {
  return handle?.state() ?? null;
}

function faultOf({ ifname, up, carrier }: NetdevState): string | null {
  if (!up) return `the interface ${ifname} is down`;
  return carrier ? null : `the interface ${ifname} has no carrier`;
}
