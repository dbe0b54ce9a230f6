/** Judges the states of ports in spanning trees. Pure. */
import type { LinkRow } from '../api/api.js';
import { command } from '../text/shell.js';
import { type Check, ok, warn } from './check.js';

/** Ports listed by themselves. */
const MOST = 8;

export function judgeTrees(links: readonly LinkRow[]): Check[] {
  const guarded = links.filter(({ closed_by }) => closed_by === 'bpdu_guard');
  const closed = links.filter(({ role, state }) => role === 'alternate' || role === 'backup' || state === 'blocking');
  const trees = links.filter(({ root_id }) => root_id !== undefined).filter(({ type }) => type === 'bridge');
  return [...guarded.slice(0, MOST).map(judgeGuarded), ...trees.map((bridge) => judgeTree(bridge, closed))];
}

function judgeGuarded({ ifname }: LinkRow): Check {
  return warn(
    ifname,
    'a bridge is behind it, so bpdu_guard has closed it',
    command`take the bridge away, or set guard off; then: overtap link set ${ifname} down, and up`,
  );
}

function judgeTree({ ifname, root_port: way, root_id: root }: LinkRow, closed: readonly LinkRow[]): Check {
  const own = closed.filter(({ master }) => master === ifname).map((port) => port.ifname);
  const more = own.length > MOST ? `, and ${own.length - MOST} more` : '';
  const ports =
    own.length === 0 ? 'no port is closed' : `closed, as other ways are there: ${own.slice(0, MOST).join(', ')}${more}`;
  const where = way === 'none' ? 'is the root' : `root ${root} by ${way}`;
  return ok(`${ifname} spanning tree`, `${where}; ${ports}`);
}
