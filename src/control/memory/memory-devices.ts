/**
 * Devices of a switch in memory: NICs and sockets that are only numbers. Nothing of the host is touched, and nothing fails.
 */
import type { NicConfig, VxlanConfig } from '../../config/types.js';
import { absentTap } from '../devices/absent-tap.js';
import { type DeviceSource, type PlainDevice, type Released, receiverKey, tunnelMtu } from '../devices/devices.js';
import { groupsOf } from '../devices/underlay-sockets.js';
import { stableMac } from '../devices/stable-mac.js';
import type { OpenTap, OpenUnderlay, SenderPools } from '../model/model.js';

const SENDERS = 2;
/** Source port of the first sending socket. */
const SOURCE_PORT = 49_152;

export class MemoryDevices implements DeviceSource {
  readonly workers = 1;
  readonly packetRing = false;
  /** Keys of receiving sockets, by number; ports with one key share it. */
  private readonly receivers: { key: string; users: number }[] = [];
  private senders = 0;
  private fds = 0;

  /** @param name of the switch; @param underlayMtu of every path to a remote */
  constructor(
    private readonly name: string,
    private readonly underlayMtu: number,
  ) {}

  guestTap(config: NicConfig, mtu: number): OpenTap {
    const mac = config.mac ?? stableMac('memory', this.name, '', config.name);
    const tap: OpenTap = {
      ...absentTap(config, mtu, 0, mac),
      fds: [this.fds++],
      state: () => ({ ifname: config.ifname, netns: 0, up: true, mtu: tap.mtu, mac: tap.mac }),
      isAt: (ifname, netns) => ifname === config.ifname && netns === config.netns,
      setMtu(bytes) {
        tap.mtu = bytes;
      },
      setMac(address) {
        tap.mac = address;
      },
    };
    return tap;
  }

  flowDevice(): null {
    return null;
  }

  absentTap(config: NicConfig, mtu: number): OpenTap {
    return this.guestTap(config, mtu);
  }

  underlay(port: VxlanConfig): OpenUnderlay {
    return {
      socket: this.receiver(receiverKey(port)),
      groups: this.groupsOf(port, groupsOf(port)),
      pools: this.poolsOf(port),
    };
  }

  absentUnderlay(): OpenUnderlay {
    return { socket: this.receiver(`absent ${this.receivers.length}`), groups: new Map(), pools: this.pools(false) };
  }

  groupsOf(port: VxlanConfig, addresses: readonly string[]): Map<string, number> {
    return new Map(addresses.map((group) => [group, this.receiver(`group ${group} ${receiverKey(port)}`)]));
  }

  poolsOf({ df }: VxlanConfig): SenderPools {
    return this.pools(df === 'inherit');
  }

  private pools(byDf: boolean): SenderPools {
    const pool = (): number[] => Array.from({ length: SENDERS }, () => this.senders++);
    return { senders: pool(), dfSenders: byDf ? pool() : [] };
  }

  private receiver(key: string): number {
    const shared = this.receivers.findIndex((receiver) => receiver.key === key);
    if (shared >= 0) {
      this.receivers[shared].users++;
      return shared;
    }
    return this.receivers.push({ key, users: 1 }) - 1;
  }

  receiverFds(socket: number): number[] {
    return [socket];
  }

  senderFds(sender: number): number[] {
    return [sender];
  }

  senderPort(sender: number): number {
    return SOURCE_PORT + (sender % (0x10000 - SOURCE_PORT));
  }

  release({ sockets, senders }: Parameters<DeviceSource['release']>[0]): Released {
    const last = sockets.filter((socket): socket is number => socket !== null && --this.receivers[socket].users === 0);
    for (const socket of last) this.receivers[socket].key = 'released';
    return { sockets: last, senders: [...senders], close: () => undefined };
  }

  vxlanMtu(port: VxlanConfig): number {
    return tunnelMtu(port, this.underlayMtu);
  }

  keep<T extends PlainDevice>(_port: string, open: (queues: number) => T): T {
    return open(this.workers);
  }

  drop(device: PlainDevice): void {
    device.close();
  }

  continueTap(): never {
    throw new Error('a switch in memory takes nothing over');
  }

  adoptUnderlay(): never {
    throw new Error('a switch in memory takes nothing over');
  }
}
