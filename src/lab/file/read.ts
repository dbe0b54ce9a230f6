/**
 * Reads a lab file. Each mapping is checked by its own rows, then names and addresses against each other (`rules.ts`), then the configuration
 * of every switch by the rules of configurations; all faults come at once, with line and column. A lab file is data of an author that nobody
 * vouches for: it names no command, no file and nothing outside the lab.
 */
import { shapeOf } from '../../config/options/option.js';
import { ConfigError } from '../../config/load.js';
import { decodeObject } from '../../config/read/decode.js';
import { readDocument, wholeFileError } from '../../config/read/document.js';
import { FaultList, inOrder, type Path } from '../../config/read/faults.js';
import { readText } from '../../config/read/file.js';
import { expected } from '../../values/value.js';
import { z } from 'zod';
import { linkWeatherOptions, settingsIn } from '../weather/weather.js';
import { readChecks } from './checks.js';
import type { LabFile, LabGuest, LabHost, LabRoute } from './lab-file.js';
import { Notes } from './notes.js';
import { guestOptions, hostOptions, labOptions, routeOptions, UNDERLAYS } from './options.js';
import { checkLab } from './rules.js';
import { blockText } from './switch-text.js';
import { switchFaults } from './switch-rules.js';
import { labValue } from '../values/lab-value.js';

/** Characters; the largest ready lab has 5,000. */
const MAX_TEXT = 256 * 1024;

const LAB = z.strictObject(shapeOf(labOptions), { error: expected('a mapping with the keys "lab" and "hosts"') });
const HOST = z.strictObject(shapeOf(hostOptions), { error: expected('a mapping of host options') });
const GUEST = z.strictObject(shapeOf(guestOptions), { error: expected('a guest such as { host: h1 }') });
const ROUTE = z.strictObject(shapeOf(routeOptions), {
  error: expected('a route such as { from: a, to: default, via: 10.0.0.254 }'),
});
const WEATHER = z.strictObject(shapeOf(linkWeatherOptions), {
  error: expected('a link such as { link: a, loss: 1% }'),
});

/** Reads and checks a lab file. @throws ConfigError with all faults */
export function loadLabFile(path: string): LabFile {
  return parseLabFile(readText(path, { regularFile: true }), path);
}

/** Checks the text of a lab file; `fileName` is for messages. @throws ConfigError with all faults */
export function parseLabFile(text: string, fileName: string): LabFile {
  const lab = decodeLabFile(text, fileName);
  const faults = switchFaults(lab, fileName);
  if (faults.length > 0) throw new ConfigError(fileName, inOrder(faults));
  return lab;
}

/** As `parseLabFile`, for a file whose switches are known to be valid: a ready one. */
export function decodeLabFile(text: string, fileName: string): LabFile {
  if (text.length > MAX_TEXT)
    throw wholeFileError(fileName, `the file is longer than ${MAX_TEXT} characters; is it a lab?`);
  const { value, locator } = readDocument(text, fileName, { first: '"lab:" and "hosts:"' });
  const faults = new FaultList(locator);
  const decoder = new Decoder(faults);
  const lab = decode(value, text, decoder, locator);
  if (lab !== undefined) checkLab(lab, faults, decoder.notes);
  if (faults.count > 0 || lab === undefined) throw faults.toError(fileName);
  return lab;
}

/** Reads mappings and lists by their schemas. */
class Decoder {
  readonly notes = new Notes();

  constructor(readonly faults: FaultList) {}

  /** @param make from the values that are valid */
  mapping<S extends z.ZodObject, T>(
    schema: S,
    raw: unknown,
    path: Path,
    make: (given: Partial<z.output<S>>) => T,
  ): T | undefined {
    const before = this.faults.count;
    const given = decodeObject(schema, raw ?? {}, path, this.faults)?.given;
    if (given === undefined) return undefined;
    const made = make(given);
    this.notes.add(made, path, this.faults.count > before);
    return made;
  }

  items<T>(items: readonly unknown[] | undefined, path: Path, read: (item: unknown, at: Path) => T | undefined): T[] {
    return (items ?? []).flatMap((item, i) => read(item, [...path, i]) ?? []);
  }
}

function decode(raw: unknown, text: string, decoder: Decoder, locator: LabFile['locator']): LabFile | undefined {
  const given = decodeObject(LAB, raw, [], decoder.faults)?.given;
  if (given === undefined) return undefined;
  const hosts = Object.entries(given.hosts ?? {}).flatMap(
    ([name, body], index) => hostOf(name, body, index, text, decoder, locator) ?? [],
  );
  const name = given.lab ?? '';
  return {
    lab: name,
    summary: given.summary ?? '',
    prefix: given.prefix ?? `ovt-${name}`,
    underlay: given.underlay ?? (hosts.length > 2 ? UNDERLAYS[1] : UNDERLAYS[0]),
    router: given.router ?? labOptions.router.default,
    vni: given.vni ?? labOptions.vni.default,
    hosts,
    guests: Object.entries(given.guests ?? {}).flatMap(([guest, body]) => guestOf(guest, body, decoder) ?? []),
    routers: decoder.items(given.routers, ['routers'], (item, at) => nameOf(item, at, decoder.faults)),
    routes: decoder.items(given.routes, ['routes'], (item, at) => routeOf(item, at, decoder)),
    weather: decoder.items(given.weather, ['weather'], (item, at) => weatherOf(item, at, decoder)),
    drawing: given.drawing,
    checks: readChecks(given.checks ?? [], decoder.faults, decoder.notes),
    locator,
    source: text,
  };
}

function nameOf(item: unknown, at: Path, faults: FaultList): string | undefined {
  const name = labValue.name.safeParse(item);
  if (!name.success) faults.at(at, name.error.issues[0]?.message ?? '');
  return name.data;
}

function hostOf(
  name: string,
  body: unknown,
  index: number,
  text: string,
  decoder: Decoder,
  locator: LabFile['locator'],
): LabHost | undefined {
  const path = ['hosts', name];
  return decoder.mapping(HOST, body, path, ({ address = `192.0.2.${index + 1}`, switch: value }) => {
    const place = locator.value([...path, 'switch', ...Object.keys(value ?? {}).slice(0, 1)]);
    const key = locator.key([...path, 'switch', ...Object.keys(value ?? {}).slice(0, 1)]);
    const isBlock = value !== undefined && place.line >= key.line && key.line > locator.key([...path, 'switch']).line;
    const given = { value, text: isBlock ? blockText(text, key.line, key.column) : '' };
    return { name, address, given: value === undefined ? undefined : given };
  });
}

function guestOf(name: string, body: unknown, decoder: Decoder): LabGuest | undefined {
  return decoder.mapping(GUEST, body, ['guests', name], (given) => {
    const { host = '', address, address6, mac, ifname, vlan } = given;
    const addresses = [address, address6].flatMap((one) => (one === undefined ? [] : `${one.address}/${one.prefix}`));
    return { name, host, addresses, mac, ifname, vlan, isHost: given.in === 'host' };
  });
}

function routeOf(item: unknown, at: Path, decoder: Decoder): LabRoute | undefined {
  return decoder.mapping(ROUTE, item, at, (given) => ({ dev: routeOptions.dev.default, ...given }) as LabRoute);
}

function weatherOf(item: unknown, at: Path, decoder: Decoder): LabFile['weather'][number] | undefined {
  return decoder.mapping(WEATHER, item, at, (given) => ({
    link: given.link ?? '',
    from: given.from,
    weather: settingsIn(given),
  }));
}
