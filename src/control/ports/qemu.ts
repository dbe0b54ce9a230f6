/**
 * Ports over QEMU's stream sockets. The port has a peer or is without its device; the end of the stream, which dials or listens,
 * stays the same from one peer to the next.
 */
import { z } from 'zod';
import type { LocalConfigOf } from '../../config/types.js';
import { peerOf, type StreamPeer, StreamEnd, type StreamPlace } from '../../port/stream-end.js';
import { NO_FD } from '../devices/absent-tap.js';
import type { DeviceSource } from '../devices/devices.js';
import { DeviceError } from '../model/device-error.js';
import type { LocalPort, Port } from '../model/model.js';
import { readFacts } from './facts.js';
import { accessOf, deviceErrors } from './frame-socket.js';
import { portFlags } from './port-flags.js';
import type { Opened, Opening, PortKind } from './port-kind.js';

type QemuConfig = LocalConfigOf<'qemu'>;

/** The errno of a stream with a length that no frame has. */
const EPROTO = 71;

/** Descriptors that are given away, in this order, as far as they are there. */
const PARTS = ['listener', 'waiting', 'connection', 'tail'] as const;
const COUNT = z.int().min(0);
const FACTS = z.object({
  has: z.array(z.enum(['end', ...PARTS])),
  connections: COUNT,
  framingErrors: COUNT,
  refused: COUNT,
});

interface OpenStream {
  end: SharedEnd | null;
  /** Null: nobody is connected. */
  peer: StreamPeer | null;
}

/** An end, and the number of devices that use it: two while a port is opened again. */
interface SharedEnd {
  stream: StreamEnd;
  users: number;
}

interface QemuPort extends LocalPort {
  kind: 'qemu';
  config: QemuConfig;
  device: OpenStream;
}

export const QEMU: PortKind<QemuConfig, QemuPort, OpenStream> = {
  identity: ({ type, connect, listen, socket_group, socket_mode }) =>
    JSON.stringify([type, connect, listen, socket_group, socket_mode]),

  room: () => ({ vnis: 0, vteps: 0 }),

  open({ name, config }, opening) {
    const { model, devices, opened, orAbsent } = opening;
    const before = predecessorOf(config, opening);
    if (before !== undefined) takeAccess(name, before, config, opened);
    if (before !== undefined && before.device.peer !== null && !model.lost.has(before.index)) {
      opened.inherited.add(before.device);
      return before.device;
    }
    return orAbsent(
      () => openStream(name, before?.device.end ?? openEnd(name, config, devices), opening),
      () => ({ end: null, peer: null }),
    );
  },

  bequeath: ({ device }) => bequestOf(device),
  bequeathWaiting: ({ device: { end } }) => bequestOf({ end, peer: null }),

  inherit({ name, config }, bequest, custody, { devices }) {
    const { has, ...counts } = readFacts(name, FACTS, bequest);
    const fds = [...bequest.fds];
    const take = (part: (typeof PARTS)[number]): number | null => (has.includes(part) ? (fds.shift() ?? null) : null);
    const [listener, waiting, connection, tail] = PARTS.map(take);
    if (!has.includes('end')) return { end: null, peer: null };
    const former = { ...counts, listener, waiting, custody };
    const stream = devices.keep(name, () => new StreamEnd(placeOf(config), undefined, former));
    const peer = connection === null || tail === null ? null : devices.keep(name, () => peerOf(connection, tail));
    return { end: { stream, users: 1 }, peer };
  },

  reopen: () => undefined,

  discard(device, _renewal, devices) {
    if (device !== undefined) closeStream(device, devices);
  },

  create: (base, { config }, device) => ({ ...base, kind: 'qemu', config, device }),

  attach(port, { devices }, change) {
    const { peer } = port.device;
    change.structure.push({
      op: 'local-port',
      port: port.index,
      bridge: port.bridge?.index ?? 0,
      fds: Array.from({ length: devices.workers }, () => peer?.fd ?? NO_FD),
      vnetHeaderSize: 0,
      flags: portFlags(port.bridge?.config ?? null, port.config),
      mtu: port.config.mtu,
      ...(peer === null
        ? {}
        : { socket: { form: 'stream', tail: peer.tail, reader: port.index % devices.workers } as const }),
    });
  },

  update: () => undefined,
  moved: () => undefined,

  end({ device }, inherited, { devices }, change) {
    if (!inherited.has(device)) change.afterwards.push(() => closeStream(device, devices));
  },

  flags: () => 0,
  sockets: () => [],
  frameMtu: ({ config: { mtu } }) => mtu,
  wayMtu: () => null,
  setMtu: () => false,

  view({ device: { end, peer }, config: { mtu, listen } }, isLost) {
    const operstate = peer === null || isLost ? 'DOWN' : 'UP';
    if (end === null) return { operstate, mtu };
    const { connections, framingErrors, refused } = end.stream;
    const refusals = listen === undefined ? {} : { refused_peers: refused };
    return { operstate, mtu, connections, framing_errors: framingErrors, ...refusals };
  },

  summary: ({ config: { connect, listen, mtu } }) => ({ connect, listen, mtu }),

  watch: ({ device: { end } }) => end?.stream.refuseOthers(),

  lossFault({ device: { end } }, _machine, errno) {
    end?.stream.lose(errno === EPROTO);
    return errno === EPROTO
      ? 'its peer has sent what is no frame, and was cut off'
      : 'its peer has closed the connection';
  },

  mayReturn(port) {
    const { end } = port.device;
    // Without an end the socket could not be made: that is tried again.
    if (end === null) return true;
    const reason = end.stream.look();
    if (reason !== null) port.fault = reason;
    return reason === null;
  },
};

