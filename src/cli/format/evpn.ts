/** The BGP speaker, its neighbours, routes and VNIs, much as FRR's `show bgp l2vpn evpn` and `show evpn vni` print them. Pure. */
import type { EvpnAnswer, EvpnNeighborRow, EvpnRouteRow, EvpnVniRow } from '../../api/api.js';
import { printable } from '../../text/printable.js';
import { alignColumns } from './columns.js';

const ENCAPSULATION_NAMES: Readonly<Record<number, string>> = { 8: 'VXLAN', 10: 'MPLS', 19: 'GENEVE' };

export function formatEvpn(answer: EvpnAnswer): string {
  const { asn, router_id, listen, neighbors, established, l2vnis, l3vnis, duplicates } = answer;
  const stale = answer.routes_stale === 0 ? '' : `, ${answer.routes_stale} stale`;
  return [
    `AS ${asn}, router ID ${router_id}, ${listen === 0 ? 'does not listen' : `listens on port ${listen}`}`,
    `Neighbors: ${neighbors}, established: ${established}`,
    `Routes: ${answer.routes_received} received${stale}, ${answer.routes_sent} sent`,
    `L2 VNIs: ${l2vnis}, L3 VNIs: ${l3vnis}, other VTEPs: ${answer.remotes}`,
    `MACs: ${answer.local_macs} local, ${answer.remote_macs} remote, ${duplicates} duplicate`,
    '',
  ].join('\n');
}

export function formatNeighbors(rows: readonly EvpnNeighborRow[]): string {
  const head = ['Neighbor', 'AS', 'MsgRcvd', 'MsgSent', 'Since', 'State', 'Received', 'Accepted', 'Sent', 'Stale'];
  const cells = rows.map((row) => [
    ...[row.address, `${row.asn}`, `${row.messages_in}`, `${row.messages_out}`, duration(row.since), row.state],
    ...[row.received, row.accepted, row.sent, row.stale].map(String),
  ]);
  return alignColumns([head, ...cells], ['left', 'right', 'right', 'right', 'right', 'left']);
}

/** One neighbour, with everything that is known of it. */
export function formatNeighbor(row: EvpnNeighborRow): string {
  return [
    `${row.address} of AS ${row.asn}: ${row.state} for ${duration(row.since)}`,
    ...(row.router_id === undefined ? [] : [`  router ID ${row.router_id}`]),
    `  messages: ${row.messages_in} received, ${row.messages_out} sent`,
    `  routes: ${row.received} received, ${row.accepted} accepted, ${row.stale} stale, ${row.sent} sent`,
    ...(row.crowded === undefined || row.crowded === 0
      ? []
      : [`  refused for want of memory for their attributes: ${row.crowded}`]),
    `  updates with wrong attributes: ${row.malformed}`,
    ...(row.last_end === undefined ? [] : [`  last session ended: ${printable(row.last_end)}`]),
    '',
  ].join('\n');
}

/** `00:01:05`, or `2d03:04:05`. */
function duration(seconds: number): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  const days = Math.floor(seconds / 86_400);
  const clock = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(':');
  return days === 0 ? clock : `${days}d${clock}`;
}

export function formatVnis(rows: readonly EvpnVniRow[]): string {
  const head = ['VNI', 'Type', 'Owner', 'Local MACs', 'Remote MACs', 'VTEPs', 'RD', 'Import', 'Export'];
  const cells = rows.map((row) => [
    ...[`${row.vni}`, row.type.toUpperCase(), row.owner, `${row.local_macs}`, `${row.remote_macs}`],
    ...[`${row.remotes.length}`, row.rd, row.imports.join(','), row.exports.join(',')],
  ]);
  const left = 'left' as const;
  return alignColumns([head, ...cells], ['right', left, left, 'right', 'right', 'right', left, left, left]);
}

