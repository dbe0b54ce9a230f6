/**
 * The sockets of vxlan ports: receiving sockets, shared by address and UDP port; sockets of multicast groups; pools of sending
 * sockets. Each has an index known to the engines.
 *
 * Owns the descriptors and their reference counts. Attaching them to engines happens elsewhere.
 */
import { isOnLink } from '../../config/read/zones.js';
import type { OffloadConfig, VxlanConfig } from '../../config/types.js';
import { MAX_SOCKETS } from '../../dataplane/state/forwarding.js';
import {
  DEFAULT_SENDERS,
  openGroupReceiver,
  openReceiver,
  moveToVrf,
  openSenders,
  type SendingOptions,
  sendByReceiver,
  UnderlayError,
  vrfOf,
} from '../../port/underlay.js';
import { isLinkLocal } from '../../wire/ip-address.js';
import type { OpenUnderlay, SenderPools } from '../model/model.js';
import { Numbers } from '../model/numbers.js';
import { NO_FD } from './absent-tap.js';

/** Capacity of the PacketIo's tables. */
const MAX_SENDERS = 65_536;
/** Sharing key of a receiving socket that is not shared. */
const UNSHARED = '';

interface Sender {
  /** One descriptor for each engine; they may be the same. */
  fds: readonly number[];
  /** The outer source port. */
  port: number;
  close(): void;
}

export interface Opened {
  readonly fd: number;
  readonly port: number;
  close(): void;
}

/** The sockets of a vxlan port that another process has opened. */
export interface GivenSockets {
  /** One for each engine. */
  receivers: readonly Opened[];
  /** By address. */
  groups: ReadonlyMap<string, Opened>;
  /** Empty: it sends by its receivers. */
  senders: readonly Opened[];
  dfSenders: readonly Opened[];
}

/** The receiving sockets of one local address and port: one for each engine. */
interface Receiver {
  /** Sharing key. */
  key: string;
  fds: number[];
  opened: readonly Opened[];
  /** Number of ports using it. */
  users: number;
  /** Send options of the ports that send by it; the latest are in force. */
  sendings: SendingOptions[];
}

/** Resources exclusive to one underlay; `close` closes them after the engines have detached them. */
export interface Released {
  /** Indexes of the receiving sockets that no other port uses. */
  sockets: number[];
  senders: number[];
  close(): void;
}

export interface SocketOptions {
  /** Number of engines; each gets a receiving socket of its own. */
  workers: number;
  offloads: OffloadConfig;
  /** First port that a pool of sending sockets tries in its `srcport` range. */
  seed: number;
}

export class UnderlaySockets {
  /** By index. */
  private readonly receivers: (Receiver | undefined)[] = [];
  private readonly senders: (Sender | undefined)[] = [];
  private readonly socketNumbers = new Numbers('local addresses and dstports', 0, MAX_SOCKETS);
  private readonly senderNumbers = new Numbers('sending sockets', 0, MAX_SENDERS);

  constructor(private readonly options: SocketOptions) {}

  /**
   * The sockets of a vxlan port: a receiving socket, shared where possible, and a pool of sending sockets.
   * @param deaf the port's former sockets that no longer receive their groups; they are excluded from sharing
   * @throws UnderlayError, DeviceError; nothing is open then
   */
  underlay(port: VxlanConfig, deaf?: OpenUnderlay): OpenUnderlay {
    for (const socket of deaf?.groups.values() ?? []) {
      const outdated = this.receivers[socket];
      if (outdated !== undefined) outdated.key = UNSHARED;
    }
    const binding = bindingOf(port);
    if (deaf !== undefined) this.follow(port, deaf, binding);
    const socket = this.receiver(port, binding);
    let groups: ReadonlyMap<string, number> = new Map();
    try {
      groups = this.groupsOf(port, groupsOf(port));
      return { socket, groups, pools: this.pools(port, socket), ...vrfPart(binding) };
    } catch (error) {
      this.release({ sockets: [socket, ...groups.values()], senders: [] }).close();
      throw error;
    }
  }

