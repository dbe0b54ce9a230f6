/** The rules across the values of a lab file: names, numbers of things, references. It never looks into a switch's configuration. */
import type { FaultList, Path } from '../../config/read/faults.js';
import { quote } from '../../values/show.js';
import { weatherFault, weatherOf } from '../weather/weather.js';
import type { LabFile } from './lab-file.js';
import { linksOf } from './links.js';
import type { Notes } from './notes.js';
import { labValue } from '../values/lab-value.js';

const MOST = { hosts: 16, guests: 64, routers: 16, routes: 64, weather: 64, checks: 200 } as const;
/** Names of files beside those of the hosts, and of the namespace of the underlay. */
const TAKEN = ['net', 'lab', 'state', 'weather'];

export function checkLab(lab: LabFile, faults: FaultList, notes: Notes): void {
  const before = faults.count;
  for (const [key, most] of Object.entries(MOST)) {
    const { length } = lab[key as keyof typeof MOST];
    if (length > most) faults.at([key], `a lab has at most ${most} ${key}, these are ${length}`);
  }
  if (lab.hosts.length === 0 && before === 0) faults.at(['hosts'], 'a lab has at least one host; give one');
  if (faults.count > before) return;
  checkNames(lab, faults);
  checkUnderlay(lab, faults, notes);
  checkGuests(lab, faults, notes);
  checkRoutes(lab, faults, notes);
  checkWeather(lab, faults, notes);
  checkReferences(lab, faults, notes);
}

function checkNames(lab: LabFile, faults: FaultList): void {
  const taken = new Map<string, string>();
  const take = (name: string, what: string, path: Path): void => {
    const valid = labValue.name.safeParse(name);
    if (!valid.success) faults.atKey(path, valid.error.issues[0]?.message ?? '');
    else if (TAKEN.includes(name))
      faults.atKey(path, `${quote(name)} is a name that labs use themselves; choose another`);
    else if (taken.has(name)) faults.atKey(path, `${quote(name)} is a ${taken.get(name)} too; choose another name`);
    taken.set(name, what);
  };
  for (const { name } of lab.hosts) take(name, 'host', ['hosts', name]);
  // A guest that is the host itself may have its name.
  for (const { name, isHost, host } of lab.guests)
    if (!(isHost && name === host)) take(name, 'guest', ['guests', name]);
  for (const [i, name] of lab.routers.entries()) take(name, 'router', ['routers', i]);
}

function checkUnderlay(lab: LabFile, faults: FaultList, notes: Notes): void {
  if (lab.underlay === 'pair' && lab.hosts.length > 2)
    faults.at(['underlay'], `'pair' joins two hosts, and these are ${lab.hosts.length}; take 'routed' or 'segment'`);
  const seen = new Set(lab.underlay === 'routed' ? [lab.router] : []);
  for (const host of lab.hosts) {
    const { name, address } = host;
    if (!notes.isWhole(host)) continue; // perhaps its address is at fault
    if (seen.has(address)) faults.at(['hosts', name, 'address'], `${address} is given twice in the underlay`);
    seen.add(address);
  }
}

function checkGuests(lab: LabFile, faults: FaultList, notes: Notes): void {
  const macs = new Map<string, string>();
  for (const guest of lab.guests) {
    const { name, host, addresses, mac, vlan } = guest;
    const isWhole = notes.isWhole(guest);
    const path = ['guests', name];
    const home = lab.hosts.find((one) => one.name === host);
    if (home === undefined && (isWhole || host !== '')) faults.at([...path, 'host'], noSuch('host', host, lab.hosts));
    else if (isWhole && home !== undefined && home.given === undefined && addresses.length === 0)
      faults.at([...path, 'address'], 'is missing; give an address with prefix length, such as 10.0.0.1/24');
    if (isWhole && addresses[0]?.includes(':'))
      faults.at([...path, 'address'], 'is IPv6; give an IPv4 address here and "address6"');
    if (addresses[1]?.includes(':') === false) faults.at([...path, 'address6'], 'is IPv4; give it as "address"');
    if (vlan !== undefined && home?.given !== undefined)
      faults.at([...path, 'vlan'], 'is for hosts without "switch"; give the port of the guest its "vlans" there');
    if (mac !== undefined && macs.has(mac)) faults.at([...path, 'mac'], `is that of ${macs.get(mac)} too`);
    if (mac !== undefined) macs.set(mac, name);
  }
}

function checkRoutes(lab: LabFile, faults: FaultList, notes: Notes): void {
  const places = [...lab.guests, ...lab.routers.map((name) => ({ name }))];
  for (const route of lab.routes) {
    const { from } = route;
    if (from !== undefined && !places.some(({ name }) => name === from))
      faults.at([...notes.place(route), 'from'], noSuch('guest or router', from, places));
  }
}

function checkWeather(lab: LabFile, faults: FaultList, notes: Notes): void {
  const links = linksOf(lab);
  const names = links.flatMap((link) => link.names.map((name) => ({ name })));
  for (const row of lab.weather) {
    const { link, from, weather } = row;
    const path = notes.place(row);
    if (!notes.isWhole(row) && link === '') continue;
    const found = links.find((one) => one.names.includes(link));
    if (found === undefined) faults.at([...path, 'link'], noSuch('link', link, names));
    else if (from !== undefined && !found.ends.includes(from))
      faults.at([...path, 'from'], `the link ${link} has the ends ${found.ends.join(' and ')}; give one of them`);
    const fault = notes.isWhole(row) ? weatherFault(weatherOf(weather)) : undefined;
    if (fault !== undefined) faults.at([...path, 'reorder'], fault);
  }
}

function checkReferences(lab: LabFile, faults: FaultList, notes: Notes): void {
  for (const check of lab.checks) {
    const { word, args } = check;
    const path = [...notes.place(check), word.word];
    for (const [key, kind] of Object.entries(word.names))
      checkNamed(lab, kind, (args as Record<string, unknown>)[key], [...path, key], faults);
    for (const [key, list] of Object.entries(args as Record<string, unknown>))
      for (const [j, item] of (Array.isArray(list) ? list : []).entries())
        if (typeof item === 'object' && item !== null)
          checkNamed(lab, 'guest', item.guests, [...path, key, j, 'guests'], faults);
  }
}

function checkNamed(lab: LabFile, kind: 'guest' | 'host', value: unknown, path: Path, faults: FaultList): void {
  const known: readonly { readonly name: string }[] = kind === 'guest' ? lab.guests : lab.hosts;
  const refuse = (name: unknown, at: Path): void => {
    if (typeof name === 'string' && !known.some((one) => one.name === name)) faults.at(at, noSuch(kind, name, known));
  };
  if (Array.isArray(value)) for (const [i, name] of value.entries()) refuse(name, [...path, i]);
  else refuse(value, path);
}

function noSuch(what: string, name: string, known: readonly { readonly name: string }[]): string {
  const names = [...new Set(known.map((one) => one.name))].slice(0, 20);
  return `there is no ${what} ${quote(name)}; ${names.length === 0 ? 'there is none' : `there are ${names.join(', ')}`}`;
}
