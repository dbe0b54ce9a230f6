/**
 * Puts the tables and counters of the former process into those of this one, whose engines stand still. Rows whose link, VLAN or
 * remote this process does not have are left out: they are learned again.
 */
import {
  ABSENT_HOST_PORT,
  destinationOf,
  destinationPort,
  destinationRemote,
  GROUP_REMOTES,
} from '../../dataplane/state/destination.js';
import { fidOf, fidParts } from '../../dataplane/state/fid.js';
import { RETIRED } from '../../dataplane/state/counters.js';
import type { RemoteTable } from '../../encap/remotes.js';
import {
  KEY_WORDS,
  SENT_AGE,
  SENT_DESTINATION,
  SENT_FID,
  SENT_MAC_HIGH,
  SENT_MAC_LOW,
  SENT_MOVES,
  SENT_OWNER,
  SENT_WORDS,
} from '../../fdb/table.js';
import { parseAddress } from '../../wire/ip-address.js';
import type { Legacy as Tables } from '../engines/engines.js';
import { isTunnel, type SwitchModel } from '../model/model.js';
import type { HeardVlan } from '../tables/mdb.js';
import type { Counts, Names, State } from './estate.js';
import { BINDING_SENT_WORDS } from './tables.js';

const TICK_MASK = 0x7fffffff;
/** Oldest age in ticks that a stamp can have. */
const MOST_AGE = 0x3fffffff;

export interface Restored {
  model: SwitchModel;
  remotes: RemoteTable;
  tables: Pick<Tables, 'fdb' | 'neigh' | 'counters'>;
  /** The present tick of engines that start now. */
  tick: number;
}

/** Indexes of the former process in terms of this one. */
export class Translation {
  private readonly bridges: Map<number, number>;
  private readonly ports: Map<number, number>;
  private readonly remotes = new Map<number, number>();

  constructor(
    { bridges, ports, remotes, groups }: Names,
    private readonly to: Restored,
  ) {
    const { model } = to;
    this.bridges = indexes(bridges, (name) => model.bridges.get(name)?.index);
    this.ports = indexes(ports, (name) => model.ports.get(name)?.index);
    this.ports.set(ABSENT_HOST_PORT, ABSENT_HOST_PORT);
    for (const remote of remotes) {
      const found = this.remoteOf(remote);
      if (found !== 0) this.remotes.set(remote.index, found);
    }
    for (const { index, port: name, nhid } of groups) {
      const port = model.ports.get(name);
      const use = isTunnel(port) ? port.nexthops.get(nhid) : undefined;
      if (use !== undefined) this.remotes.set(GROUP_REMOTES + index, GROUP_REMOTES + use.index);
    }
  }

  private remoteOf({ port: name, address, udpPort, vni, heard }: Names['remotes'][number]): number {
    const { model, remotes, tick } = this.to;
    const port = model.ports.get(name);
    const words = parseAddress(address)?.words;
    if (!isTunnel(port) || words === undefined) return 0;
    if (heard !== undefined) return remotes.restore(port.index, words, udpPort, stampOf(tick, heard));
    const vtep = port.vteps.get(address);
    if (vtep === undefined) return 0;
    if (vni === undefined && vtep.udpPort === udpPort) return vtep.home;
    return [...vtep.others.values()].find((one) => one.udpPort === udpPort && one.sent?.vni === vni)?.remote ?? 0;
  }

  bridge(index: number): number | undefined {
    return this.bridges.get(index);
  }

  port(index: number): number | undefined {
    return this.ports.get(index);
  }

  remote(index: number): number | undefined {
    return this.remotes.get(index);
  }

  /** A FID of a VLAN; undefined also for one of pinned MACs, which are configured. */
  fid(fid: number): number | undefined {
    const parts = fidParts(fid);
    const bridge = parts === null ? undefined : this.bridges.get(parts.bridge);
    return parts === null || bridge === undefined ? undefined : fidOf(bridge, parts.vid);
  }

  destination(destination: number): number | undefined {
    const port = this.ports.get(destinationPort(destination));
    const remote = destinationRemote(destination);
    const other = remote === 0 ? 0 : this.remotes.get(remote);
    return port === undefined || other === undefined ? undefined : destinationOf(port, other);
  }
}

function indexes(
  list: readonly (readonly [number, string])[],
  find: (name: string) => number | undefined,
): Map<number, number> {
  return new Map(
    list.flatMap(([index, name]) => {
      const found = find(name);
      return found === undefined ? [] : [[index, found] as const];
    }),
  );
}