  /** The receiving socket of a port that is opened anew goes along to another VRF, unless other ports use it too. */
  private follow(port: VxlanConfig, { socket, vrf }: OpenUnderlay, binding: Binding): void {
    const receiver = this.receivers[socket];
    if (receiver === undefined || receiver.users > 1 || receiver.key !== keyIn(port, { vrf })) return;
    if (binding.link !== undefined || vrf === binding.vrf) return;
    for (const one of receiver.opened) moveToVrf(one, binding.vrf);
    receiver.key = keyIn(port, binding);
  }

  /** The sockets of multicast groups of a port. @throws UnderlayError, DeviceError; nothing is open then */
  groupsOf(port: VxlanConfig, addresses: readonly string[]): Map<string, number> {
    const sockets = new Map<string, number>();
    try {
      for (const group of addresses) sockets.set(group, this.groupReceiver(port, group));
      return sockets;
    } catch (error) {
      this.release({ sockets: [...sockets.values()], senders: [] }).close();
      throw error;
    }
  }

  /** Goes on with the sockets of a vxlan port of another process; those that ports share may be given more than once. */
  adopt(port: VxlanConfig, { receivers, groups: given, senders, dfSenders }: GivenSockets): OpenUnderlay {
    const binding = bindingOf(port);
    const vrf = vrfPart(binding);
    const socket = this.shareOrKeep(keyIn(port, binding), receivers);
    const groups = new Map([...given].map(([group, one]) => [group, this.shareOrKeep(groupKey(port, group), [one])]));
    if (sendsByReceiver(port)) return { socket, groups, pools: this.pools(port, socket), ...vrf };
    const pools = { senders: this.numbered(senders), dfSenders: this.numbered(dfSenders) };
    return { socket, groups, pools, ...vrf };
  }

  private shareOrKeep(key: string, given: readonly Opened[]): number {
    const shared = this.share(key);
    if (shared === null) return this.keep(key, given);
    for (const one of given) one.close();
    return shared;
  }

  /** Placeholder for sockets that cannot be opened yet: indexes without descriptors. @throws DeviceError */
  absent(): OpenUnderlay {
    const socket = this.keep(UNSHARED, []);
    try {
      const sender = this.senderNumbers.take();
      this.senders[sender] = { fds: this.ofEach(() => NO_FD), port: 0, close: () => undefined };
      return { socket, groups: new Map(), pools: { senders: [sender], dfSenders: [] } };
    } catch (error) {
      this.release({ sockets: [socket], senders: [] }).close();
      throw error;
    }
  }

  /** New sending sockets of a vxlan port, replacing its present ones. @throws UnderlayError, DeviceError */
  poolsOf(port: VxlanConfig): SenderPools {
    return this.pools(port, this.find(keyIn(port, bindingOf(port))));
  }

  private pools(port: VxlanConfig, socket: number): SenderPools {
    const receiver = this.receivers[socket];
    if (receiver !== undefined && sendsByReceiver(port))
      return { senders: [this.senderBy(receiver, sendingOf(port, port.df === 'set'))], dfSenders: [] };
    // IPv6 routers never fragment, so one pool serves both DF settings.
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
    return this.numbered(pool);
  }