function bequestOf({ end, peer }: OpenStream): { facts: unknown; fds: number[] } {
  if (end === null) return { facts: { has: [], connections: 0, framingErrors: 0, refused: 0 }, fds: [] };
  const { listener, waiting, ...counts } = end.stream.bequeath();
  const all = [listener, waiting, peer?.fd ?? null, peer?.tail ?? null];
  const has = PARTS.filter((_, part) => all[part] !== null);
  return { facts: { has: ['end', ...has], ...counts }, fds: all.filter((fd) => fd !== null) };
}

/** Takes the peer, if there is one; otherwise the port waits. */
function openStream(name: string, end: SharedEnd, { devices, opened, renewed }: Opening): OpenStream {
  end.users++;
  const device: OpenStream = { end, peer: null };
  try {
    const reason = end.stream.look();
    if (reason === null) device.peer = devices.keep(name, () => end.stream.take());
    // A waiting port that is tried again goes on waiting.
    else if (renewed.includes(name)) throw new DeviceError(`${name}: ${reason}`, { cause: new Error(reason) });
    else opened.absent.set(name, reason);
    return device;
  } catch (error) {
    closeStream(device, devices);
    throw error;
  }
}

function openEnd(name: string, config: QemuConfig, devices: DeviceSource): SharedEnd {
  return { stream: devices.keep(name, () => new StreamEnd(placeOf(config))), users: 0 };
}

function closeStream({ end, peer }: OpenStream, devices: DeviceSource): void {
  if (peer !== null) devices.drop(peer);
  if (end !== null && --end.users === 0) devices.drop(end.stream);
}

function placeOf(config: QemuConfig): StreamPlace {
  const { connect = '', listen } = config;
  return listen === undefined ? { connect } : { listen, access: accessOf(config) };
}

/** The port that ends with this change and has the same end: the port itself, or one under another name. */
function predecessorOf(config: QemuConfig, { model, ending }: Opening): QemuPort | undefined {
  return ending
    .map((name) => model.ports.get(name))
    .filter(isQemu)
    .find(({ device: { end }, config: { connect, listen } }) => {
      return end !== null && connect === config.connect && listen === config.listen;
    });
}

function isQemu(port: Port | undefined): port is QemuPort {
  return port?.kind === 'qemu';
}

/** The socket of the port before stays, and gets the access of its new one. */
function takeAccess(
  name: string,
  { device: { end }, config: before }: QemuPort,
  config: QemuConfig,
  opened: Opened,
): void {
  if (before.socket_group === config.socket_group && before.socket_mode === config.socket_mode) return;
  const give = (from: QemuConfig): void => end?.stream.setAccess(accessOf(from));
  deviceErrors(name, () => give(config));
  opened.undo.unshift(() => give(before));
}
