/**
 * The file of `peers_file`: remotes, MACs and bindings, in the words of the configuration. Pure: text to rows, with all faults by line and
 * column.
 */
import { z } from 'zod';
import { readDocument } from '../../../../config/read/document.js';
import { ConfigError, FaultList, type Path } from '../../../../config/read/faults.js';
import { decodeObject } from '../../../../config/read/decode.js';
import { isMulticastMac } from '../../../../values/address.js';
import type { IdRange } from '../../../../values/id-range.js';
import { expected, value } from '../../../../values/value.js';
import type { PeerBinding, PeerFlood, PeerMac } from '../../contract.js';
import { MAX_ROWS, type PeerRows } from '../rows.js';
import type { SourcePort } from '../source.js';
import { readRemote, type UsableSite } from '../usable.js';

/**
 * Characters: about 4,000 entries. YAML of this length takes a second or two to read, during which requests wait, but no frame. JSON takes a
 * tenth of that.
 */
export const MAX_YAML = 256 * 1024;

const FILE = z.strictObject(
  {
    remotes: value.list('remotes such as [192.0.2.2]').optional(),
    fdb: value.list('entries such as { mac: "02:00:00:00:00:01", dst: 192.0.2.2 }').optional(),
    neigh: value.list('bindings such as { dst: 198.18.0.3, lladdr: "02:00:00:00:00:01" }').optional(),
  },
  { error: expected('a mapping of "remotes", "fdb" and "neigh"') },
);

const place = { vni: value.vni.optional(), src_vni: value.vni.optional(), port: value.udpPort.optional() };

const REMOTE = z.strictObject(
  { dst: value.ip, vni: value.vnis.optional(), src_vni: value.vni.optional(), port: value.udpPort.optional() },
  { error: expected('an address, or a mapping such as { dst: 192.0.2.2, vni: 100 }') },
);

const ENTRY = z.strictObject(
  { mac: value.nicMac, dst: value.ip, sticky: value.flag.optional(), ...place },
  { error: expected('an entry such as { mac: "02:00:00:00:00:01", dst: 192.0.2.2 }') },
);

const BINDING = z.strictObject(
  { dst: value.ip, lladdr: value.nicMac, vni: value.vni.optional(), router: value.flag.optional() },
  { error: expected('a binding such as { dst: 198.18.0.3, lladdr: "02:00:00:00:00:01" }') },
);

/**
 * Reads the text of a file. VNIs that the port does not carry, and this host's own addresses, are left out, so that one file serves all hosts.
 * @throws ConfigError
 */
export function readPeerFile(text: string, fileName: string, port: SourcePort, site: UsableSite): PeerRows {
  const json = jsonOf(text);
  const faults = new FaultList(NO_PLACES);
  const rows = json === undefined ? undefined : new PeerFile(port, site, faults).rows(json);
  if (rows !== undefined && faults.count === 0) return rows;
  return readYaml(text, fileName, port, site);
}

const NO_PLACES = { value: () => ({ line: 0, column: 0 }), key: () => ({ line: 0, column: 0 }) };

