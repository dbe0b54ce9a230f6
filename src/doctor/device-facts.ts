/**
 * Collects facts of this process's network namespace for a plan: addresses, devices, routes, neighbours.
 * It reads, and binds sockets briefly; the judges interpret the facts.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { canonicalAddress, isLinkLocal } from '../wire/ip-address.js';
import { zoned } from './pinger.js';
import type { NetdevPlan, NicPlan, VxlanPlan } from './plan.js';

const IFF_MULTICAST = 0x1000;
const BIND_LIMIT_MS = 500;

export interface DeviceFacts {
  readonly up: boolean;
  readonly mtu: number;
  /** Absent: unreadable. */
  readonly multicast?: boolean;
}

/** `gone`: no such device; `no-netns`: no such namespace; `hidden`: this user lacks permission, with the reason. */
export type NicFacts =
  | { state: 'there'; up: boolean; mtu: number }
  | { state: 'gone' }
  | { state: 'no-netns' }
  | { state: 'hidden'; reason: string };

/** Facts of an attached interface; absent ones were not collected. */
export interface NetdevFacts {
  readonly nic: NicFacts;
  /** The device of the default route that depends on it; null: none. */
  readonly routed?: string | null;
  /** Its IP addresses, without link-local ones. */
  readonly addresses?: readonly string[];
}

export type RouteFacts = { state: 'found'; mtu: number } | { state: 'none'; code: string };

/** The result of binding a UDP socket: undefined, or the errno's name. */
export function bindError(
  port: Pick<VxlanPlan, 'family' | 'dev'>,
  address: string,
  udpPort: number,
): Promise<string | undefined> {
  const socket = createSocket({ type: port.family === 4 ? 'udp4' : 'udp6', ipv6Only: port.family === 6 });
  const bound = new Promise<string | undefined>((resolve) => {
    socket.once('error', (error) => resolve('code' in error ? String(error.code) : error.message));
    const place = zoned({ remote: address, ...(port.dev === undefined ? {} : { dev: port.dev }) });
    socket.bind({ address: place, port: udpPort, exclusive: true }, () => resolve(undefined));
  });
  return Promise.race([bound, delay(BIND_LIMIT_MS, 'ETIMEDOUT')]).finally(() => socket.close());
}

/** Functions of `src/port`, loaded on demand, since the addon may be missing. */
export interface Devices {
  device(name: string): DeviceFacts | undefined;
  nic(nic: Pick<NicPlan, 'ifname' | 'netns'>): NicFacts;
  /** An interface that is attached as it is. */
  netdev(plan: Pick<NetdevPlan, 'ifname' | 'netns'>): NetdevFacts;
  /** Addresses of the interfaces of this host that are up. */
  addresses(): Set<string>;
  route(path: { remote: string; local?: string; dev?: string }): RouteFacts;
}

export async function loadDevices(): Promise<Devices> {
  const [{ hostAddresses }, { tapState }, { pathMtu, UnderlayError }, { netnsExists }, { deviceOfDefaultRoute }] =
    await Promise.all([
      import('../port/process.js'),
      import('../port/tap.js'),
      import('../port/underlay.js'),
      import('../config/load.js'),
      import('../port/default-route.js'),
    ]);
  const nic = ({ ifname, netns }: Pick<NicPlan, 'ifname' | 'netns'>): NicFacts => {
    if (netns !== undefined && !netnsExists(netns)) return { state: 'no-netns' };
    try {
      const state = tapState(ifname, netns);
      return state === null ? { state: 'gone' } : { state: 'there', up: state.up, mtu: state.mtu };
    } catch (error) {
      return { state: 'hidden', reason: error instanceof Error ? error.message : String(error) };
    }
  };
  return {
    nic,
    netdev(plan) {
      if (plan.netns !== undefined) return { nic: nic(plan) };
      const own = hostAddresses().filter(({ ifname }) => ifname === plan.ifname);
      const addresses = own.map(({ address }) => canonicalAddress(address)).filter((address) => !isLinkLocal(address));
      return { nic: nic(plan), routed: deviceOfDefaultRoute(plan.ifname), addresses };
    },
    device(name) {
      const state = tapState(name);
      if (state === null) return undefined;
      const multicast = multicastFlag(name, state.mtu);
      return { up: state.up, mtu: state.mtu, ...(multicast === undefined ? {} : { multicast }) };
    },
    addresses() {
      const up = hostAddresses().filter((one) => one.up);
      return new Set(up.map(({ address }) => canonicalAddress(address)));
    },
    route(path) {
      try {
        return { state: 'found', mtu: pathMtu(path) };
      } catch (error) {
        if (error instanceof UnderlayError) return { state: 'none', code: error.code };
        throw error;
      }
    },
  };
}

/** From sysfs, which may show another namespace: a device with a different MTU is ignored. */
function multicastFlag(name: string, mtu: number): boolean | undefined {
  try {
    const read = (file: string): number => Number(readFileSync(`/sys/class/net/${name}/${file}`, 'utf8'));
    return read('mtu') === mtu ? (read('flags') & IFF_MULTICAST) !== 0 : undefined;
  } catch {
    return undefined;
  }
}

/** Addresses with failed ARP resolution, and the interface of the requests. */
export function missingNeighbours(): Map<string, string> {
  try {
    return parseArp(readFileSync('/proc/self/net/arp', 'utf8'));
  } catch {
    return new Map();
  }
}

/** Rows of /proc/net/arp whose flags are 0: requested and not answered. */
export function parseArp(text: string): Map<string, string> {
  const missing = new Map<string, string>();
  for (const line of text.split('\n').slice(1)) {
    const [address, , flags, , , device] = line.trim().split(/\s+/);
    if (address !== undefined && device !== undefined && Number(flags) === 0) missing.set(address, device);
  }
  return missing;
}
