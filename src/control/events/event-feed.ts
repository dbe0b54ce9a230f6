/**
 * Events of the switch: FDB changes recorded by the engines, and events of the control thread. Records are read ten times a
 * second, and always before indexes are reused.
 *
 * Also detects MACs that move too often; each is reported once until it has been stable for a while.
 */

import type { EventEntry, MacMoves, SwitchEvent } from '../../api/api.js';
import { ABSENT_HOST_PORT, destinationPort, destinationRemote, isGroup } from '../../dataplane/state/destination.js';
import { fidParts } from '../../dataplane/state/fid.js';
import type { RemoteTable } from '../../encap/remotes.js';
import {
  EVENT_ADDED,
  EVENT_AGED,
  EVENT_CHANGED,
  EVENT_DELETED,
  EVENT_LEARNED,
  EVENT_MOVED,
  type FdbEvent,
  type FdbEvents,
} from '../../fdb/events.js';
import { formatMac } from '../../wire/ethernet.js';
import { attempt, every } from '../guard.js';
import { isTunnel, type SwitchModel } from '../model/model.js';
import { eventKeysOf, stateOf } from '../model/fdb-flags.js';
import { nhidOf, remoteAddress, vniOf } from '../model/naming.js';

const POLL_MS = 100;
const MOVES_WINDOW_MS = 1000;
/** Most MACs watched at a time; further ones wait for the next window. */
const MAX_WATCHED = 16_384;
/** Most frequently moving MACs remembered, and most ports named for each. */
const MOST_REMEMBERED = 64;
const MOST_PORTS = 8;

const KINDS: Readonly<Record<number, 'learned' | 'aged' | 'deleted' | 'added' | 'changed'>> = {
  [EVENT_LEARNED]: 'learned',
  [EVENT_AGED]: 'aged',
  [EVENT_DELETED]: 'deleted',
  [EVENT_ADDED]: 'added',
  [EVENT_CHANGED]: 'changed',
};

interface Moves {
  count: number;
  ports: Set<string>;
}

export interface FeedSources {
  model: SwitchModel;
  remotes: RemoteTable;
  events: FdbEvents;
  /** Moves since the start. While it is unchanged and there are no subscribers, there is nothing to read. */
  moved(): number;
  /** A MAC has moved in a VLAN of a bridge between two ports, given by index; for every record that is read. */
  met?: (bridge: number, vid: number, ports: readonly number[]) => void;
  /** A MAC moves too often; same rate as the event. */
  restless?: (event: Extract<SwitchEvent, { event: 'mac_moves' }>) => void;
}

export class EventFeed {
  private readonly listeners = new Set<(event: SwitchEvent) => void>();
  private readonly timer: NodeJS.Timeout;
  private moves = new Map<string, Moves>();
  /** Reported MACs that are not stable yet. */
  private restless = new Set<string>();
  /** Reported MACs, the latest last. */
  private readonly remembered = new Map<string, MacMoves>();
  private windowEnd = 0;
  private seenMoves = 0;

  constructor(private readonly sources: FeedSources) {
    this.timer = every('event-feed', POLL_MS, () => this.poll());
  }