  /** Gives the sockets of a pool their indexes, or closes them all. */
  private numbered(pool: readonly Opened[]): number[] {
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

  /** Uses a receiving socket as the sending one, since no other socket can have its port. Each engine sends by its own. */
  private senderBy(receiver: Receiver, sending: SendingOptions): number {
    const number = this.senderNumbers.take();
    const end = (): void => {
      receiver.sendings = receiver.sendings.filter((one) => one !== sending);
      const before = receiver.sendings.at(-1);
      try {
        if (before !== undefined) setSending(receiver, before);
      } catch {
        // Its device has disappeared meanwhile: the port is shown DOWN.
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

  private receiver(port: VxlanConfig, binding: Binding): number {
    const dev = binding.vrf ?? binding.link;
    const key = keyIn(port, binding);
    const shared = this.share(key);
    if (shared !== null) return shared;
    const { offloads, workers } = this.options;
    const place = {
      family: port.family,
      port: port.dstport,
      gro: offloads.udp_gro,
      ...(port.local === undefined ? {} : { local: port.local }),
      ...(dev === undefined ? {} : { dev }),
    };
    const opened: Opened[] = [];
    try {
      // SO_REUSEPORT would also share the port with another switch: first check that the port is free.
      if (workers > 1) openReceiver(place).close();
      while (opened.length < workers) opened.push(openReceiver({ ...place, reusePort: workers > 1 }));
    } catch (error) {
      for (const receiver of opened) receiver.close();
      if (error instanceof UnderlayError && error.code === 'EADDRINUSE') this.sayIfOwn(port, error);
      throw error;
    }
    return this.keep(key, opened);
  }

  /** An address in use may belong to this switch. @throws Error whose message names the port */
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

  /** The socket of a multicast group. Every socket of a group receives every datagram, so only one engine has it. */
  private groupReceiver(port: VxlanConfig, group: string): number {
    // The rules demand a device.
    const { dev = '', dstport } = port;
    const key = groupKey(port, group);
    return (
      this.share(key) ??
      this.keep(key, [openGroupReceiver({ group, dev, port: dstport, gro: this.options.offloads.udp_gro })])
    );
  }

  /** One resource for each engine. */
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

  /** Releases a port's sockets. Exclusive ones must be detached from the engines before they are closed. */
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

  /** Closes all sockets. Idempotent. */
  close(): void {
    for (const sender of this.senders) sender?.close();
    for (const receiver of this.receivers) for (const one of receiver?.opened ?? []) one.close();
    this.receivers.length = 0;
    this.senders.length = 0;
  }
}

/** Sharing key of a vxlan port's receiving socket. */
export function receiverKey({ local, dev, family, dstport }: VxlanConfig): string {
  const link = local !== undefined && isLinkLocal(local) ? `%${dev}` : '';
  return `${local ?? 'any'}${link} ${family} ${dstport}`;
}

/** What a receiving socket is bound to: the link of a link-local address, or the VRF that `dev` is in. */
interface Binding {
  link?: string | undefined;
  vrf?: string | undefined;
}

/** The VRF that a port receives by, as it is now; null: none. A link-local address is that of its link, in any VRF. */
export function receivingVrf({ dev, local }: VxlanConfig, vrfNow: (dev: string) => string | null): string | null {
  return dev === undefined || (local !== undefined && isLinkLocal(local)) ? null : vrfNow(dev);
}

function bindingOf(port: VxlanConfig): Binding {
  const { dev, local } = port;
  if (local !== undefined && isLinkLocal(local)) return { link: dev };
  return { vrf: receivingVrf(port, vrfOf) ?? undefined };
}

const vrfPart = ({ vrf }: Binding): { vrf?: string } => (vrf === undefined ? {} : { vrf });

/** As `receiverKey`, and by the VRF: the same address in two VRFs is two addresses. */
function keyIn(port: VxlanConfig, { vrf }: Binding): string {
  const key = receiverKey(port);
  return vrf === undefined ? key : `${key} vrf ${vrf}`;
}

/** The multicast groups of a port and of its VNIs, each once. */
export function groupsOf({ group, vlans }: VxlanConfig): string[] {
  const ofVnis = vlans.flatMap(({ vni, group: own }) => (vni === undefined || own === undefined ? [] : [own]));
  return [...new Set([...(group === undefined ? [] : [group]), ...ofVnis])];
}

function groupKey(port: VxlanConfig, group: string): string {
  return `group ${group} ${port.dev} ${receiverKey(port)}`;
}

/** Whether the port's only source port is its dstport. */
export function sendsByReceiver({ srcport: [low, high], dstport }: VxlanConfig): boolean {
  return low === dstport && high === dstport;
}

function sendingOf(port: VxlanConfig, df: boolean): SendingOptions {
  const { family, local, dev, group, udpcsum, ttl, flowlabel } = port;
  const sendsToGroups = groupsOf(port).length > 0;
  return {
    family,
    df,
    checksum: udpcsum,
    ...(flowlabel === 0 ? {} : { labels: true }),
    ...(local === undefined ? {} : { local }),
    ...(dev === undefined || (sendsToGroups && !isOnLink({ local, group })) ? {} : { dev }),
    ttl,
    ...(sendsToGroups && dev !== undefined ? { multicast: { dev } } : {}),
  };
}

function setSending(receiver: Receiver, sending: SendingOptions): void {
  for (const one of receiver.opened) sendByReceiver(one, sending);
}
