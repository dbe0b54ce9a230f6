/** Ports over datagram sockets. */
import type { LocalConfigOf } from '../../config/types.js';
import { continueDatagrams, type DatagramSocket, frameAddress, openDatagrams } from '../../port/datagrams.js';
import { NO_FD } from '../devices/absent-tap.js';
import { DeviceError } from '../model/device-error.js';
import type { LocalPort } from '../model/model.js';
import { accessOf, deviceErrors } from './frame-socket.js';
import { portFlags } from './port-flags.js';
import type { Opening, PortKind } from './port-kind.js';

type UdpConfig = LocalConfigOf<'udp'>;

/** Null: it could not be opened yet. */
interface OpenDatagrams {
  socket: DatagramSocket | null;
}

interface UdpPort extends LocalPort {
  kind: 'udp';
  config: UdpConfig;
  device: OpenDatagrams;
}

export const UDP: PortKind<UdpConfig, UdpPort, OpenDatagrams> = {
  identity: ({ type, local, remote, socket_group, socket_mode }) =>
    JSON.stringify([type, local, remote, socket_group, socket_mode]),

  room: () => ({ vnis: 0, vteps: 0 }),

  open({ name, config }, opening) {
    const { devices, opened, orAbsent } = opening;
    const heir = predecessorOf(config, opening);
    if (heir?.device.socket != null) {
      const { socket } = heir.device;
      opened.inherited.add(heir.device);
      for (const [next, before] of changesOf(socket, heir.config, config)) {
        deviceErrors(name, next);
        opened.undo.unshift(before);
      }
      return heir.device;
    }
    const { local, remote } = config;
    return orAbsent(
      () => ({
        socket: devices.keep(name, () => openDatagrams(frameAddress(local), frameAddress(remote), accessOf(config))),
      }),
      (): OpenDatagrams => ({ socket: null }),
    );
  },

  bequeath: ({ device: { socket } }) => ({ facts: null, fds: socket === null ? [] : [socket.fd] }),

  inherit({ name, config: { local, remote } }, { fds: [fd] }, custody, { devices }) {
    if (fd === undefined) throw new DeviceError(`${name}: the other process gives no socket for it`);
    const [here, there] = [frameAddress(local), frameAddress(remote)];
    return { socket: devices.keep(name, () => continueDatagrams(fd, here, there, custody)) };
  },

  reopen: () => undefined,

  discard(device, _renewal, devices) {
    if (device?.socket != null) devices.drop(device.socket);
  },

  create: (base, { config }, device) => ({ ...base, kind: 'udp', config, device }),

  attach(port, { devices }, change) {
    const { socket } = port.device;
    const remote = socket?.remotePath === undefined ? {} : { remote: socket.remotePath };
    change.structure.push({
      op: 'local-port',
      port: port.index,
      bridge: port.bridge?.index ?? 0,
      fds: Array.from({ length: devices.workers }, () => socket?.fd ?? NO_FD),
      vnetHeaderSize: 0,
      flags: portFlags(port.bridge?.config ?? null, port.config),
      mtu: port.config.mtu,
      socket: { form: 'datagrams', reader: port.index % devices.workers, ...remote },
    });
  },

  update: () => undefined,
  moved: () => undefined,

  end({ device }, inherited, { devices }, change) {
    const { socket } = device;
    if (socket !== null && !inherited.has(device)) change.afterwards.push(() => devices.drop(socket));
  },

  flags: () => 0,
  sockets: () => [],
  frameMtu: ({ config: { mtu } }) => mtu,
  wayMtu: () => null,
  setMtu: () => false,
  view: ({ device: { socket }, config: { mtu } }, isLost) => ({
    operstate: socket === null || isLost ? 'DOWN' : 'UP',
    mtu,
  }),
  summary: ({ config: { local, remote, mtu } }) => ({ local, remote, mtu }),
  watch: () => undefined,
  lossFault: () => 'its socket is gone',
  mayReturn: () => true,
};

/** The port that ends with this change and has the same local address, which cannot be opened twice. */
function predecessorOf(config: UdpConfig, { model, ending }: Opening): UdpPort | undefined {
  return ending
    .map((name) => model.ports.get(name))
    .filter((port) => port?.kind === 'udp')
    .map((port) => port as UdpPort)
    .find(({ index, config: { local } }) => !model.lost.has(index) && local === config.local);
}

/** What makes the socket that of another port, each with its undo. */
function changesOf(socket: DatagramSocket, before: UdpConfig, after: UdpConfig): [() => void, () => void][] {
  const to = (config: UdpConfig) => () => socket.setRemote(frameAddress(config.remote));
  const give = (config: UdpConfig) => () => socket.setAccess(accessOf(config));
  const sameAccess = before.socket_group === after.socket_group && before.socket_mode === after.socket_mode;
  return [[to(after), to(before)], ...(sameAccess ? [] : [[give(after), give(before)] as [() => void, () => void]])];
}
