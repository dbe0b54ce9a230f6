/**
 * The sockets of vxlan ports: receiving ones, which ports share by address and UDP port, those of multicast groups, and pools of
 * sending ones. Each has a number, by which the engines know it.
 *
 * Owns the descriptors and who uses them. Never attaches one to an engine, and knows nothing of what goes through it.
 */
import { isOnLink } from '../../config/read/zones.js';
import type { OffloadConfig, VxlanConfig } from '../../config/types.js';
import { MAX_SOCKETS } from '../../dataplane/state/forwarding.js';
import {
  DEFAULT_SENDERS,
  openGroupReceiver,
  openReceiver,
  openSenders,
  type SendingOptions,
  sendByReceiver,
  UnderlayError,
} from '../../port/underlay.js';
import { isLinkLocal } from '../../wire/ip-address.js';
import type { OpenUnderlay, SenderPools } from '../model/model.js';
import { Numbers } from '../model/numbers.js';
import { NO_FD } from './absent-tap.js';

/** As many as the Nic's tables hold. */
const MAX_SENDERS = 65_536;
/** In the place of what a receiving socket is shared by: by nobody. */
const UNSHARED = '';

interface Sender {
  /** One for each engine; they may be the same. */
  fds: readonly number[];
  /** The outer source port. */
  port: number;
  close(): void;
}

interface Opened {
  readonly fd: number;
  readonly port: number;
  close(): void;
}

/** The receiving sockets of one local address and port: one for each engine. */
interface Receiver {
  /** What ports share it by. */
  key: string;
  fds: number[];
  opened: readonly Opened[];
  /** Ports that have it. */
  users: number;
  /** How its ports send by it, those that do; the last one is in force. */
  sendings: SendingOptions[];
}

/** What an underlay had to itself, and is closed by `close` once the engines have let it go. */
export interface Released {
  /** Numbers of the receiving sockets that no other port has. */
  sockets: number[];
  senders: number[];
  close(): void;
}

export interface SocketOptions {
  /** Engines; each gets a receiving socket of its own. */
  workers: number;
  offloads: OffloadConfig;
  /** Where in its `srcport` range a pool of senders starts. */
  seed: number;
}

export class UnderlaySockets {
  /** By number. */
  private readonly receivers: (Receiver | undefined)[] = [];
  private readonly senders: (Sender | undefined)[] = [];
  private readonly socketNumbers = new Numbers('local addresses and dstports', 0, MAX_SOCKETS);
  private readonly senderNumbers = new Numbers('sending sockets', 0, MAX_SENDERS);

  constructor(private readonly options: SocketOptions) {}

  /**
   * The sockets of a vxlan port: a receiving one, shared where it can be, and a pool of sending ones.
   * @param deaf what the port had, where its group cannot be heard by it any more; nobody comes to share that
   * @throws UnderlayError, DeviceError; then nothing was opened
   */
  underlay(port: VxlanConfig, deaf?: OpenUnderlay): OpenUnderlay {
    const outdated = deaf?.group == null ? undefined : this.receivers[deaf.group];
    if (outdated !== undefined) outdated.key = UNSHARED;
    const socket = this.receiver(port);
    let group: number | null = null;
    try {
      group = this.groupReceiver(port);
      return { socket, group, pools: this.pools(port, socket) };
    } catch (error) {
      this.release({ sockets: [socket, group], senders: [] }).close();
      throw error;
    }
  }

  /** What stands in the place of sockets that cannot be opened yet: numbers without descriptors. @throws DeviceError */
  absent(): OpenUnderlay {
    const socket = this.keep(UNSHARED, []);
    try {
      const sender = this.senderNumbers.take();
      this.senders[sender] = { fds: this.ofEach(() => NO_FD), port: 0, close: () => undefined };
      return { socket, group: null, pools: { senders: [sender], dfSenders: [] } };
    } catch (error) {
      this.release({ sockets: [socket], senders: [] }).close();
      throw error;
    }
  }

  /** Sending sockets of a vxlan port, in place of those it has. @throws UnderlayError, DeviceError */
  poolsOf(port: VxlanConfig): SenderPools {
    return this.pools(port, this.find(receiverKey(port)));
  }

