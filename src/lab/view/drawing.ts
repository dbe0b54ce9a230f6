/** A lab drawn as text: guests on the left, their hosts, and the underlay as one line on the right. */
import { allHosts, type Station, type Topology } from '../setup/topology.js';

/** The lines of the drawing. */
export function drawingOf(topology: Topology): string[] {
  const { stations, router, segment } = topology;
  const hosts = allHosts(topology);
  const guestsOf = (host: string): readonly Station[] => stations.filter((one) => one.host === host);
  const rows = hosts.flatMap((host, index) => {
    const guests = guestsOf(host.name);
    const middle = (Math.max(1, guests.length) - 1) >> 1;
    const lines = Array.from({ length: Math.max(1, guests.length) }, (_, i) => ({
      guest: guests[i],
      host: i === middle ? host : undefined,
      join: guests.length < 2 ? '-' : i === middle ? '+' : i < middle ? '.' : "'",
    }));
    return index + 1 < hosts.length ? [...lines, { guest: undefined, host: undefined, join: ' ' }] : lines;
  });
  const label = (name = '', address = ''): string => (name === '' ? '' : `${name} ${address}`);
  const left = Math.max(0, ...rows.map(({ guest }) => label(guest?.name, guest?.address).length));
  const right = Math.max(0, ...hosts.map(({ name, address }) => label(name, address).length));
  const first = rows.findIndex(({ host }) => host !== undefined);
  const last = rows.reduce((at, { host }, i) => (host === undefined ? at : i), 0);
  const what = router !== undefined ? 'routed' : segment !== undefined ? 'one segment' : 'one cable';
  return rows.map(({ guest, host, join }, i) => {
    const near = label(guest?.name, guest?.address);
    const cable = guest === undefined ? ' '.repeat(5) : `${'-'.repeat(3)}${join}${host === undefined ? ' ' : '-'}`;
    const far = host === undefined ? ' '.repeat(right + 1) : ` ${label(host.name, host.address)}`.padEnd(right + 1);
    const bus = hosts.length < 2 ? '' : busAt(i, first, last, host !== undefined);
    const name = i === (first + last) >> 1 && hosts.length > 1 ? `   ${what}` : '';
    return `  ${near.padEnd(left)} ${cable}${far}${bus}${name}`.trimEnd();
  });
}

function busAt(row: number, first: number, last: number, hasHost: boolean): string {
  if (row < first || row > last) return '';
  return hasHost ? ' ===+' : '    |';
}