/** A program's file may be large, and JSON is read at once. undefined: it is no JSON, or has a fault, whose place YAML's reader knows. */
function jsonOf(text: string): unknown {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readYaml(text: string, fileName: string, port: SourcePort, site: UsableSite): PeerRows {
  if (text.length > MAX_YAML) {
    const message = `YAML of more than ${MAX_YAML} characters is not read; write JSON without faults`;
    throw new ConfigError(fileName, [{ line: 1, column: 1, path: '(file)', message }]);
  }
  const { value: raw, locator } = readDocument(text, fileName, { first: '"remotes: []"', aliases: false });
  const faults = new FaultList(locator);
  const rows = new PeerFile(port, site, faults).rows(raw);
  if (faults.count > 0) throw faults.toError(fileName);
  return rows;
}

/** The rows of one file. */
class PeerFile {
  private readonly known: ReadonlySet<number>;
  private count = 0;

  constructor(
    private readonly port: SourcePort,
    private readonly site: UsableSite,
    private readonly faults: FaultList,
  ) {
    this.known = new Set(port.vnis);
  }

  rows(raw: unknown): PeerRows {
    const given = decodeObject(FILE, raw, [], this.faults)?.given ?? {};
    return {
      floods: this.each('remotes', given.remotes, (item, path) => this.floods(item, path)),
      macs: this.each('fdb', given.fdb, (item, path) => this.mac(item, path)),
      bindings: this.each('neigh', given.neigh, (item, path) => this.binding(item, path)),
    };
  }

  private each<T>(key: string, items: readonly unknown[] = [], rowsOf: (item: unknown, path: Path) => T[]): T[] {
    const out: T[] = [];
    for (const [i, item] of items.entries()) {
      const path = [key, i];
      const rows = rowsOf(item, path);
      this.count += rows.length;
      if (this.count > MAX_ROWS) {
        this.faults.at(path, `with this the file makes more than ${MAX_ROWS} rows; use fewer`);
        return out;
      }
      for (const row of rows) out.push(row);
    }
    return out;
  }

  private floods(item: unknown, path: Path): PeerFlood[] {
    const given = typeof item === 'string' ? { dst: item } : item;
    const decoded = decodeObject(REMOTE, given, path, this.faults);
    const remote = this.remote(decoded?.given.dst, typeof item === 'string' ? path : [...path, 'dst']);
    if (decoded === undefined || remote === undefined) return [];
    const { vni, src_vni, port } = decoded.given;
    if (src_vni !== undefined && (vni === undefined || vni.first !== vni.last)) {
      this.faults.at([...path, 'src_vni'], 'needs vni, one number: the VNI that frames are sent with');
      return [];
    }
    const sent = src_vni === undefined || vni === undefined ? {} : { sentVni: vni.first };
    return this.vnisOf(src_vni === undefined ? vni : { first: src_vni, last: src_vni }).map((one) => ({
      port: this.port.name,
      vni: one,
      remote,
      ...this.portOf(port),
      ...sent,
    }));
  }

  private mac(item: unknown, path: Path): PeerMac[] {
    const given = decodeObject(ENTRY, item, path, this.faults)?.given;
    const remote = this.remote(given?.dst, [...path, 'dst']);
    if (given?.mac === undefined || remote === undefined) return [];
    if (isMulticastMac(given.mac)) this.faults.at([...path, 'mac'], `${given.mac} is a multicast MAC address`);
    const { vni, src_vni, mac, sticky = false, port } = given;
    const own = this.oneVni(src_vni ?? vni, path);
    const sent = src_vni === undefined || vni === undefined ? {} : { sentVni: vni };
    return own === undefined
      ? []
      : [{ port: this.port.name, vni: own, remote, ...this.portOf(port), ...sent, mac, sticky }];
  }

  private binding(item: unknown, path: Path): PeerBinding[] {
    const given = decodeObject(BINDING, item, path, this.faults)?.given;
    if (given?.dst === undefined || given.lladdr === undefined) return [];
    const vni = this.oneVni(given.vni, path);
    const { dst: ip, lladdr: mac, router = false } = given;
    return vni === undefined ? [] : [{ port: this.port.name, vni, ip, mac, isRouter: router }];
  }

  private remote(address: string | undefined, path: Path): string | undefined {
    if (address === undefined) return undefined;
    const read = readRemote(address, this.port, this.site);
    if (read === 'own') return undefined;
    if ('address' in read) return read.address;
    this.faults.at(path, read.fault);
    return undefined;
  }

  private portOf(port: number | undefined): { dstport?: number } {
    return port === undefined || port === this.port.dstport ? {} : { dstport: port };
  }

  /** Those of the port that are in a range; all without one. */
  private vnisOf(range: IdRange | undefined): number[] {
    const { vnis } = this.port;
    return range === undefined ? [...vnis] : vnis.filter((vni) => vni >= range.first && vni <= range.last);
  }

  /** undefined: the port does not carry it. */
  private oneVni(vni: number | undefined, path: Path): number | undefined {
    const { vnis, name } = this.port;
    if (vni === undefined && vnis.length !== 1) {
      this.faults.at(path, `needs vni: port ${name} carries ${vnis.length} VNIs`);
      return undefined;
    }
    const one = vni ?? vnis[0];
    return one !== undefined && this.known.has(one) ? one : undefined;
  }
}
