/**
 * The switch's listings as the page needs them: fewer fields, bounded. Values come from a switch, whose shapes are trusted, but not the
 * texts in them: the browser shows text only. Pure.
 */
import type { DroppedFrame, FdbRow, LinkRow, NeighRow, StatsAnswer, VlansAnswer } from '../../api/api.js';
import { fromHex } from '../../wire/bytes.js';
import { dropSentence } from '../../text/drop-sentences.js';
import type { Counters, Drop, FdbEntry, Link, Listing, NeighEntry, Totals } from '../model/messages.js';
import { isTunnelType } from '../model/tunnel-type.js';
import { wordsOf } from './frame-words.js';

/** Rows of a table that are sent to a browser. */
export const MAX_ROWS = 400;
const MAX_LINKS = 256;
const MAX_REMOTES = 64;
/** Dropped frames that are sent, the latest ones. */
const MAX_DROPS = 100;
/** VLAN ranges of one port that are put in words. */
const MAX_RANGES = 24;
const ZERO_MAC = '00:00:00:00:00:00';

/** Option keys of a link row are those of the file, of any type. */
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

/** @param seen addresses of VTEPs by vxlan port, from counters and entries: a group or `accept_vteps: any` lists none */
export function linksOf(
  rows: readonly LinkRow[],
  vlans: VlansAnswer,
  seen: ReadonlyMap<string, ReadonlySet<string>>,
): Link[] {
  return rows.slice(0, MAX_LINKS).map((row) => {
    const local = textOf(row.local);
    const group = textOf(row.group);
    const peer = row.type === 'patch' ? textOf(row.peer) : undefined;
    const remote = isTunnelType(row.type) ? textOf(row.remote) : undefined;
    const listed = [
      ...textsOf(row.remotes),
      ...(remote === undefined ? [] : [remote]),
      ...(seen.get(row.ifname) ?? []),
    ];
    return {
      name: row.ifname,
      type: row.type,
      up: row.operstate === 'UP',
      mtu: row.mtu,
      addresses: textsOf(row.addresses),
      remotes: isTunnelType(row.type) ? [...new Set(listed)].slice(0, MAX_REMOTES) : [],
      hostPort: row.host_port === true,
      vlans: vlanWords(vlans, row.ifname),
      vnis: vniWords(vlans, row),
      ...(row.master === undefined ? {} : { master: row.master }),
      ...(row.fault === undefined ? {} : { fault: row.fault }),
      ...(row.address === undefined ? {} : { mac: row.address }),
      ...(local === undefined || !isTunnelType(row.type) ? {} : { local }),
      ...(group === undefined ? {} : { group }),
      ...(typeof row.id === 'number' ? { vni: row.id } : {}),
      ...(peer === undefined ? {} : { peer }),
    };
  });
}

function vlanWords({ vlans }: VlansAnswer, ifname: string): string[] {
  const ranges = vlans.find((row) => row.ifname === ifname)?.vlans ?? [];
  return bounded(
    ranges.map(({ vlan, vlanEnd, flags }) => {
      const words = flags.map((flag) => (flag === 'PVID' ? 'pvid' : 'untagged'));
      return `${span(vlan, vlanEnd)}${words.length > 0 ? ` (${words.join(', ')})` : ''}`;
    }),
  );
}

function vniWords({ tunnels }: VlansAnswer, { ifname, type, id }: LinkRow): string[] {
  if (isTunnelType(type) && typeof id === 'number') return [`all -> ${id}`];
  const ranges = tunnels.find((row) => row.ifname === ifname)?.tunnels ?? [];
  return bounded(
    ranges.map(({ vlan, vlanEnd, tunid, tunidEnd }) => `${span(vlan, vlanEnd)} -> ${span(tunid, tunidEnd)}`),
  );
}

const span = (first: number, last: number | undefined): string =>
  last === undefined || last === first ? String(first) : `${first}-${last}`;

function bounded(words: string[]): string[] {
  const rest = words.length - MAX_RANGES;
  return rest <= 0 ? words : [...words.slice(0, MAX_RANGES), `and ${rest} more`];
}

/** Addresses of VTEPs by port that counters and entries tell of. */
export function vtepsOf(stats: StatsAnswer, fdb: readonly FdbRow[]): Map<string, Set<string>> {
  const seen = new Map<string, Set<string>>();
  const note = (port: string, address: string): void => {
    const known = seen.get(port) ?? new Set();
    seen.set(port, known);
    if (known.size < MAX_REMOTES) known.add(address);
  };
  for (const [port, { remotes = {} }] of Object.entries(stats.links))
    for (const address of Object.keys(remotes)) note(port, address);
  for (const { ifname, dst } of fdb) if (dst !== undefined) note(ifname, dst);
  return seen;
}

export function fdbOf(rows: readonly FdbRow[]): Listing<FdbEntry> {
  const entries = rows.filter(({ mac }) => mac !== ZERO_MAC);
  const shown = entries.slice(0, MAX_ROWS).map(
    ({ mac, ifname, master, vlan, vni, dst, state, updated }): FdbEntry => ({
      mac,
      port: ifname,
      bridge: master,
      state,
      ...(vlan === undefined ? {} : { vlan }),
      ...(vni === undefined ? {} : { vni }),
      ...(dst === undefined ? {} : { dst }),
      ...(updated === undefined ? {} : { age: updated }),
    }),
  );
  return { rows: shown, total: entries.length };
}

export function neighOf(rows: readonly NeighRow[]): Listing<NeighEntry> {
  const shown = rows.slice(0, MAX_ROWS).map(
    ({ dst, lladdr, ifname, vlan, vni, state }): NeighEntry => ({
      address: dst,
      mac: lladdr,
      port: ifname,
      state,
      ...(vlan === undefined ? {} : { vlan }),
      ...(vni === undefined ? {} : { vni }),
    }),
  );
  return { rows: shown, total: rows.length };
}

type Traffic = Pick<StatsAnswer['links'][string], 'rx_packets' | 'rx_bytes' | 'tx_packets' | 'tx_bytes'>;

const countersOf = (traffic: Traffic, drops: Readonly<Record<string, number>> = {}): Counters => [
  traffic.rx_packets,
  traffic.rx_bytes,
  traffic.tx_packets,
  traffic.tx_bytes,
  Object.values(drops).reduce((sum, count) => sum + count, 0),
];

/** @param at milliseconds since the epoch */
export function totalsOf(stats: StatsAnswer, at: number): Totals {
  const links: Record<string, Counters> = {};
  const remotes: Record<string, Counters> = {};
  for (const [name, link] of Object.entries(stats.links).slice(0, MAX_LINKS)) {
    links[name] = countersOf(link, link.drops);
    for (const [address, traffic] of Object.entries(link.remotes ?? {}).slice(0, MAX_REMOTES))
      remotes[`${name} ${address}`] = countersOf(traffic);
  }
  return { at, links, remotes, drops: stats.drops };
}

/** The latest drops, the earliest first. */
export function dropsOf(rows: readonly DroppedFrame[]): Drop[] {
  return rows.slice(-MAX_DROPS).map(({ time, port, direction, reason, length, frame, vlan, vni, remote, ...row }) => ({
    id: `${row.engine} ${reason} ${row.number}`,
    at: Date.parse(time),
    port,
    isReceived: direction === 'rx',
    reason,
    length,
    frame,
    why: dropSentence(reason),
    ...wordsOf(fromHex(frame)),
    ...(vlan === undefined ? {} : { vlan }),
    ...(vni === undefined ? {} : { vni }),
    ...(remote === undefined ? {} : { remote }),
  }));
}
