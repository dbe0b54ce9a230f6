/**
 * The model's tables: one row for each unicast MAC in a VLAN of a bridge, whatever its origin, and the lists of all-zeros and
 * multicast MACs. Implements the effects of new configurations and of `fdb` commands.
 *
 * There is one table, as in a kernel bridge: a configured entry that has moved is at its new location.
 */
import type { FdbRequest } from '../../../src/api/api.js';
import { type BridgeState, type Config, isFiltering, Refused } from './live-config.js';
import { automaticMac } from './live-devices.js';
import {
  type Entry,
  entriesOf,
  entriesOfPort,
  expand,
  expandOwn,
  keyOf,
  type Shown,
  shownPorts,
  vnisOf,
  wordsOf,
  ZERO,
} from './live-entries.js';
import { entryFault, isMany, ownEntryFault } from './live-rules.js';

export interface Row extends Entry {
  bridge: string;
  /** Not learned. */
  set: boolean;
  /** Where it was put, as `port dst udp`; empty: control has found it elsewhere since, or did not put it in. */
  home: string;
  /** A host port's own MAC. */
  own: boolean;
  /** Learned from a VTEP that nobody had named. */
  met: boolean;
  /** Its MAC asks to be let in (`mab`), and is not. */
  locked?: true;
  /** Seconds. */
  seen: number;
  moves: number;
}

const placeOf = ({ port, dst, udp, sent }: Entry): string => `${port} ${dst} ${udp ?? ''} ${sent ?? ''}`;
/** By hand, and for good. */
const isPut = (row: Row): boolean => row.set && !row.own && row.state === 'permanent';
export const isHome = (row: Row): boolean => row.home === placeOf(row);

export class Tables {
  readonly rows = new Map<string, Row>();
  readonly lists = new Map<string, Entry>();
  /** VTEPs that a port has met by itself (`accept_vteps: any`). */
  readonly met = new Map<string, Set<string>>();
  /** VTEPs that a port knows, as they were when something was last changed. */
  known = new Map<string, Set<string>>();
  /** UDP ports of what was learned behind them, by `port address`, likewise: a change that is refused moves none. */
  private readonly homes = new Map<string, number>();
  /** Ports whose devices are not there yet. */
  waiting: ReadonlySet<string> = new Set();
  /** Of TAPs. */
  readonly macs = new Map<string, string>();
  /** Seconds. */
  now = 0;

  /** Control looks where entries are whenever it is asked for a change: one that has strayed by then is let go. */
  look(): void {
    for (const row of this.rows.values()) if (row.home !== '' && !isHome(row)) row.home = '';
  }

  /** A port gets its device: what was put in comes again. */
  renew(port: string, config: Config): void {
    this.look();
    for (const row of this.rows.values()) if (row.port === port && row.set) row.seen = this.now;
    this.settle(config);
  }

  // ---- What a new configuration does

  /** A NIC that another port has still cannot be made. @throws Refused */
  needNics(before: Config, after: Config): void {
    const had = shownPorts(before);
    const taken = new Set([...had.values()].map(({ nic }) => nic));
    for (const { name, identity, kind, nic } of shownPorts(after).values()) {
      const old = had.get(name);
      const stays = old?.kind === kind && old.identity === identity;
      if (!stays && nic !== undefined && taken.has(nic)) throw new Refused('the NIC is in use');
    }
  }

  follow(before: Config, after: Config, way: 'edit' | 'apply'): void {
    const had = shownPorts(before);
    const has = shownPorts(after);
    const anew = new Set<string>();
    for (const [name, old] of had) {
      const port = has.get(name);
      const stays = port !== undefined && port.kind === old.kind && port.identity === old.identity;
      if (!stays) {
        this.met.delete(name);
        this.macs.delete(name);
      }
      if (!stays || port.bridge !== old.bridge) {
        anew.add(name);
        // What is permanent on a bridge itself stays with it, whether it has a host port or not.
        const isOfBridge = old.isHost && after.bridges.has(name);
        this.drop((entry) => entry.port === name && !(isOfBridge && 'own' in entry && isPut(entry as Row)));
      } else {
        this.leaveVlans(before, after, old, port);
      }
    }
    for (const name of before.bridges.keys()) if (!after.bridges.has(name)) this.drop((entry) => entry.port === name);
    for (const name of has.keys()) if (!had.has(name)) anew.add(name);
    if (way === 'edit') this.followEntries(entriesOf(before), entriesOf(after), after);
    else this.followFile(entriesOf(after), after);
    for (const [key, { locked, port }] of this.rows)
      if (locked === true && after.ports.get(port)?.options.mab !== true) this.rows.delete(key);
    for (const name of anew) for (const entry of entriesOfPort(after, name)) this.put(entry, after);
    this.setOwnMacs(after, has);
    this.settle(after);
  }

