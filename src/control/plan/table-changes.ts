/**
 * Requests and commands that lead from the present bindings and multicast groups to those of a file. Pure.
 */
import type { MdbRequest, NeighRequest } from '../../api/api.js';
import { commandText } from '../../config/options/words.js';
import type { GroupConfig, NeighConfig, SwitchConfig, TableConfig } from '../../config/types.js';
import { mdbWords } from './mdb-words.js';
import { isTunnelConfig } from '../model/desired.js';
import { hostPortName } from '../model/model.js';

export interface TableChanges {
  neigh: NeighRequest[];
  mdb: MdbRequest[];
}

const bindingKey = ({ dev, vid, dst }: NeighConfig): string => `${dev} ${vid} ${dst}`;
const bindingText = ({ lladdr, router }: NeighConfig): string => `${lladdr} ${router}`;
const groupKey = ({ dev, port, grp, vid, dst, src, src_vni }: GroupConfig): string =>
  `${dev} ${port} ${grp} ${vid ?? 0} ${dst ?? ''} ${src ?? ''} ${src_vni ?? 0}`;
const groupText = ({ filter_mode, source_list = [], proto = 'static', dst_port, vni, via }: GroupConfig): string => {
  const isPlain = filter_mode !== 'include' && source_list.length === 0;
  const to = `${dst_port ?? 0} ${vni ?? 0} ${via ?? ''}`;
  return `${isPlain ? '' : filter_mode} ${[...source_list].sort().join()} ${proto} ${to}`;
};
/** Of a tunnel, pairs come after the groups, whose lists of sources they must not meet. */
const isTunnelPair = ({ dev, port, src }: GroupConfig): boolean => dev === port && src !== undefined;
const inOrder = (groups: readonly GroupConfig[]): GroupConfig[] => [
  ...groups.filter((one) => !isTunnelPair(one)),
  ...groups.filter(isTunnelPair),
];

/** In a valid order. */
export function tableChanges(before: TableConfig, after: TableConfig): TableChanges {
  const had = new Map(before.neigh.map((one) => [bindingKey(one), bindingText(one)]));
  const wanted = new Set(after.neigh.map(bindingKey));
  const place = ({ dev, vid, dst }: NeighConfig) => ({ dst, dev, ...(vid === 0 ? {} : { vlan: vid }) });
  const groups = new Map(before.mdb.map((one) => [groupKey(one), groupText(one)]));
  const wantedGroups = new Set(after.mdb.map(groupKey));
  return {
    neigh: [
      ...before.neigh
        .filter((one) => !wanted.has(bindingKey(one)))
        .map((one): NeighRequest => ({ op: 'del', ...place(one) })),
      ...after.neigh
        .filter((one) => had.get(bindingKey(one)) !== bindingText(one))
        .map((one): NeighRequest => {
          const { lladdr, router } = one;
          return { op: 'replace', ...place(one), lladdr, ...(router ? { router } : {}) };
        }),
    ],
    mdb: [
      ...before.mdb.filter((one) => !wantedGroups.has(groupKey(one))).map(deletion),
      ...inOrder(after.mdb)
        .filter((one) => groups.get(groupKey(one)) !== groupText(one))
        .map((one): MdbRequest => ({ op: groups.has(groupKey(one)) ? 'replace' : 'add', ...one })),
    ],
  };
}

function deletion({ dev, port, grp, vid, dst, src, src_vni }: GroupConfig): MdbRequest {
  const place = { ...(vid === undefined ? {} : { vid }), ...(dst === undefined ? {} : { dst }) };
  const of = src_vni === undefined ? {} : { src_vni };
  return { op: 'del', dev, port, grp, ...place, ...(src === undefined ? {} : { src }), ...of };
}

/** Those whose port and VLAN remain in a configuration: the others are removed implicitly. */
export function stayingTables({ neigh, mdb }: TableConfig, config: SwitchConfig): TableConfig {
  const places = new Set<string>();
  const tunnels = new Set<string>();
  for (const bridge of config.bridges) {
    const put = (port: string, vids: readonly { vid: number }[]): void => {
      for (const vid of bridge.vlan_filtering ? vids.map((one) => one.vid) : [0]) {
        places.add(`${port} ${vid}`);
        places.add(`${bridge.name} ${port} ${vid}`);
      }
    };
    if (bridge.host_port) put(bridge.name, bridge.vlans);
    for (const port of bridge.ports) {
      put(port.name, port.vlans);
      if (isTunnelConfig(port)) tunnels.add(port.name);
      if (isTunnelConfig(port) && port.host_port) put(hostPortName(port.name), port.vlans);
    }
  }
  return {
    neigh: neigh.filter(({ dev, vid }) => places.has(`${dev} ${vid}`)),
    mdb: mdb.filter(({ dev, port, vid }) => tunnels.has(dev) || places.has(`${dev} ${port} ${vid ?? 0}`)),
  };
}

/** The changes as commands of this program. */
export function tableCommands({ neigh, mdb }: TableChanges): string[] {
  return [
    ...neigh.map((request) => {
      const lladdr = request.op === 'del' ? [] : ['lladdr', request.lladdr];
      const vlan = request.vlan === undefined ? [] : ['vlan', `${request.vlan}`];
      const router = request.op !== 'del' && request.router === true ? ['router'] : [];
      return commandText(['neigh', request.op, request.dst, ...lladdr, 'dev', request.dev, ...vlan, ...router]);
    }),
    ...mdb.map((request) => commandText(mdbWords(request))),
  ];
}
