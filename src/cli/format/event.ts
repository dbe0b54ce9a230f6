/**
 * Events of a switch, one line each, as in `bridge monitor`: first the object, last the change. Pure.
 */
import type { EventEntry, SwitchEvent } from '../../api/api.js';
import { entryWords } from './fdb.js';

/** One event as a line, without its newline. */
export function formatEvent(event: SwitchEvent): string {
  switch (event.event) {
    case 'moved':
      return fdbLine(event, ['moved', 'from', event.from.ifname, ...optional('dst', event.from.dst)]);
    case 'learned':
    case 'aged':
    case 'deleted':
    case 'added':
    case 'changed':
      return fdbLine(event, [event.event]);
    case 'mac_moves': {
      const { mac, vlan, master, moves, ports } = event;
      return line('FDB', [mac, ...optional('vlan', vlan), 'master', master, 'mac_moves', moves, 'between', ...ports]);
    }
    case 'vtep_unknown':
      return line('VTEP', ['unknown', event.address, ...place(event), 'count', event.count]);
    case 'l2miss':
      return line('MISS', ['l2miss', event.mac, ...place(event)]);
    case 'neigh_conflict':
      return line('NEIGH', ['conflict', event.dst, 'lladdr', event.lladdr.join(','), ...place(event)]);
    case 'l3miss':
      return line('MISS', ['l3miss', event.dst, ...place(event)]);
    case 'link': {
      const { ifname, type, master, change } = event;
      return line('LINK', [ifname, 'type', type, ...optional('master', master), change]);
    }
    case 'loop': {
      const { ifname, master, vlan, change } = event;
      return line('LOOP', [ifname, 'with', event.with, ...optional('vlan', vlan), 'master', master, change]);
    }
    case 'stp': {
      const { ifname, master, state, role, change } = event;
      const words = [ifname, ...optional('state', state), ...optional('role', role), 'master', master];
      return line('STP', change === 'state' ? words : [...words, change]);
    }
    case 'evpn': {
      const { change, neighbor, reason, routes, limit, vni, mac, vteps } = event;
      const of = [...optional('neighbor', neighbor), ...optional('vni', vni), ...optional('mac', mac)];
      const between = vteps === undefined ? [] : ['between', ...vteps];
      const why = reason === undefined ? [] : [`(${reason})`];
      return line('EVPN', [
        ...of,
        ...optional('routes', routes),
        ...optional('limit', limit),
        change,
        ...between,
        ...why,
      ]);
    }
    case 'mdb': {
      const { dev, port, grp, src, vid, dst, src_vni: vni, change } = event;
      const of = ['dev', dev, 'port', port, 'grp', grp, ...optional('src', src)];
      const where = [...optional('dst', dst), ...optional('vid', vid), ...optional('src_vni', vni)];
      return line('MDB', [...of, ...where, change]);
    }
    case 'peers': {
      const { ifname, source, change, reason } = event;
      return line('PEERS', ['dev', ifname, source, change, ...optional('reason:', reason)]);
    }
    case 'remote': {
      const { address, ifname, state, diag } = event;
      return line('REMOTE', [address, 'dev', ifname, 'state', state, 'diag', diag]);
    }
    case 'path_mtu': {
      const { address, ifname, mtu, search } = event;
      return line('REMOTE', [address, 'dev', ifname, 'path_mtu', mtu === 0 ? 'unknown' : mtu, 'search', search]);
    }
    case 'lost':
      return line('LOST', [event.count, event.count === 1 ? 'event' : 'events', 'lost']);
    default:
      // A newer switch may send other kinds.
      return JSON.stringify(event);
  }
}

function fdbLine(entry: EventEntry, change: readonly string[]): string {
  const state = entry.state === 'dynamic' ? [] : [entry.state];
  const activity = (['activity_notify', 'inactive', 'locked'] as const).filter((word) => entry[word]);
  return line('FDB', [...entryWords(entry), ...activity, 'master', entry.master, ...state, ...change]);
}

const place = (at: { ifname: string; vlan?: number; vni?: number }): string[] => [
  'dev',
  at.ifname,
  ...optional('vlan', at.vlan),
  ...optional('src_vni', at.vni),
];

const optional = (word: string, value: string | number | undefined): string[] =>
  value === undefined ? [] : [word, String(value)];

const line = (label: string, words: readonly (string | number)[]): string => `[${label}] ${words.join(' ')}`;