  private pools(port: VxlanConfig, socket: number): SenderPools {
    const receiver = this.receivers[socket];
    if (receiver !== undefined && sendsByReceiver(port))
      return { senders: [this.senderBy(receiver, sendingOf(port, port.df === 'set'))], dfSenders: [] };
    // Over IPv6 nothing is ever fragmented on the way: one pool is all there is to choose from.
    if (port.df !== 'inherit' || port.family === 6)
      return { senders: this.pool(port, port.df === 'set'), dfSenders: [] };
    const [low, high] = port.srcport;
    const count = Math.min(DEFAULT_SENDERS, Math.floor((high - low + 1) / 2));
    const senders = this.pool(port, false, count);
    try {
      return { senders, dfSenders: this.pool(port, true, count) };
    } catch (error) {
      this.release({ sockets: [], senders }).close();
      throw error;
    }
  }

  private pool(port: VxlanConfig, df: boolean, count?: number): number[] {
    const pool = openSenders({
      ...sendingOf(port, df),
      ...(count === undefined ? {} : { count }),
      range: port.srcport,
      seed: this.options.seed + this.senders.length,
    });
    const numbers: number[] = [];
    try {
      for (const sender of pool) {
        const number = this.senderNumbers.take();
        numbers.push(number);
        this.senders[number] = { fds: this.ofEach(() => sender.fd), port: sender.port, close: () => sender.close() };
      }
    } catch (error) {
      for (const number of numbers) this.senderNumbers.give(number);
      for (const sender of pool) sender.close();
      throw error;
    }
    return numbers;
  }

  /** A receiving socket as a sending one: no other can have its port. Each engine sends by its own. */
  private senderBy(receiver: Receiver, sending: SendingOptions): number {
    const number = this.senderNumbers.take();
    const end = (): void => {
      receiver.sendings = receiver.sendings.filter((one) => one !== sending);
      const before = receiver.sendings.at(-1);
      try {
        if (before !== undefined) setSending(receiver, before);
      } catch {
        // Its device has gone meanwhile: the port that sends so is shown DOWN.
      }
    };
    receiver.sendings.push(sending);
    try {
      setSending(receiver, sending);
    } catch (error) {
      end();
      this.senderNumbers.give(number);
      throw error;
    }
    this.senders[number] = { fds: receiver.fds, port: receiver.opened[0]?.port ?? 0, close: end };
    return number;
  }

  private receiver(port: VxlanConfig): number {
    const key = receiverKey(port);
    const shared = this.share(key);
    if (shared !== null) return shared;
    const { offloads, workers } = this.options;
    const place = {
      family: port.family,
      port: port.dstport,
      gro: offloads.udp_gro,
      ...(port.local === undefined ? {} : { local: port.local }),
      // A link-local address is bound to on its link only.
      ...(port.dev !== undefined && port.local !== undefined && isLinkLocal(port.local) ? { dev: port.dev } : {}),
    };
    const opened: Opened[] = [];
    try {
      // Sockets that share a port would share it with another switch's too: first see that nobody has it.
      if (workers > 1) openReceiver(place).close();
      while (opened.length < workers) opened.push(openReceiver({ ...place, reusePort: workers > 1 }));
    } catch (error) {
      for (const receiver of opened) receiver.close();
      if (error instanceof UnderlayError && error.code === 'EADDRINUSE') this.sayIfOwn(port, error);
      throw error;
    }
    return this.keep(key, opened);
  }

  /** A UDP port that is taken may be this very switch's. @throws Error that says so */
  private sayIfOwn({ dstport, local }: VxlanConfig, cause: UnderlayError): void {
    const at = `cannot open the underlay's socket at ${local ?? 'any address'}, UDP port ${dstport}`;
    const receiver = this.receivers.find((one) => one?.opened.some(({ port }) => port === dstport));
    if (receiver !== undefined) {
      const place = receiver.key.split(' ')[0] === 'any' ? 'any address' : receiver.key.split(' ')[0];
      const remedy = 'give both the same local, or this one another dstport';
      throw new Error(`${at}: another vxlan port of this switch receives there, at ${place}; ${remedy}`, { cause });
    }
    if (!this.senders.some((one) => one?.port === dstport)) return;
    const remedy = 'choose another dstport, or a srcport range without it';
    throw new Error(`${at}: a vxlan port of this switch sends from that port; ${remedy}`, { cause });
  }