const stampOf = (tick: number, age: number): number => (tick - Math.max(0, Math.min(age, MOST_AGE))) & TICK_MASK;

/** @param words SENT_WORDS each @returns the number of entries that are in the table now */
export function restoreEntries(words: Int32Array, by: Translation, { tables: { fdb }, tick }: Restored): number {
  let restored = 0;
  for (let at = 0; at < words.length; at += SENT_WORDS) {
    const fid = by.fid(words[at + SENT_FID]);
    const destination = by.destination(words[at + SENT_DESTINATION]);
    const owner = by.port(words[at + SENT_OWNER]);
    if (fid === undefined || destination === undefined || owner === undefined) continue;
    const high = words[at + SENT_MAC_HIGH] & 0xffff;
    const flags = words[at + SENT_MAC_HIGH] >>> 16;
    const stamp = stampOf(tick, words[at + SENT_AGE]);
    const moves = words[at + SENT_MOVES];
    if (fdb.restore(high, words[at + SENT_MAC_LOW], fid, destination, owner, flags, stamp, moves)) restored++;
  }
  return restored;
}

/** @param words KEY_WORDS each */
export function removeEntries(words: Int32Array, by: Translation, { tables: { fdb } }: Restored): void {
  for (let at = 0; at < words.length; at += KEY_WORDS) {
    const fid = by.fid(words[at + 2]);
    if (fid !== undefined) fdb.remove(words[at + 1] & 0xffff, words[at], fid);
  }
}

/** @param words BINDING_SENT_WORDS each */
export function restoreBindings(words: Int32Array, by: Translation, { tables: { neigh }, tick }: Restored): void {
  for (let at = 0; at < words.length; at += BINDING_SENT_WORDS) {
    const fid = by.fid(words[at]);
    const port = by.port(words[at + 7]);
    if (fid === undefined || port === undefined) continue;
    const word = words[at + 5];
    const address = words.subarray(at + 1, at + 5);
    neigh.restore(fid, address, word & 0xffff, words[at + 6], word >>> 16, port, stampOf(tick, words[at + 8]));
  }
}

export function restoreCounts(counts: Counts, by: Translation, { model, tables: { counters, fdb } }: Restored): void {
  for (const [name, account] of counts.ports) {
    const port = model.ports.get(name);
    counters.creditPort(port?.index ?? RETIRED, account);
  }
  counters.creditPort(RETIRED, counts.retired);
  counters.replicated(counts.replicated);
  counters.tunnelled(counts.tunnelled);
  for (const [index, traffic] of counts.remotes) {
    const remote = by.remote(index);
    if (remote !== undefined) counters.creditRemote(remote, traffic);
  }
  const tunnels = [...model.ports.values()].filter(isTunnel);
  const vnis = new Map(
    tunnels.flatMap((port) => [...port.vnis, ...port.sentVnis.values()]).map((one) => [one.vni, one]),
  );
  for (const [vni, traffic] of counts.vnis) {
    const counter = vnis.get(vni)?.counter;
    if (counter !== undefined) counters.creditVni(counter, traffic);
  }
  for (const [vni, losses] of counts.losses) {
    const counter = vnis.get(vni)?.counter;
    if (counter !== undefined) counters.creditLosses(counter, losses);
  }
  for (const [name, vid, traffic] of counts.vlans) {
    const counter = model.ports.get(name)?.vlans.get(vid)?.counter ?? 0;
    if (counter !== 0) counters.creditVlan(counter, traffic);
  }
  fdb.continueCounters(counts.fdb);
}

/** Learned groups, in terms of this process. */
export function groupsOf({ groups }: State, by: Translation): HeardVlan[] {
  const places = (list: readonly (readonly [number, number])[]): [number, number][] =>
    list.flatMap(([place, left]) => {
      const here = by.destination(place);
      return here === undefined ? [] : [[here, left] as [number, number]];
    });
  return groups.flatMap(({ bridge, vid, groups: heard, routers, queriers, own }) => {
    const index = by.bridge(bridge);
    if (index === undefined) return [];
    const learned = heard.map(({ address, members, filters = [] }) => ({
      address,
      members: places(members),
      filters: filters.flatMap((filter) => {
        const place = by.destination(filter.place);
        return place === undefined ? [] : [{ ...filter, place }];
      }),
    }));
    return [{ bridge: index, vid, groups: learned, routers: places(routers), queriers, own: own ?? [] }];
  });
}
