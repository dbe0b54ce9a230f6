/**
 * Formats a request of the control socket as the equivalent command, for the log. Pure.
 */
import type {
  ChangeRequest,
  EvpnRequest,
  FdbRequest,
  LinkRequest,
  NeighRequest,
  NexthopRequest,
} from '../../api/api.js';
import type { LinkType } from '../../config/options/kinds.js';
import { commandText, formatLinkAdd, formatLinkSet } from '../../config/options/words.js';
import { nexthopWords } from './commands-nexthops.js';
import { vlanText } from './commands-vlans.js';
import { mdbWords } from './mdb-words.js';

interface FdbEntryFields {
  mac: string;
  vni?: number;
  src_vni?: number;
  state?: string;
  [key: string]: unknown;
}

/** Most characters of a command in the log: a link may have thousands of remotes. */
const MOST = 500;

/** The kind of command, such as "fdb add". */
export function requestVerb({ kind, request }: ChangeRequest): string {
  if (kind === 'apply') return 'apply';
  return kind === 'vlan' && request.op === 'mst' ? 'mst set' : `${kind} ${request.op}`;
}

/**
 * The whole command; a request without an equivalent, such as one with an unknown option, as JSON.
 * @param typeOf the type of an existing link
 */
export function requestText(change: ChangeRequest, typeOf: (link: string) => LinkType | undefined): string {
  let text: string;
  try {
    text = textOf(change, typeOf);
  } catch {
    text = `${requestVerb(change)} ${JSON.stringify(change.request)}`;
  }
  return text.length > MOST ? `${text.slice(0, MOST)}...` : text;
}

function textOf(change: ChangeRequest, typeOf: (link: string) => LinkType | undefined): string {
  switch (change.kind) {
    case 'apply':
      return 'apply';
    case 'link':
      return commandText(linkWords(change.request, typeOf));
    case 'vlan':
      return change.request.op === 'set'
        ? commandText(['vlan', 'set', ...pairs(change.request)])
        : vlanText(change.request);
    case 'fdb':
      return commandText(fdbWords(change.request));
    case 'neigh':
      return commandText(neighWords(change.request));
    case 'mdb':
      return commandText(mdbWords(change.request));
    case 'nexthop':
      return commandText(nexthopWordsOf(change.request));
    case 'evpn':
      return commandText(evpnWords(change.request));
  }
}

function linkWords(request: LinkRequest, typeOf: (link: string) => LinkType | undefined): string[] {
  const { op, name } = request;
  if (op === 'del') return ['link', 'del', name];
  if (op === 'add') return formatLinkAdd(name, request.type, request);
  const type = typeOf(name);
  if (type === undefined) throw new RangeError(`there is no link ${name}`);
  return formatLinkSet(name, type, request);
}

function fdbWords({ op, ...rest }: FdbRequest): string[] {
  if (op === 'flush') return ['fdb', op, ...pairs(rest)];
  const { mac, vni, src_vni, state, ...more } = rest as FdbEntryFields;
  const flags = Object.keys(more).filter((key) => more[key] === true);
  const place = Object.fromEntries(Object.entries(more).filter(([, value]) => typeof value !== 'boolean'));
  // A VNI alone is that of the frames, as in the listing; beside `src_vni` it is the VNI to send with.
  const vnis = src_vni === undefined ? { src_vni: vni } : { src_vni, vni };
  return [...['fdb', op, mac, ...pairs({ ...place, ...vnis })], ...(state === undefined ? [] : [state]), ...flags];
}

function neighWords({ op, dst, ...rest }: NeighRequest): string[] {
  const { state, router, ...place } = rest as { state?: string; router?: boolean };
  return ['neigh', op, dst, ...pairs({ ...place, nud: state }), ...(router === true ? ['router'] : [])];
}

function evpnWords(request: EvpnRequest): string[] {
  if (request.op === 'clear_duplicates') return ['evpn', 'clear', 'duplicates', ...pairs(request)];
  const { op, neighbor = 'all' } = request;
  return ['evpn', ...(op === 'refresh' ? [op] : ['clear', 'neighbor']), neighbor];
}

function nexthopWordsOf(request: NexthopRequest): string[] {
  const { op } = request;
  if (op === 'flush') return ['nexthop', op];
  return ['nexthop', op, ...(op === 'del' ? ['id', `${request.id}`] : nexthopWords(request))];
}

/** Fields as words with their values; absent fields are omitted. */
function pairs(fields: object): string[] {
  return Object.entries(fields).flatMap(([word, value]) => {
    if (value === undefined || word === 'op') return [];
    if (typeof value === 'boolean') return [value ? word : `no${word}`];
    if (Array.isArray(value)) return value.flatMap((one) => [word, String(one)]);
    return [word, String(value)];
  });
}