  /** Deleting a VLAN or the mapping of a VNI takes the entries along. */
  private leaveVlans(before: Config, after: Config, old: Shown, { name, members }: Shown): void {
    for (const vid of old.members.keys()) {
      if (!members.has(vid)) this.drop((entry) => entry.port === name && entry.vid === vid && entry.vni !== null);
      if (!members.has(vid)) this.drop((entry) => entry.port === name && entry.vid === vid && !isMany(entry.mac));
    }
    const vnis = vnisOf(after, name);
    for (const [vid, vni] of vnisOf(before, name)) {
      if (vnis.get(vid) === vni) continue;
      this.drop((entry) => entry.port === name && (entry.vni === vni || (!isMany(entry.mac) && vid === 'all')));
      this.drop((entry) => entry.port === name && !isMany(entry.mac) && entry.vid === vid);
    }
  }

  private followEntries(before: Entry[], after: Entry[], config: Config): void {
    const bridgeOf = (entry: Entry): string => config.ports.get(entry.port)?.bridge ?? '';
    const fullKey = (entry: Entry): string => `${entry.port} ${keyOf(entry, '')}`;
    const wanted = new Set(after.map(fullKey));
    const had = new Map(before.map((entry) => [fullKey(entry), wordsOf(entry)]));
    for (const entry of before) {
      if (wanted.has(fullKey(entry))) continue;
      const key = keyOf(entry, bridgeOf(entry));
      this.lists.delete(key);
      const row = this.rows.get(key);
      if (row !== undefined && row.port === entry.port && row.set) this.rows.delete(key);
    }
    for (const entry of after) if (had.get(fullKey(entry)) !== wordsOf(entry)) this.put(entry, config);
  }

  /** Exactly what a file says. Entries of a control program are its own business, and so is what was learned. */
  private followFile(after: Entry[], config: Config): void {
    const wanted = new Map(after.map((entry) => [keyOf(entry, config.ports.get(entry.port)?.bridge ?? ''), entry]));
    for (const [key, row] of this.rows)
      if (row.set && !row.own && !row.extern && !wanted.has(key)) this.rows.delete(key);
    // A file holds a destination for all VLANs or for some, so one that it names takes the place of a control program's.
    const isNamed = ({ port, mac, dst, udp, sent, vni }: Entry): boolean =>
      after.some(
        (one) =>
          [port, mac, dst, udp, sent].join() === [one.port, one.mac, one.dst, one.udp, one.sent].join() &&
          (one.vni === null || vni === null),
      );
    for (const [key, entry] of this.lists)
      if (!wanted.has(key) && (!entry.extern || isNamed(entry))) this.lists.delete(key);
    for (const [key, entry] of wanted) {
      const there = this.lists.get(key) ?? this.rows.get(key);
      if (there === undefined || wordsOf(there) !== wordsOf(entry) || ('set' in there && !there.set))
        this.put(entry, config);
    }
  }

  put(entry: Entry, config: Config): void {
    const bridge = config.bridges.has(entry.port) ? entry.port : config.ports.get(entry.port)?.bridge;
    if (bridge === undefined || bridge === null) return;
    const key = keyOf(entry, bridge);
    if (isMany(entry.mac)) {
      this.lists.set(key, entry);
      return;
    }
    const moves = this.rows.get(key)?.moves ?? 0;
    this.rows.set(key, {
      ...entry,
      bridge,
      set: true,
      home: placeOf(entry),
      own: false,
      met: false,
      seen: this.now,
      moves,
    });
  }

  private drop(test: (entry: Entry) => boolean): void {
    for (const [key, row] of this.rows) if (test(row)) this.rows.delete(key);
    for (const [key, entry] of this.lists) if (test(entry)) this.lists.delete(key);
  }

  /** A host port's MAC is known from the start, in each of its VLANs. */
  private setOwnMacs(config: Config, shown: Map<string, Shown>): void {
    for (const { name, kind, link, isHost, bridge: home, members } of shown.values()) {
      if (kind !== 'tap') continue;
      const options = (config.ports.get(link) ?? config.bridges.get(link))?.options;
      const mac = (options?.mac as string | undefined) ?? this.macs.get(name) ?? automaticMac(name);
      this.macs.set(name, mac);
      if (!isHost) continue;
      const bridge = home === null ? undefined : config.bridges.get(home);
      const vids = bridge === undefined ? [] : isFiltering(bridge) ? [...members.keys()] : [0];
      for (const [key, row] of this.rows) {
        if (row.own && row.port === name && (row.mac !== mac || !vids.includes(row.vid))) this.rows.delete(key);
      }
      for (const vid of vids) {
        const key = `${home} ${mac} ${vid}`;
        const there = this.rows.get(key);
        if (there?.own === true && there.port === name) continue;
        this.rows.set(key, {
          ...{
            port: name,
            mac,
            vid,
            vni: null,
            dst: '',
            udp: undefined,
            sent: undefined,
            state: 'permanent',
            sticky: false,
          },
          ...{
            extern: false,
            bridge: home ?? '',
            set: true,
            home: `${name}   `,
            own: true,
            met: false,
            seen: this.now,
            moves: there?.moves ?? 0,
          },
        });
      }
    }
  }