  /** The socket of a port's multicast group. Every socket of a group gets every datagram, so one engine has it. */
  private groupReceiver(port: VxlanConfig): number | null {
    const { group, dev, dstport } = port;
    if (group === undefined || dev === undefined) return null;
    const key = `group ${group} ${dev} ${receiverKey(port)}`;
    return (
      this.share(key) ??
      this.keep(key, [openGroupReceiver({ group, dev, port: dstport, gro: this.options.offloads.udp_gro })])
    );
  }

  /** Something of each engine's. */
  private ofEach<T>(make: (engine: number) => T): T[] {
    return Array.from({ length: this.options.workers }, (_, engine) => make(engine));
  }

  private find(key: string): number {
    return this.receivers.findIndex((receiver) => receiver?.key === key);
  }

  private share(key: string): number | null {
    const shared = this.find(key);
    const known = this.receivers[shared];
    if (known === undefined) return null;
    known.users++;
    return shared;
  }

  private keep(key: string, opened: readonly Opened[]): number {
    const number = this.socketNumbers.tryTake();
    if (number === null) {
      for (const receiver of opened) receiver.close();
      throw new Error(`a switch has at most ${MAX_SOCKETS} local addresses, groups and dstports; let ports share some`);
    }
    const fds = this.ofEach((engine) => opened[engine]?.fd ?? NO_FD);
    this.receivers[number] = { key, users: 1, fds, opened, sendings: [] };
    return number;
  }

  /** Descriptors of a receiving socket, one for each engine. */
  receiverFds(socket: number): number[] {
    return this.receivers[socket]?.fds ?? [];
  }

  /** Descriptors of a sending socket, one for each engine. */
  senderFds(sender: number): readonly number[] {
    return this.senders[sender]?.fds ?? [];
  }

  /** The outer source port of a sending socket. */
  senderPort(sender: number): number {
    return this.senders[sender]?.port ?? 0;
  }

  /** Takes a port's sockets out of use. What it had to itself must be detached from the engines, and then be closed. */
  release({ sockets, senders }: { sockets: readonly (number | null)[]; senders: readonly number[] }): Released {
    const last: { number: number; receiver: Receiver }[] = [];
    for (const number of sockets) {
      const receiver = number === null ? undefined : this.receivers[number];
      if (number === null || receiver === undefined || --receiver.users > 0) continue;
      this.receivers[number] = undefined;
      last.push({ number, receiver });
    }
    const pool = senders.map((number) => this.senders[number]);
    for (const number of senders) this.senders[number] = undefined;
    return {
      sockets: last.map(({ number }) => number),
      senders: [...senders],
      close: () => {
        for (const sender of pool) sender?.close();
        for (const number of senders) this.senderNumbers.give(number);
        for (const { number, receiver } of last) {
          for (const one of receiver.opened) one.close();
          this.socketNumbers.give(number);
        }
      },
    };
  }

  /** Closes everything. Doing it twice does nothing. */
  close(): void {
    for (const sender of this.senders) sender?.close();
    for (const receiver of this.receivers) for (const one of receiver?.opened ?? []) one.close();
    this.receivers.length = 0;
    this.senders.length = 0;
  }
}

/** What vxlan ports share a receiving socket by. */
export function receiverKey({ local, dev, family, dstport }: VxlanConfig): string {
  const link = local !== undefined && isLinkLocal(local) ? `%${dev}` : '';
  return `${local ?? 'any'}${link} ${family} ${dstport}`;
}

/** The one source port that a port may use is the one that it receives on. */
function sendsByReceiver({ srcport: [low, high], dstport }: VxlanConfig): boolean {
  return low === dstport && high === dstport;
}

function sendingOf({ family, local, dev, group, udpcsum, ttl }: VxlanConfig, df: boolean): SendingOptions {
  return {
    family,
    df,
    checksum: udpcsum,
    ...(local === undefined ? {} : { local }),
    ...(dev === undefined || (group !== undefined && !isOnLink({ local, group })) ? {} : { dev }),
    ttl,
    ...(group === undefined || dev === undefined ? {} : { multicast: { dev } }),
  };
}

function setSending(receiver: Receiver, sending: SendingOptions): void {
  for (const one of receiver.opened) sendByReceiver(one, sending);
}
