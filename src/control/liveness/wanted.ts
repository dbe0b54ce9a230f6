/** The sessions that the model asks for: one for each VTEP of a place, whatever the number of ports and VNIs that lead there. Pure. */
import type { VxlanConfig } from '../../config/types.js';
import { MAX_SESSIONS, type BfdMode } from '../../liveness/contract.js';
import { isLinkLocal } from '../../wire/ip-address.js';
import { isTunnel, type SwitchModel, type VxlanPort } from '../model/model.js';
import { isMulticastIp } from '../../values/address.js';

/** Where sessions send from and receive at. */
export interface WantedPath {
  key: string;
  mode: BfdMode;
  family: 4 | 6;
  local?: string;
  dev?: string;
  /** Inside VXLAN: the UDP port and the management VNI. */
  dstport: number;
  vni: number;
}

export interface WantedSession {
  key: string;
  path: WantedPath;
  address: string;
  /** Microseconds. */
  interval: number;
  multiplier: number;
  /** Whether the path MTU is probed. */
  probes: boolean;
  /** The ports whose remote it is. */
  ports: VxlanPort[];
}

export interface Wanted {
  sessions: Map<string, WantedSession>;
  /** Remotes beyond MAX_SESSIONS, which have none. */
  refused: number;
}

export function wantedSessions(model: SwitchModel): Wanted {
  const sessions = new Map<string, WantedSession>();
  let refused = 0;
  for (const port of model.ports.values()) {
    if (!isTunnel(port) || port.config.bfd === 'off' || !port.config.up || model.lost.has(port.index)) continue;
    const path = pathOf(port.config, port.config.bfd);
    const { bfd_interval: interval, bfd_multiplier: multiplier, path_mtu_probes: probes } = port.config;
    const timing = { interval: interval * 1000, multiplier };
    for (const address of port.vteps.keys()) {
      if (isMulticastIp(address)) continue;
      const key = keyOf(path, address);
      const present = sessions.get(key);
      if (present !== undefined) {
        join(present, port, timing);
        present.probes ||= probes;
      } else if (sessions.size >= MAX_SESSIONS) refused++;
      else sessions.set(key, { key, path, address, ...timing, probes, ports: [port] });
    }
  }
  return { sessions, refused };
}

/** Ports that share a session have the timing of the one that asks for the shortest detection time. */
function join(session: WantedSession, port: VxlanPort, timing: { interval: number; multiplier: number }): void {
  session.ports.push(port);
  if (timing.interval * timing.multiplier < session.interval * session.multiplier) Object.assign(session, timing);
}

/** The key of the session that a port has with an address; null: it has none. */
export function sessionKey(config: VxlanConfig, address: string): string | null {
  return config.bfd === 'off' ? null : keyOf(pathOf(config, config.bfd), address);
}

function keyOf({ key }: WantedPath, address: string): string {
  return `${key} ${address}`;
}

function pathOf({ local, dev, family, dstport, bfd_vni: vni }: VxlanConfig, mode: BfdMode): WantedPath {
  const link = dev !== undefined && local !== undefined && isLinkLocal(local) ? dev : undefined;
  const inside = mode === 'vxlan' ? ` ${dstport} ${vni}` : '';
  const key = `${mode} ${family} ${local ?? 'any'}${link === undefined ? '' : `%${link}`}${inside}`;
  return {
    key,
    mode,
    family,
    dstport,
    vni,
    ...(local === undefined ? {} : { local }),
    ...(link === undefined ? {} : { dev: link }),
  };
}
