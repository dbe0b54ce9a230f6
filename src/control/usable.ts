/**
 * The best mode that this host has: what the configuration wants and the kernel gives. Each refusal is reported once, at start.
 */
import { hasOwnNic, isTunnelPort, namesInterface } from '../config/options/kinds.js';
import type { OffloadConfig, SwitchConfig, VxlanConfig } from '../config/types.js';
import { refusalsOf } from '../port/refusals.js';
import type { SelfTest, Trial } from '../port/self-test.js';
import type { SwitchEvents } from './switch-events.js';

const LACKING = 'the kernel lacks it';

export interface Usable {
  /** Offloads both configured and supported. */
  offloads: OffloadConfig;
  /** Engine threads. */
  workers: number;
}

/** @param events gets a report of each refusal */
export function usable(config: SwitchConfig, found: SelfTest, events: SwitchEvents): Usable {
  const needed = neededBy(config);
  for (const refusal of refusalsOf(found)) events.refused(refusal, needed.has(refusal.trial));
  return {
    offloads: usableOffloads(config.offloads, found, needed, events),
    // A TAP with one queue has one reader: of two, each would get part of a flow's frames. A UDP port that is not shared
    // has one receiving socket.
    workers: found.multiQueue && found.reusePort ? config.workers : 1,
  };
}

/** What the links of a configuration make use of. */
function neededBy({ workers, bridges, ports }: SwitchConfig): Set<Trial> {
  const needed = new Set<Trial>(workers > 1 ? ['multiQueue', 'reusePort'] : []);
  const all = [...ports, ...bridges.flatMap((bridge) => bridge.ports)];
  for (const port of all) {
    if (isTunnelPort(port)) for (const trial of neededByTunnel(port)) needed.add(trial);
    if (namesInterface(port) && port.netns !== undefined) needed.add('setns');
    if (port.type === 'netdev') needed.add('packetRing');
    if (port.type === 'netdev' && !port.host) needed.add('tcx').add('flows');
  }
  // A NIC that is given as a descriptor is made by others.
  const made = all.filter(hasOwnNic).filter(({ fd }) => fd === undefined);
  const nics = [...bridges.filter(({ host_port }) => host_port), ...made];
  if (nics.length > 0) needed.add('netlink').add('tap');
  if (nics.some(({ persist }) => persist)) needed.add('persist');
  return needed;
}

function neededByTunnel({ family, local, dev, group, ttl, udpcsum }: VxlanConfig): Trial[] {
  return [
    'buffers',
    'messages',
    'pathMtu',
    ...(family === 6 ? (['ipv6', 'recvTclass', 'noCheck6Rx', 'mtuDiscover6'] as const) : []),
    ...(family === 4 ? (['recvTos', 'mtuDiscover'] as const) : []),
    ...(local === undefined ? (['multicastAll'] as const) : []),
    ...(dev === undefined ? [] : (['bindToDevice'] as const)),
    ...(group === undefined ? [] : (['reusePort'] as const)),
    ...(ttl === 0 ? [] : (['ttl'] as const)),
    ...(udpcsum ? [] : (['noChecksum'] as const)),
  ];
}

function usableOffloads(
  wanted: OffloadConfig,
  found: SelfTest,
  needed: ReadonlySet<Trial>,
  events: SwitchEvents,
): OffloadConfig {
  const has = (
    key: 'tso' | 'udp_segment' | 'udp_gro' | 'vnet_header' | 'packet_ring',
    name: 'tso' | 'udpSegment' | 'udpGro' | 'vnetHeader' | 'packetRing',
  ): boolean => {
    // What could not be tried for want of a TAP is tried with the TAP that is there.
    if (!found.tap && (key === 'vnet_header' || key === 'tso')) return wanted[key];
    const isAsked = key !== 'packet_ring' || needed.has('packetRing');
    if (wanted[key] && !found[name]) events.offloadMissing(key, found.reasons[name] ?? LACKING, isAsked);
    return wanted[key] && found[name];
  };
  const vnet_header = has('vnet_header', 'vnetHeader');
  return {
    vnet_header,
    tso: vnet_header && has('tso', 'tso'),
    udp_segment: has('udp_segment', 'udpSegment'),
    tunnel_gso: usableTunnelGso(wanted.tunnel_gso, found, events),
    udp_gro: has('udp_gro', 'udpGro'),
    packet_ring: has('packet_ring', 'packetRing'),
    io_uring: usableIoUring(wanted.io_uring, found, events),
    flow: usableFlow(wanted.flow, found, needed, events),
  };
}

/** Not reported unless requested explicitly: many hosts forbid it, and all works without. */
function usableIoUring(wanted: boolean | 'auto', found: SelfTest, events: SwitchEvents): boolean {
  if (wanted === false) return false;
  if (!found.ioUring) events.offloadMissing('io_uring', found.reasons.ioUring ?? LACKING, wanted === true);
  return found.ioUring;
}

/** Off unless it is asked for: so whoever has interfaces for it hears of a refusal. */
function usableFlow(
  wanted: OffloadConfig['flow'],
  found: SelfTest,
  needed: ReadonlySet<Trial>,
  events: SwitchEvents,
): OffloadConfig['flow'] {
  if (wanted === 'off') return 'off';
  if (!found.flows) events.offloadMissing('flow', found.reasons.flows ?? LACKING, needed.has('flows'));
  return found.flows ? 'auto' : 'off';
}

/** Not reported unless requested explicitly: most kernels do not support it yet. */
function usableTunnelGso(wanted: boolean | 'auto', found: SelfTest, events: SwitchEvents): boolean | 'auto' {
  if (wanted === false) return false;
  const reason = found.reasons.tunnelGso;
  if (!found.tunnelGso) events.offloadMissing('tunnel_gso', reason ?? LACKING, wanted === true);
  else if (wanted === 'auto' && reason !== undefined) events.offloadHeldBack('tunnel_gso', reason);
  return found.tunnelGso && wanted;
}
