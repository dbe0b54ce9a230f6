/** What a drawing of a lab shows, from its topology and the configurations of its switches. */
import { readDocumentValue } from '../../config/load.js';
import { isTunnelType } from '../../config/options/kinds.js';
import { bridgesIn, portsIn } from '../file/switch-value.js';
import type { Lab } from '../lab.js';
import { KERNEL_BRIDGE, KERNEL_VXLAN } from '../setup/kernel-vtep.js';
import type { Host, PlainHost } from '../setup/topology.js';
import { type Weather, weatherText } from '../weather/weather.js';

export interface GuestFacts {
  readonly name: string;
  readonly lines: readonly string[];
  readonly kind: 'guest' | 'router' | 'machine';
  /** The weather of its cable, in lines; undefined: none. */
  readonly weather: readonly string[] | undefined;
}

export interface HostFacts {
  readonly name: string;
  readonly address: string;
  /** Bridges, each with its tunnels. */
  readonly bridges: readonly { readonly name: string; readonly tunnels: readonly string[] }[];
  readonly guests: readonly GuestFacts[];
  /** Of its cable to the underlay. */
  readonly weather: readonly string[] | undefined;
}

/** Paths stand in configurations, and in no drawing. */
const NOWHERE = { config: '', socket: '/run/control.sock', log: '' };

export function factsOf(lab: Lab): HostFacts[] {
  const plan = lab.weather?.('/run');
  const weatherOfLink = (name: string): string[] | undefined => {
    const cable = plan?.cables.find(({ names }) => names.includes(name));
    if (cable === undefined) return undefined;
    const [near, far] = cable.weather.map(linesOf) as [string[], string[]];
    if (near.join() === far.join()) return near;
    return [`from ${cable.ends[0]}:`, ...near, `from ${cable.ends[1]}:`, ...far];
  };
  const isGuest = (name: string): boolean => lab.topology.stations.some((one) => one.name === name);
  const hosts = lab.topology.hosts.map((host): HostFacts => {
    const value = readDocumentValue(lab.config(host, NOWHERE), '');
    return {
      name: host.name,
      address: host.address,
      bridges: bridgesOf(value),
      guests: guestsOf(lab, host, value).map((guest) => ({ ...guest, weather: weatherOfLink(guest.name) })),
      weather: isGuest(host.name) ? undefined : weatherOfLink(host.name),
    };
  });
  return [...hosts, ...(lab.topology.plainHosts ?? []).map((host) => plainFacts(lab, host))];
}

function plainFacts(lab: Lab, { name, address, what, vtep }: PlainHost): HostFacts {
  const bridge = vtep && { name: KERNEL_BRIDGE, tunnels: [`${KERNEL_VXLAN}: VNI ${vtep.vni}`] };
  const guests = lab.topology.stations.flatMap((one): GuestFacts[] =>
    one.host === name ? [{ name: one.name, lines: [one.address], kind: 'guest', weather: undefined }] : [],
  );
  return {
    name,
    address,
    bridges: [...(bridge ? [bridge] : []), { name: what, tunnels: [] }],
    guests,
    weather: undefined,
  };
}

/** A line for each setting: `delay 20ms`. */
function linesOf(weather: Weather): string[] {
  return weatherText(weather).match(/\S+( \S+)?/g) ?? [];
}

function bridgesOf(value: unknown): HostFacts['bridges'] {
  return bridgesIn(value).map(([name, body]) => ({
    name,
    tunnels: portsIn({ bridges: { [name]: body } })
      .filter(({ port }) => isTunnelType(port.type))
      .map(({ name: port, port: options }) => `${port}: ${vnisOf(options)}`),
  }));
}

function vnisOf({ id, vlans, group }: Readonly<Record<string, unknown>>): string {
  const to = group === undefined ? '' : `, group ${String(group)}`;
  if (id !== undefined) return `VNI ${String(id)}${to}`;
  const mapped = (Array.isArray(vlans) ? vlans : []).map(
    ({ vid, tunnel_info }: { vid?: unknown; tunnel_info?: unknown }) => `${String(vid)} in VNI ${String(tunnel_info)}`,
  );
  return `VLAN ${mapped.join(', ')}${to}`;
}

function guestsOf(lab: Lab, host: Host, value: unknown): Omit<GuestFacts, 'weather'>[] {
  const { stations, machines = [], overlayRouters = [] } = lab.topology;
  const ports = portsIn(value);
  const vlanOf = (netns: string, name: string): string[] => {
    const port = ports.find((one) => one.port.netns === netns || one.name === name)?.port;
    const [first] = Array.isArray(port?.vlans) ? (port.vlans as { vid?: unknown }[]) : [];
    return first?.vid === undefined ? [] : [`VLAN ${String(first.vid)}`];
  };
  const own = stations.filter((one) => one.host === host.name);
  const routers = overlayRouters.flatMap(({ netns }): Omit<GuestFacts, 'weather'>[] => {
    const nics = ports.filter(({ port }) => port.netns === netns);
    const lines = nics.flatMap(({ port }) => (Array.isArray(port.addresses) ? port.addresses.map(String) : []));
    return nics.length === 0 ? [] : [{ name: netns.replace(/^.*-/, ''), lines, kind: 'router' }];
  });
  return [
    ...own.map(({ name, netns, address, address6 }) => ({
      name,
      lines: [address, ...(address6 === undefined ? [] : [address6]), ...vlanOf(netns, name)],
      kind: 'guest' as const,
    })),
    ...machines
      .filter((one) => one.host === host.name)
      .map(({ name, address }) => ({ name, lines: [address], kind: 'machine' as const })),
    ...routers,
  ];
}