/** One VNI, with its VTEPs and duplicates. */
export function formatVni(row: EvpnVniRow): string {
  const list = (words: readonly string[]): string => (words.length === 0 ? 'none' : words.join(' '));
  return [
    `VNI ${row.vni} (${row.type.toUpperCase()}) of ${row.owner}, VTEP ${row.local}, RD ${row.rd}`,
    `  route targets: import ${list(row.imports)}, export ${list(row.exports)}`,
    ...(row.l3vni === undefined ? [] : [`  L3 VNI ${row.l3vni}`]),
    ...(row.router_mac === undefined ? [] : [`  router MAC ${row.router_mac}`]),
    `  floods: ${row.floods ? 'by a copy to each VTEP' : 'none'}`,
    `  other VTEPs: ${list(row.remotes)}`,
    `  MACs: ${row.local_macs} local, ${row.remote_macs} remote`,
    `  duplicates: ${list(row.duplicates)}`,
    '',
  ].join('\n');
}

export const ROUTES_HEAD = `Status: * imported, > best, S stale, i from our own AS; origin: i IGP, e EGP, ? incomplete
EVPN type 2: [2]:[tag]:[48]:[MAC]:[bits]:[IP], type 3: [3]:[tag]:[bits]:[VTEP], type 5: [5]:[tag]:[bits]:[prefix]
`;

/** One path of a route: its key, its attributes, its communities. */
export function formatRoute(row: EvpnRouteRow): string {
  const status = `${row.imported.length > 0 ? '*' : ' '}${row.best ? '>' : ' '}`;
  const isInner = row.neighbor !== undefined && row.as_path === '';
  const source = row.stale ? 'S' : isInner ? 'i' : ' ';
  const origin = { igp: 'i', egp: 'e', incomplete: '?' }[row.origin];
  const attributes = [
    `via ${row.next_hop}`,
    row.neighbor === undefined ? 'own' : `from ${row.neighbor}`,
    ...(row.local_pref === undefined ? [] : [`local pref ${row.local_pref}`]),
    ...(row.med === undefined ? [] : [`MED ${row.med}`]),
    `path ${row.as_path === '' ? origin : `${row.as_path} ${origin}`}`,
    ...(row.imported.length > 0 ? [`imported by VNI ${row.imported.join(', ')}`] : []),
  ];
  return `${status}${source} ${routeKey(row)}\n      ${attributes.join(', ')}\n      ${communities(row).join(' ')}\n`;
}

/** The head over the routes of one distinguisher. */
export function formatDistinguisher(rd: string): string {
  return `Route Distinguisher: ${rd}\n`;
}

/** As FRR writes it. */
function routeKey({ type, tag, mac, ip, prefix }: EvpnRouteRow): string {
  const bits = (address: string): number => (address.includes(':') ? 128 : 32);
  if (type === 2) return `[2]:[${tag}]:[48]:[${mac}]${ip === undefined ? '' : `:[${bits(ip)}]:[${ip}]`}`;
  if (type === 3) return `[3]:[${tag}]:[${bits(ip ?? '')}]:[${ip}]`;
  const [address, length] = (prefix ?? '').split('/');
  return `[5]:[${tag}]:[${length}]:[${address}]`;
}

function communities(row: EvpnRouteRow): string[] {
  const { vni, l3vni, encapsulation, mobility, nd, pmsi } = row;
  const label = [vni ?? pmsi?.vni, l3vni].filter((one) => one !== undefined).join('/');
  const flags = nd === undefined ? [] : (['immutable', 'override', 'router'] as const).filter((flag) => nd[flag]);
  return [
    ...(label === '' ? [] : [`VNI:${label}`]),
    ...row.route_targets.map((target) => `RT:${target}`),
    ...(encapsulation === undefined ? [] : [`ET:${ENCAPSULATION_NAMES[encapsulation] ?? encapsulation}`]),
    ...(mobility === undefined ? [] : [`MM:${mobility.sequence}${mobility.sticky ? ',sticky' : ''}`]),
    ...(row.default_gateway === true ? ['Default-Gateway'] : []),
    ...(row.router_mac === undefined ? [] : [`Rmac:${row.router_mac}`]),
    ...(row.gateway === undefined ? [] : [`GW:${row.gateway}`]),
    ...(row.esi === undefined ? [] : [`ESI:${row.esi}`]),
    ...(flags.length > 0 ? [`ND:${flags.join(',')}`] : []),
  ];
}
