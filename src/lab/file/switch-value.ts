/**
 * The configuration of a host's switch as a value: that of the file, completed with ports for guests that have none, or the short form: one
 * bridge with all guests, one vxlan port to all other hosts. It never judges it; `switch-rules.ts` does.
 */
import { portRows } from '../../config/options/schema.js';
import type { LabFile, LabGuest, LabHost } from './lab-file.js';

type Mapping = Record<string, unknown>;

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const mappingsIn = (value: unknown): [string, Mapping][] =>
  Object.entries(isMapping(value) ? value : {}).filter((entry): entry is [string, Mapping] => isMapping(entry[1]));

/** The bridges of a configuration, by name. */
export function bridgesIn(value: unknown): [string, Mapping][] {
  return mappingsIn(isMapping(value) ? value.bridges : undefined);
}

/** All ports of a configuration, with their names and their paths in it. */
export function portsIn(value: unknown): { name: string; port: Mapping; path: string[] }[] {
  const inBridges = bridgesIn(value).flatMap(([bridge, { ports }]) =>
    mappingsIn(ports).map(([name, port]) => ({ name, port, path: ['bridges', bridge, 'ports', name] })),
  );
  const free = mappingsIn(isMapping(value) ? value.ports : undefined);
  return [...inBridges, ...free.map(([name, port]) => ({ name, port, path: ['ports', name] }))];
}

/** The namespace of a guest or router. */
export function namespaceOf({ prefix }: LabFile, name: string): string {
  return `${prefix}-${name}`;
}

/** The names that `netns` may have, and what they stand for. */
export function namespacesIn(lab: LabFile): Map<string, string> {
  const names = [...lab.guests.filter(({ isHost }) => !isHost).map(({ name }) => name), ...lab.routers];
  return new Map(names.map((name) => [name, namespaceOf(lab, name)]));
}

const hex = (n: number): string => n.toString(16).padStart(2, '0');

/** The MAC of a guest: its own, or one by the numbers of host and guest. */
export function macOf(lab: LabFile, guest: LabGuest): string {
  if (guest.mac !== undefined) return guest.mac;
  const host = lab.hosts.findIndex(({ name }) => name === guest.host) + 1;
  const number = lab.guests.filter((one) => one.host === guest.host).indexOf(guest) + 1;
  return `02:00:00:00:${hex(host)}:${hex(number)}`;
}

/** The port of a guest in a configuration whose `netns` are still names. */
export function portOf(value: unknown, guest: LabGuest): { name: string; port: Mapping } | undefined {
  const own = portsIn(value);
  if (!guest.isHost) return own.find(({ port }) => port.type === 'tap' && port.netns === guest.name);
  const bridges = bridgesIn(value).map(([name, port]) => ({ name, port }));
  return [...own, ...bridges].find(({ port }) => port.host_port === true);
}

/** The configuration of a host, with names in `netns`. */
export function switchValue(lab: LabFile, host: LabHost): unknown {
  const value = host.given === undefined ? shortForm(lab, host) : structuredClone(host.given.value);
  const [bridge] = bridgesIn(value);
  for (const guest of lab.guests.filter((one) => one.host === host.name)) {
    const found = portOf(value, guest);
    if (found !== undefined) complete(lab, guest, found.port);
    else if (bridge !== undefined && !guest.isHost) {
      const [, body] = bridge;
      body.ports = { [guest.name]: guestPort(lab, guest), ...(isMapping(body.ports) ? body.ports : {}) };
    }
  }
  return value;
}

/** Puts in what the port leaves to the guest. */
function complete(lab: LabFile, guest: LabGuest, port: Mapping): void {
  if (port.mac === undefined) port.mac = macOf(lab, guest);
  if (port.addresses === undefined && guest.addresses.length > 0) port.addresses = [...guest.addresses];
  if (port.ifname === undefined && guest.ifname !== undefined && !guest.isHost) port.ifname = guest.ifname;
}

function guestPort(lab: LabFile, guest: LabGuest): Mapping {
  return {
    type: 'tap',
    netns: guest.name,
    ifname: guest.ifname ?? 'eth0',
    mac: macOf(lab, guest),
    addresses: [...guest.addresses],
    ...(guest.vlan === undefined ? {} : { vlans: [{ vid: guest.vlan, pvid: true, untagged: true }] }),
  };
}

function shortForm(lab: LabFile, host: LabHost): Mapping {
  const vids = [...new Set(lab.guests.flatMap(({ vlan }) => vlan ?? []))].sort((a, b) => a - b);
  const remotes = lab.hosts.filter((other) => other !== host).map(({ address }) => address);
  const segments =
    vids.length === 0 ? { id: lab.vni } : { vlan_tunnel: true, vlans: vids.map((vid) => ({ vid, tunnel_info: vid })) };
  const own = lab.guests.filter((guest) => guest.host === host.name && !guest.isHost);
  const ports = Object.fromEntries(own.map((guest) => [guest.name, guestPort(lab, guest)]));
  const tunnel = { vxlan0: { type: 'vxlan', ...segments, local: host.address, remotes } };
  const filtering = vids.length === 0 ? {} : { vlan_filtering: true };
  return { bridges: { br0: { ...filtering, ports: { ...ports, ...(remotes.length === 0 ? {} : tunnel) } } } };
}

/**
 * The configuration to be run: namespaces in place of names, and a stream in place of the TAP of a guest whose cable has weather.
 * @param stream the socket of a guest's cable, if it has weather
 */
export function resolvedValue(lab: LabFile, host: LabHost, stream: (guest: string) => string | undefined): unknown {
  const value = switchValue(lab, host);
  const namespaces = namespacesIn(lab);
  for (const { port } of portsIn(value)) {
    const name = port.netns;
    if (typeof name !== 'string') continue;
    const socket = port.type === 'tap' ? stream(name) : undefined;
    if (socket === undefined) port.netns = namespaces.get(name) ?? name;
    else toStream(port, socket);
  }
  return value;
}

const OF_STREAMS = new Set(Object.keys(portRows('qemu')));

function toStream(port: Mapping, socket: string): void {
  for (const key of Object.keys(port)) if (!OF_STREAMS.has(key)) delete port[key];
  Object.assign(port, { type: 'qemu', connect: socket });
}
