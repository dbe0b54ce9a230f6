/** A request for the multicast database as the words of `mdb`. Pure. */
import type { MdbRequest } from '../../api/api.js';

/** In the order of `bridge mdb`. */
const KEYS = [
  ...['dev', 'port', 'grp', 'src', 'vid', 'dst', 'dst_port', 'vni', 'src_vni', 'via'],
  ...['filter_mode', 'source_list', 'proto'],
] as const;

export function mdbWords(request: MdbRequest): string[] {
  const fields: Readonly<Record<string, unknown>> = { ...request };
  const words = KEYS.flatMap((key) => {
    const value = fields[key];
    if (value === undefined) return [];
    return [key, Array.isArray(value) ? value.join(',') : String(value)];
  });
  const { state } = fields;
  return ['mdb', request.op, ...words, ...(typeof state === 'string' ? [state] : [])];
}