  /** Which VTEPs each port knows now. What was learned behind one that has gone, goes. */
  settle(config: Config): void {
    const before = this.known;
    this.known = new Map();
    for (const { name, type, bridge, options } of config.ports.values()) {
      if (type !== 'vxlan') continue;
      const known = new Set((options.peers ?? []) as string[]);
      if (bridge !== null)
        for (const row of this.rows.values())
          if (isHome(row) && row.port === name && row.dst !== '') known.add(row.dst);
      if (bridge !== null) for (const entry of this.lists.values()) if (entry.port === name) known.add(entry.dst);
      this.known.set(name, known);
      const gone = [...(before.get(name) ?? [])].filter((dst) => !known.has(dst));
      // One that was met and is named since has another number: what was learned behind it is learned anew.
      const named = [...(this.met.get(name) ?? [])].filter((dst) => known.has(dst));
      for (const dst of named) this.met.get(name)?.delete(dst);
      const isAny = options.accept_vteps === 'any';
      for (const [key, row] of this.rows) {
        if (isHome(row) || row.port !== name) continue;
        if (row.met ? !isAny || named.includes(row.dst) : gone.includes(row.dst)) this.rows.delete(key);
      }
      if (!isAny) this.met.delete(name);
      for (const dst of known) this.setHome(name, dst, this.homePort(config, name, dst), before.get(name)?.has(dst));
    }
  }

  /** Entries of a VTEP whose frames now go to another UDP port are put in anew: their time begins again. */
  private setHome(port: string, dst: string, udp: number, wasKnown = false): void {
    const key = `${port} ${dst}`;
    const isMoved = wasKnown && this.homes.get(key) !== udp;
    this.homes.set(key, udp);
    for (const row of this.rows.values())
      if (isMoved && isHome(row) && row.port === port && row.dst === dst) row.seen = this.now;
  }

  /** UDP port of what was learned behind a VTEP: what entries say of it, flood lists first, and none before any. */
  private homePort(config: Config, port: string, dst: string): number {
    const dstport = (config.ports.get(port)?.options.dstport as number | undefined) ?? 4789;
    const rows = [...this.rows.values()].filter((row) => isHome(row));
    const said = [...rows, ...this.lists.values()].filter((entry) => entry.port === port && entry.dst === dst);
    const lists = said.filter(({ mac }) => mac === ZERO);
    const ports = (lists.length > 0 ? lists : said).map(({ udp }) => udp ?? dstport);
    return said.some(({ udp }) => udp === undefined) || ports.length === 0 ? dstport : Math.min(...ports);
  }

  /** UDP port that frames to a row's MAC go to. */
  udpOf(config: Config, row: Row): number {
    const dstport = (config.ports.get(row.port)?.options.dstport as number | undefined) ?? 4789;
    if (isHome(row)) return row.udp ?? dstport;
    return (row.met ? undefined : this.homes.get(`${row.port} ${row.dst}`)) ?? dstport;
  }

  /** Ageing, after time has passed. */
  age(config: Config): void {
    for (const [key, row] of this.rows) {
      if (row.state !== 'dynamic' || row.extern) continue;
      const own = config.ports.get(row.port)?.options.ageing as number | undefined;
      const shared = (config.bridges.get(row.bridge)?.options.ageing_time as number | undefined) ?? 300;
      const limit = own ?? shared;
      if (limit !== 0 && this.now - row.seen >= limit) this.rows.delete(key);
    }
  }

  // ---- Commands

  /** @returns how many entries a flush removed @throws Refused */
  change(config: Config, request: FdbRequest): number | undefined {
    let removed: number | undefined;
    if (request.op === 'flush') removed = this.flush(config, request);
    else if (request.op === 'del') this.delete(config, request);
    else this.add(config, request);
    this.settle(config);
    return removed;
  }

