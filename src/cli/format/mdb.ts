/**
 * The multicast groups and router ports of bridges as `bridge mdb show` prints them. Pure.
 */
import type { MdbAnswer, MdbRouterRow, MdbRow } from '../../api/api.js';

/** Groups, then router ports, one line each. @param details adds filters, protocols and flags */
export function formatMdb({ mdb, router }: MdbAnswer, details = false): string {
  const lines = [
    ...mdb.map((row) => [
      'dev',
      row.dev,
      'port',
      row.port,
      'grp',
      row.grp,
      ...sourceOf(row),
      ...tail(row, row.state, details ? detailsOf(row) : []),
      ...tunnelOf(row),
    ]),
    ...router.map((row) => ['router', 'dev', row.dev, 'port', row.port, ...tail(row, row.type)]),
  ];
  return lines.map((words) => `${words.join(' ')}\n`).join('');
}

function sourceOf({ src }: MdbRow): string[] {
  return src === undefined ? [] : ['src', src];
}

function detailsOf({ filter_mode: mode, source_list: sources, protocol, flags }: MdbRow): string[] {
  const list = sources?.map((source) => `${source.address}/${seconds(source.timer)}`).join(',');
  return [
    ...(mode === undefined ? [] : ['filter_mode', mode]),
    ...(list === undefined ? [] : ['source_list', list]),
    ...['proto', protocol],
    ...flags,
  ];
}

function tail({ dst, vid, timer }: MdbRow | MdbRouterRow, state: string, details: readonly string[] = []): string[] {
  const words: string[] = [];
  if (dst !== undefined) words.push('dst', dst);
  words.push(state, ...details);
  if (vid !== undefined) words.push('vid', String(vid));
  if (timer !== undefined) words.push('timer', String(timer));
  return words;
}

/** What entries of a tunnel have more, in the order of `bridge mdb show`. */
function tunnelOf(row: MdbRow): string[] {
  return (['dst_port', 'vni', 'via', 'src_vni'] as const).flatMap((key) => {
    const value = row[key];
    return value === undefined ? [] : [key, String(value)];
  });
}

function seconds(value: number): string {
  return value.toFixed(2);
}

/**
 * The shape of `bridge -j -d -s mdb show`; `dst` and `vid` of routers beside it.
 * @param bridges in whose order their `index` is
 */
export function mdbJson({ mdb, router }: MdbAnswer, bridges: readonly string[]): object[] {
  const routers: Record<string, object[]> = {};
  for (const { dev, port, type, vid, dst, timer } of router) {
    const more = { ...(vid === undefined ? {} : { vid }), ...(dst === undefined ? {} : { dst }) };
    routers[dev] = [...(routers[dev] ?? []), { port, timer: aligned(timer), type, ...more }];
  }
  return [{ mdb: mdb.map((row) => rowJson(row, bridges.indexOf(row.dev) + 1)), router: routers }];
}

function rowJson(row: MdbRow, index: number): object {
  const { dev, port, grp, src, state, filter_mode, source_list, protocol, flags, vid, timer, dst } = row;
  const { dst_port, vni, via, src_vni } = row;
  const sources = source_list?.map((source) => ({ address: source.address, timer: seconds(source.timer) }));
  return {
    ...{ index, dev, port, grp },
    ...(src === undefined ? {} : { src }),
    state,
    ...(filter_mode === undefined ? {} : { filter_mode }),
    ...(sources === undefined ? {} : { source_list: sources }),
    ...{ protocol, flags },
    ...(vid === undefined ? {} : { vid }),
    timer: aligned(timer),
    ...(dst === undefined ? {} : { dst }),
    ...(dst_port === undefined ? {} : { dst_port }),
    ...(vni === undefined ? {} : { vni }),
    ...(via === undefined ? {} : { via }),
    ...(src_vni === undefined ? {} : { src_vni }),
  };
}

/** iproute2 writes four places before the point. */
function aligned(timer = 0): string {
  return seconds(timer).padStart(7);
}
