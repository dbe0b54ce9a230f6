/**
 * The liveness thread: it sends and watches BFD packets, and does nothing else, so neither a busy control thread nor a long batch of
 * an engine lets a session die. Datagrams inside VXLAN come from the engines by rings.
 */
import { randomBytes } from 'node:crypto';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { DatagramReader, hearRing, sendTo, Waiting } from '../port/liveness-socket.js';
import { DatagramRing } from '../shared-memory/datagram-ring.js';
import { BFD_MARK, BFD_PACKET, type BfdPacket, encodeBfd } from '../wire/bfd.js';
import { encodeEnvelope, type Envelope, envelopeBytes, sealEnvelope } from '../wire/bfd-vxlan.js';
import { viewOf } from '../wire/bytes.js';
import { isMapped } from '../wire/ip-address.js';
import { IPV4_HEADER } from '../wire/ipv4.js';
import { IPV6_HEADER } from '../wire/ipv6.js';
import { UDP_HEADER } from '../wire/udp.js';
import type { FromLiveness, LivenessData, PathSpec, SessionSpec, SessionVerdict, ToLiveness } from './contract.js';
import { type Entry, Sessions } from './sessions.js';
import { Status } from './status.js';

/** Longest wait in milliseconds. */
const LONGEST_WAIT = 1000;
/** Datagrams taken from a ring in one round, so that a flood there does not hold up what is due. */
const MOST_OF_RING = 64;

interface Path extends PathSpec {
  around?: Envelope;
}

export class LivenessLoop {
  private readonly paths = new Map<number, Path>();
  private readonly sessions: Sessions;
  private readonly rings: DatagramRing[];
  private readonly reader = new DatagramReader();
  private readonly waiting = new Waiting();
  private receivers: { fd: number; path: number }[] = [];
  private readonly bytes = new Uint8Array(BFD_PACKET);
  private readonly view = new DataView(this.bytes.buffer);
  /** Of this look at the sessions. */
  private verdicts: SessionVerdict[] = [];
  private isRunning = true;

  constructor(
    private readonly port: MessagePort,
    private readonly data: LivenessData,
  ) {
    this.rings = data.rings.map((memory) => new DatagramRing(memory));
    this.sessions = new Sessions({
      random: Math.random,
      discriminator: () => randomBytes(4).readUInt32BE(0),
      transmit: (entry, packet, size) => this.transmit(entry, packet, size),
      changed: ({ spec: { slot }, session: { my, diag }, damping: { told: verdict } }) => {
        this.verdicts.push({ slot, my, verdict, diag });
      },
      measured: ({ spec: { slot }, session: { my } }, { mtu, state: search }) =>
        this.tell({ type: 'path-mtu', slot, my, mtu, search }),
      modeOf: (path) => this.paths.get(path)?.mode,
      status: new Status(data.status),
    });
    this.waiting.watch([data.eventFd]);
  }

  /** Runs until the control thread ends it. */
  run(): void {
    while (this.isRunning) {
      // All that has come counts before anybody is called dead, however late this thread runs.
      this.read();
      const now = performance.now();
      const next = this.sessions.tick(now);
      this.tellVerdicts();
      this.waiting.wait(Math.min(next - performance.now(), LONGEST_WAIT));
      if (!this.waiting.isReady(0)) continue;
      hearRing(this.data.eventFd);
      for (let next = receiveMessageOnPort(this.port); next !== undefined; next = receiveMessageOnPort(this.port))
        this.obey(next.message as ToLiveness);
    }
    this.tell({ type: 'stopped' });
    this.port.close();
  }

  private read(): void {
    const now = performance.now();
    const { reader, sessions } = this;
    for (const { fd, path } of this.receivers) {
      reader.read(fd, (address, ttl, offset, length) =>
        sessions.receive(path, reader.words, address, ttl, reader.view, offset, length, now),
      );
    }
    for (const ring of this.rings) {
      ring.drain(MOST_OF_RING, (path, words, address, offset, length) =>
        sessions.receive(path, words, address, -1, ring.view, offset, length, now),
      );
    }
  }

  private obey(message: ToLiveness): void {
    if (message.type === 'stop') {
      if (message.farewell) this.sessions.farewell(performance.now());
      this.isRunning = false;
      return;
    }
    const { paths, sessions, id } = message;
    // Sessions that end say so by the path that they had.
    for (const path of paths) if (!this.paths.has(path.path)) this.paths.set(path.path, begin(path));
    this.sessions.set(sessions, performance.now());
    const staying = new Set(paths.map(({ path }) => path));
    for (const path of this.paths.keys()) if (!staying.has(path)) this.paths.delete(path);
    this.receivers = paths.flatMap(({ path, receiver: fd }) => (fd === undefined ? [] : [{ fd, path }]));
    this.waiting.watch([this.data.eventFd, ...this.receivers.map(({ fd }) => fd)]);
    this.tell({ type: 'applied', id });
  }

  private transmit({ spec }: Entry, packet: BfdPacket, size: number): void {
    const path = this.paths.get(spec.path);
    if (path === undefined) return;
    const { around } = path;
    if (size !== 0 || packet.hasMark) {
      sendTo(path.sender, longDatagram(path, spec.address, packet, size), spec.address, path.port);
      return;
    }
    encodeBfd(around?.view ?? this.view, around?.at ?? 0, packet);
    if (around !== undefined) sealEnvelope(around);
    sendTo(path.sender, around?.bytes ?? this.bytes, spec.address, path.port);
  }

  private tellVerdicts(): void {
    if (this.verdicts.length === 0) return;
    this.tell({ type: 'verdicts', verdicts: this.verdicts });
    this.verdicts = [];
  }

  private tell(message: FromLiveness): void {
    this.port.postMessage(message);
  }
}

function begin(path: PathSpec): Path {
  return path.envelope === undefined ? path : { ...path, around: envelopeOf(path, path.envelope) };
}

function envelopeOf({ path }: PathSpec, envelope: NonNullable<PathSpec['envelope']>, room?: number): Envelope {
  return encodeEnvelope({ ...envelope, sourcePort: 49_152 + path }, room);
}

/** The UDP payload of a probe, or of an answer to one. There are few of these. @param size of the outer IP packet; 0: as short as can be */
function longDatagram(path: PathSpec, address: SessionSpec['address'], packet: BfdPacket, size: number): Uint8Array {
  const family = isMapped(address[0], address[1], address[2]) ? 4 : 6;
  const headers = (family === 4 ? IPV4_HEADER : IPV6_HEADER) + UDP_HEADER;
  const around = path.envelope === undefined ? 0 : envelopeBytes(family);
  const room = Math.max(BFD_PACKET + (packet.hasMark ? BFD_MARK : 0), size - headers - around);
  if (path.envelope === undefined) {
    const bytes = new Uint8Array(room);
    encodeBfd(viewOf(bytes), 0, packet);
    return bytes;
  }
  const envelope = envelopeOf(path, path.envelope, room);
  encodeBfd(envelope.view, envelope.at, packet);
  sealEnvelope(envelope);
  return envelope.bytes;
}