  /** Subscribes to events. @returns a function that unsubscribes */
  subscribe(listener: (event: SwitchEvent) => void): () => void {
    if (this.listeners.size === 0) this.drain();
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Whether there are subscribers. */
  get isHeard(): boolean {
    return this.listeners.size > 0;
  }

  tell(event: SwitchEvent): void {
    for (const listener of this.listeners) attempt('event listener', () => listener(event));
  }

  /** Reads the engines' records and publishes them. */
  drain(): void {
    const lost = this.sources.events.read((record) => this.take(record));
    if (lost > 0) this.tell({ event: 'lost', count: lost });
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private poll(): void {
    const moved = this.sources.moved();
    if (this.listeners.size > 0 || moved !== this.seenMoves) this.drain();
    else this.sources.events.skip();
    this.seenMoves = moved;
    const now = performance.now();
    if (now < this.windowEnd) return;
    this.windowEnd = now + MOVES_WINDOW_MS;
    for (const key of this.restless) if (!this.moves.has(key)) this.restless.delete(key);
    this.moves = new Map();
  }

  private take(record: FdbEvent): void {
    if (record.kind === EVENT_MOVED) this.meetMove(record);
    const entry = this.entryOf(record);
    if (entry === null) return;
    if (record.kind === EVENT_MOVED) {
      const from = this.placeOf(record.oldDestination);
      if (from !== null) this.tell({ event: 'moved', ...entry, from });
      this.watch(entry, from?.ifname);
      return;
    }
    const event = KINDS[record.kind];
    if (event !== undefined) this.tell({ event, ...entry });
  }

  private meetMove({ fid, oldDestination, destination }: FdbEvent): void {
    const place = fidParts(fid);
    if (place === null) return;
    this.sources.met?.(place.bridge, place.vid, [destinationPort(oldDestination), destinationPort(destination)]);
  }

  private entryOf({ high, low, fid, destination, flags }: FdbEvent): EventEntry | null {
    const { model } = this.sources;
    const part = fidParts(fid);
    const bridge = part === null ? undefined : model.bridgeAt[part.bridge];
    const isOwn = bridge !== undefined && destinationPort(destination) === ABSENT_HOST_PORT;
    const place = isOwn ? { ifname: bridge.name } : this.placeOf(destination);
    if (part === null || bridge === undefined || place === null) return null;
    const port = model.ports.get(place.ifname);
    const vni = isTunnel(port) ? vniOf(port, part.vid) : undefined;
    return {
      mac: formatMac(high, low),
      ifname: place.ifname,
      master: bridge.name,
      ...(part.vid === 0 ? {} : { vlan: part.vid }),
      ...(vni === undefined ? {} : { vni }),
      ...(place.dst === undefined ? {} : { dst: place.dst }),
      ...(place.nhid === undefined ? {} : { nhid: place.nhid }),
      state: stateOf(flags),
      ...eventKeysOf(flags),
    };
  }

  private placeOf(destination: number): { ifname: string; dst?: string; nhid?: number } | null {
    const port = this.sources.model.portAt[destinationPort(destination)];
    if (port === undefined) return null;
    const remote = destinationRemote(destination);
    if (isGroup(remote)) {
      const nhid = isTunnel(port) ? nhidOf(port, remote) : undefined;
      return { ifname: port.name, ...(nhid === undefined ? {} : { nhid }) };
    }
    return { ifname: port.name, ...(remote === 0 ? {} : { dst: remoteAddress(this.sources.remotes, remote) }) };
  }

  private watch({ mac, vlan, master, ifname, dst }: EventEntry, from: string | undefined): void {
    const limit = this.sources.model.bridges.get(master)?.config.mac_move_limit ?? 0;
    const key = `${master} ${vlan ?? 0} ${mac}`;
    const moves = this.moves.get(key) ?? { count: 0, ports: new Set<string>() };
    if (limit === 0 || (moves.count === 0 && this.moves.size >= MAX_WATCHED)) return;
    this.moves.set(key, moves);
    moves.count++;
    moves.ports.add(dst === undefined ? ifname : `${ifname} ${dst}`);
    if (from !== undefined) moves.ports.add(from);
    if (moves.count <= limit || this.restless.has(key)) return;
    this.restless.add(key);
    const place = { mac, master, ...(vlan === undefined ? {} : { vlan }) };
    const facts = { ...place, moves: moves.count, ports: [...moves.ports].slice(0, MOST_PORTS) };
    this.remembered.delete(key);
    this.remembered.set(key, { ...facts, last: new Date().toISOString() });
    if (this.remembered.size > MOST_REMEMBERED) this.remembered.delete(this.remembered.keys().next().value as string);
    this.tell({ event: 'mac_moves', ...facts });
    this.sources.restless?.({ event: 'mac_moves', ...facts });
  }

  /** MACs that moved too often, the latest first. */
  get macMoves(): MacMoves[] {
    return [...this.remembered.values()].reverse();
  }
}
