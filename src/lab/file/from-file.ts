/** Makes a lab of a lab file: topology, configurations, checks. */
import { dirname } from 'node:path';
import { runChecks } from '../checks/words/index.js';
import type { Lab } from '../lab.js';
import type { SwitchFiles } from '../setup/state.js';
import type { Host, Route, Station, Topology } from '../setup/topology.js';
import type { LabFile, LabGuest } from './lab-file.js';
import { macOf, namespaceOf, namespacesIn, portOf, resolvedValue, switchValue } from './switch-value.js';
import { switchText } from './switch-text.js';
import { streamOf, weatherPlanOf } from './weather-plan.js';

const DEFAULT_PREFIX = 24;

/** @param check in place of the checks of the file */
export function labOf(file: LabFile, check?: Lab['check']): Lab {
  const stormy = stormyGuests(file);
  return {
    name: file.lab,
    summary: file.summary,
    topology: topologyOf(file),
    config: (host, files) => configOf(file, host, files, stormy),
    check: check ?? ((inspection) => runChecks(inspection, file.checks)),
    file,
    weather: (folder) => weatherPlanOf(file, folder),
  };
}

function stormyGuests(file: LabFile): Set<string> {
  const links = new Set(file.weather.map(({ link }) => link));
  return new Set(file.guests.filter(({ name, isHost }) => !isHost && links.has(name)).map(({ name }) => name));
}

function configOf(file: LabFile, { name }: Host, files: SwitchFiles, stormy: ReadonlySet<string>): string {
  const host = file.hosts.find((one) => one.name === name);
  if (host === undefined) throw new RangeError(`the lab has no host ${name}`);
  const stream = (guest: string): string | undefined =>
    stormy.has(guest) ? streamOf(dirname(files.socket), guest) : undefined;
  const value = resolvedValue(file, host, stream);
  return switchText({
    lab: file.lab,
    host: name,
    files,
    text: host.given?.text ?? '',
    value,
    namespaces: namespacesIn(file),
  });
}

function topologyOf(file: LabFile): Topology {
  const { hosts, guests, routers, routes, underlay } = file;
  const net = namespaceOf(file, 'net');
  return {
    hosts: hosts.map(({ name, address }) => ({ name, address, netns: namespaceOf(file, name) })),
    stations: guests.map((guest) => stationOf(file, guest)),
    ...(underlay === 'routed' ? { router: { netns: net, address: file.router } } : {}),
    ...(underlay === 'segment' ? { segment: { name: 'net', netns: net } } : {}),
    ...(routers.length > 0 ? { overlayRouters: routers.map((name) => ({ netns: namespaceOf(file, name) })) } : {}),
    ...(routes.length > 0 ? { routes: routes.map((route) => routeOf(file, route)) } : {}),
  };
}

function routeOf(file: LabFile, { from, dev, to, via }: LabFile['routes'][number]): Route {
  return { from: { netns: namespaceOf(file, from), ifname: dev }, to, via };
}

/** A guest as its port in the switch has it. */
function stationOf(file: LabFile, guest: LabGuest): Station {
  const host = file.hosts.find(({ name }) => name === guest.host);
  const found = host && portOf(switchValue(file, host), guest);
  if (host === undefined || found === undefined) throw new RangeError(`guest ${guest.name} has no port`);
  const { name, port } = found;
  const addresses = (Array.isArray(port.addresses) ? port.addresses : []).map(String);
  const [address = '', prefix = ''] = (addresses[0] ?? '').split('/');
  const address6 = addresses.find((one) => one.includes(':'))?.split('/')[0];
  return {
    name: guest.name,
    netns: namespaceOf(file, guest.isHost ? host.name : guest.name),
    ifname: String(port.ifname ?? name),
    address,
    ...(Number(prefix) === DEFAULT_PREFIX ? {} : { prefix: Number(prefix) }),
    ...(address6 === undefined ? {} : { address6 }),
    host: host.name,
    mac: String(port.mac ?? macOf(file, guest)),
  };
}
