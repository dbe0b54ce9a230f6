/** The plan of a lab's weather process: the cables of the links that the file gives a weather, in place of veth pairs and TAPs of switches. */
import { join } from 'node:path';
import { UNDERLAY_NIC } from '../setup/topology.js';
import { type CableEnd, type CablePlan, socketPath, type WeatherPlan } from '../weather/protocol.js';
import { CLEAR, type Weather, weatherOf } from '../weather/weather.js';
import type { LabFile, LabGuest } from './lab-file.js';
import { type Link, linksOf } from './links.js';
import { macOf, namespaceOf, portOf, switchValue } from './switch-value.js';

/** Path of the stream between a switch and the cable of a guest, or of a host to its segment. */
export function streamOf(folder: string, name: string): string {
  return join(folder, `${name}.link`);
}

/** Undefined: no link has weather. @param folder of the lab */
export function weatherPlanOf(file: LabFile, folder: string): WeatherPlan | undefined {
  const links = linksOf(file).filter(({ names }) => file.weather.some(({ link }) => names.includes(link)));
  if (links.length === 0) return undefined;
  return { socket: socketPath(folder), cables: links.map((link) => cableOf(file, link, folder)) };
}

function cableOf(file: LabFile, link: Link, folder: string): CablePlan {
  const { names, ends } = link;
  return {
    names,
    ends,
    devices: devicesOf(file, link, folder),
    weather: [fromEnd(file, link, 0), fromEnd(file, link, 1)],
  };
}

/** Later lines of the file add to earlier ones. */
function fromEnd(file: LabFile, { names, ends }: Link, side: 0 | 1): Weather {
  const lines = file.weather.filter(
    ({ link, from }) => names.includes(link) && (from === undefined || from === ends[side]),
  );
  return lines.reduce((weather, line) => weatherOf(line.weather, weather), CLEAR);
}

function devicesOf(file: LabFile, { kind, ends }: Link, folder: string): readonly [CableEnd, CableEnd] {
  const [first, second] = ends;
  const nic = (host: string): CableEnd => tap(namespaceOf(file, host), UNDERLAY_NIC);
  if (kind === 'pair') return [nic(first), nic(second)];
  if (kind === 'underlay') {
    const far: CableEnd =
      file.underlay === 'segment'
        ? { form: 'stream', socket: streamOf(folder, first) }
        : tap(namespaceOf(file, 'net'), `to-${first}`);
    return [nic(first), far];
  }
  const guest = file.guests.find(({ name }) => name === first);
  if (guest === undefined) throw new RangeError(`there is no guest ${first}`);
  return [guestNic(file, guest), { form: 'stream', socket: streamOf(folder, first) }];
}

const tap = (netns: string, ifname: string): CableEnd => ({ form: 'tap', netns, ifname, addresses: [] });

function guestNic(file: LabFile, guest: LabGuest): CableEnd {
  const host = file.hosts.find(({ name }) => name === guest.host);
  const found = host && portOf(switchValue(file, host), guest);
  if (found === undefined) throw new RangeError(`guest ${guest.name} has no port`);
  const { name, port } = found;
  return {
    form: 'tap',
    netns: namespaceOf(file, guest.name),
    ifname: String(port.ifname ?? name),
    mac: String(port.mac ?? macOf(file, guest)),
    addresses: (Array.isArray(port.addresses) ? port.addresses : []).map(String),
  };
}
