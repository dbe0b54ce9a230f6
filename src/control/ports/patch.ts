/**
 * Patch ports: two ports joined back to back. The first one to be opened makes the pair, its peer takes the other end: in the same
 * change, or through the port watch when the peer was waiting.
 */
import { keysThat } from '../../config/options/option.js';
import { patchOptions } from '../../config/options/patch.js';
import type { LocalConfigOf, PortConfig, SwitchConfig } from '../../config/types.js';
import { adoptPatch, openPatch, type PatchEnd } from '../../port/patch.js';
import { NO_FD } from '../devices/absent-tap.js';
import { DEFAULT_MTU, type DeviceSource } from '../devices/devices.js';
import { DeviceError } from '../model/device-error.js';
import { type BridgeModel, isTunnel, type LocalPort, type Port } from '../model/model.js';
import { portFlags } from './port-flags.js';
import type { Opening, PortKind } from './port-kind.js';

type PatchConfig = LocalConfigOf<'patch'>;

/** Its descriptors, and the end that they belong to; null: the peer is missing. */
interface OpenPatch {
  fds: readonly number[];
  end: PatchEnd | null;
  /** Whether another port has opened the pair. */
  isTaken: boolean;
}

interface PatchPort extends LocalPort {
  kind: 'patch';
  config: PatchConfig;
  device: OpenPatch;
  mtu: number;
  /** The present port of the peer's name. */
  peer(): Port | undefined;
}

export const PATCH: PortKind<PatchConfig, PatchPort, OpenPatch> = {
  identity: (config) => JSON.stringify([config.type, ...keysThat('new port', patchOptions).map((key) => config[key])]),

  room: () => ({ vnis: 0, vteps: 0 }),

  open({ name, config }, { devices, next, opened, renewed, ...opening }) {
    if (!hasPort(next, config.peer)) {
      const reason = missing(config);
      // A waiting port that is tried again goes on waiting.
      if (renewed.includes(name)) throw new DeviceError(`${name}: ${reason}`, { cause: new Error(reason) });
      opened.absent.set(name, reason);
      return { fds: Array.from({ length: devices.workers }, () => NO_FD), end: null, isTaken: false };
    }
    const free = pairOf(config.peer, { opened, ...opening })?.takeOther();
    const end = devices.keep(name, (queues) => free ?? openPatch(queues));
    return { fds: end.fds, end, isTaken: free !== undefined };
  },

  bequeath: ({ device: { end } }) => ({ facts: null, fds: end?.bequeath() ?? [] }),

  inherit({ name, config }, { fds }, _custody, { devices, ...opening }) {
    const peer = pairOf(config.peer, opening);
    const end = devices.keep(name, (queues) => adoptPatch(queues, fds, peer));
    return { fds: end.fds, end, isTaken: peer !== null };
  },

  reopen: () => undefined,

  discard(device, _renewal, devices) {
    if (device?.end == null) return;
    if (device.isTaken) device.end.giveBack();
    else devices.drop(device.end);
  },

  create: (base, { config }, device, { ports }) => ({
    ...base,
    kind: 'patch',
    config,
    device,
    mtu: DEFAULT_MTU,
    peer: () => ports.get(config.peer),
  }),

  attach(port, _around, change) {
    const { fds, end } = port.device;
    change.structure.push({
      op: 'local-port',
      port: port.index,
      bridge: port.bridge?.index ?? 0,
      fds: [...fds],
      vnetHeaderSize: end?.vnetHeaderSize ?? 0,
      flags: portFlags(port.bridge?.config ?? null, port.config),
      mtu: port.mtu,
    });
  },

  update: () => undefined,
  moved: () => undefined,

  end({ device: { end } }, _inherited, { devices }, change) {
    if (end !== null) change.afterwards.push(() => devices.drop(end));
  },

  flags: () => 0,
  sockets: () => [],
  frameMtu: ({ mtu }) => mtu,
  wayMtu: (_config, devices, port) => (port === undefined ? null : wayBehind(port, devices)),

  setMtu(port, _way, bridge) {
    const before = port.mtu;
    port.mtu = Math.max(bridge, largestBehind(port));
    return port.mtu !== before;
  },

  view: ({ device: { end }, mtu }, isLost) => ({ operstate: end === null || isLost ? 'DOWN' : 'UP', mtu }),
  summary: ({ config: { peer }, mtu }) => ({ peer, mtu }),
  watch: () => undefined,
  lossFault: () => 'its device is gone',

  /** Without its peer a port is tried once, for the reason that it shows. */
  mayReturn: (port) => port.peer() !== undefined || port.fault !== missing(port.config),
};

function missing({ peer }: PatchConfig): string {
  return `its peer ${peer} is not there yet`;
}

function hasPort({ bridges, ports }: SwitchConfig, name: string): boolean {
  return [...bridges.flatMap((bridge) => bridge.ports), ...ports].some((port) => port.name === name);
}

/** The pair that a port has after the change, as far as it is open already. */
function pairOf(
  name: string,
  { model, ending, opened }: Pick<Opening, 'model' | 'ending' | 'opened'>,
): PatchEnd | null {
  const made = opened.devices.get(name) as OpenPatch | undefined;
  if (made !== undefined) return made.end;
  const port = model.ports.get(name);
  return isPatch(port) && !ending.includes(name) ? port.device.end : null;
}

function isPatch(port: Port | undefined): port is PatchPort {
  return port?.kind === 'patch';
}

/** The smallest path MTU of the tunnels of all bridges that are reached through the port; null: there is no tunnel. */
function wayBehind(port: PatchPort, devices: DeviceSource): number | null {
  const tunnels = bridgesBehind(port).flatMap(({ ports }) => ports.filter(isTunnel));
  const ways = tunnels.map(({ config, vteps }) => devices.vxlanMtu(config, vteps.keys()));
  return ways.length === 0 ? null : Math.min(...ways);
}

/** The largest MTU behind the port: longer frames would be refused there by every port. */
function largestBehind(port: PatchPort): number {
  const mtus = bridgesBehind(port).flatMap(({ mtu, ports }) => [mtu, ...ports.map(({ config }) => fixedMtu(config))]);
  return Math.max(0, ...mtus);
}

function fixedMtu(config: PortConfig): number {
  return 'mtu' in config && config.mtu !== 'auto' ? config.mtu : 0;
}

/** All bridges that are reached through the port, without its own. */
function bridgesBehind(port: PatchPort): BridgeModel[] {
  const seen = new Set<BridgeModel | null>([port.bridge]);
  const pass = (from: PatchPort): BridgeModel[] => {
    const bridge = from.peer()?.bridge ?? null;
    if (bridge === null || seen.has(bridge)) return [];
    seen.add(bridge);
    return [bridge, ...bridge.ports.filter(isPatch).flatMap(pass)];
  };
  return pass(port);
}