  private add(config: Config, request: Extract<FdbRequest, { op: 'add' | 'append' | 'replace' }>): void {
    const own = config.bridges.get(request.dev);
    const port = own === undefined ? config.ports.get(request.dev) : { bridge: own.name };
    if (port === undefined) throw new Refused('no such port');
    const fault = 'options' in port ? entryFault(config, port, request) : ownEntryFault(own as BridgeState, request);
    if (fault !== null || port.bridge === null) throw new Refused(fault ?? 'of no bridge');
    const entries = own === undefined ? expand(config, request.dev, request, 'permanent') : expandOwn(own, request);
    if (entries.length === 0) throw new Refused('in no VLAN');
    const many = isMany(request.mac);
    if (request.op === 'append' && !many) throw new Refused('append for unicast');
    if (request.op === 'replace' && many) throw new Refused('replace for many');
    for (const entry of entries) {
      const there = this.rows.get(keyOf(entry, port.bridge));
      if (there?.own === true || (request.op === 'add' && there !== undefined)) throw new Refused('exists');
      const isSame = ({ port: name, mac, vid, vni }: Entry): boolean =>
        name === entry.port && mac === entry.mac && vid === entry.vid && vni === entry.vni;
      if (request.op === 'add' && many && [...this.lists.values()].some(isSame)) throw new Refused('exists');
    }
    for (const entry of entries) if (!many || !this.lists.has(keyOf(entry, port.bridge))) this.put(entry, config);
  }

  private delete(config: Config, request: Extract<FdbRequest, { op: 'del' }>): void {
    const { mac, dev, vlan, dst, port: udp } = request;
    if (!shownPorts(config).has(dev) && !config.bridges.has(dev)) throw new Refused('no such port');
    const many = isMany(mac);
    if (many && dst === undefined) throw new Refused('which destination?');
    const isSingle = vnisOf(config, dev).has('all');
    const dstport = config.ports.get(dev)?.options.dstport ?? 4789;
    const vni = request.src_vni ?? vnisOf(config, dev).get('all') ?? request.vni;
    const sent = request.vni === vni ? undefined : request.vni;
    const isAnyVni = dst === undefined && request.vni === undefined;
    const sentOf = (entry: Entry): number | undefined =>
      'home' in entry && !isHome(entry as Row) ? undefined : entry.sent;
    const fits = (entry: Entry): boolean =>
      entry.port === dev &&
      entry.mac === mac &&
      (vlan === undefined || entry.vid === vlan) &&
      (dst === undefined || entry.dst === dst) &&
      ((dst === undefined && udp === undefined) || (entry.udp ?? dstport) === (udp ?? dstport)) &&
      (isAnyVni || sentOf(entry) === sent) &&
      (mac === ZERO && !isSingle
        ? entry.vni === (vni ?? null)
        : vni === undefined || this.vniOf(config, entry) === vni);
    const rows = [...this.rows].filter(([, row]) => fits(row) && !row.own);
    const entries = [...this.lists].filter(([, entry]) => fits(entry));
    if (rows.length + entries.length === 0) throw new Refused('not found');
    for (const [key] of rows) this.rows.delete(key);
    for (const [key] of entries) this.lists.delete(key);
  }

  /** The VNI that an entry's VLAN is carried as now. */
  vniOf(config: Config, { port, vid }: Entry): number | undefined {
    const vnis = vnisOf(config, port);
    return vnis.get('all') ?? vnis.get(vid);
  }

  private flush(config: Config, request: Extract<FdbRequest, { op: 'flush' }>): number {
    const { vlan, vni, dst, state } = request;
    const isBridge = request.br === undefined && config.bridges.has(request.dev ?? '');
    const { dev, br } = isBridge ? { dev: undefined, br: request.dev } : request;
    const shown = shownPorts(config);
    const homeOf = (port: string): string | null | undefined =>
      config.bridges.has(port) ? port : shown.get(port)?.bridge;
    if (dev !== undefined && !shown.has(dev)) throw new Refused('no such port');
    if (br !== undefined && !config.bridges.has(br)) throw new Refused('no such bridge');
    const fits = (entry: Entry): boolean =>
      (state === 'all' ||
        (state === undefined ? entry.state === 'dynamic' && !entry.extern : state.includes(entry.state))) &&
      (dev === undefined || entry.port === dev) &&
      (br === undefined || homeOf(entry.port) === br) &&
      (vlan === undefined || entry.vid === vlan) &&
      (vni === undefined || this.vniOf(config, entry) === vni) &&
      (dst === undefined || entry.dst === dst);
    const rows = [...this.rows].filter(([, row]) => !row.own && fits(row));
    const entries = [...this.lists].filter(([, entry]) => (state === 'all' || entry.mac !== ZERO) && fits(entry));
    for (const [key] of rows) this.rows.delete(key);
    for (const [key] of entries) this.lists.delete(key);
    return rows.length + entries.length;
  }
}
