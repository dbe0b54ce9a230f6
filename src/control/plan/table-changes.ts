/**
 * Requests and commands that lead from the present bindings and multicast groups to those of a file. Pure.
 */
import type { MdbRequest, NeighRequest } from '../../api/api.js';
import { commandText } from '../../config/options/words.js';
import type { GroupConfig, NeighConfig, SwitchConfig, TableConfig } from '../../config/types.js';
import { isTunnelConfig } from '../model/desired.js';
import { hostPortName } from '../model/model.js';

export interface TableChanges {
  neigh: NeighRequest[];
  mdb: MdbRequest[];
}

const bindingKey = ({ dev, vid, dst }: NeighConfig): string => `${dev} ${vid} ${dst}`;
const bindingText = ({ lladdr, router }: NeighConfig): string => `${lladdr} ${router}`;
const groupKey = ({ dev, port, grp, vid, dst }: GroupConfig): string =>
  `${dev} ${port} ${grp} ${vid ?? 0} ${dst ?? ''}`;

/** In a valid order. */
export function tableChanges(before: TableConfig, after: TableConfig): TableChanges {
  const had = new Map(before.neigh.map((one) => [bindingKey(one), bindingText(one)]));
  const wanted = new Set(after.neigh.map(bindingKey));
  const place = ({ dev, vid, dst }: NeighConfig) => ({ dst, dev, ...(vid === 0 ? {} : { vlan: vid }) });
  const groups = new Set(before.mdb.map(groupKey));
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
      ...before.mdb.filter((one) => !wantedGroups.has(groupKey(one))).map((one): MdbRequest => ({ op: 'del', ...one })),
      ...after.mdb.filter((one) => !groups.has(groupKey(one))).map((one): MdbRequest => ({ op: 'add', ...one })),
    ],
  };
}

/** Those whose port and VLAN remain in a configuration: the others are removed implicitly. */
export function stayingTables({ neigh, mdb }: TableConfig, config: SwitchConfig): TableConfig {
  const places = new Set<string>();
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
      if (isTunnelConfig(port) && port.host_port) put(hostPortName(port.name), port.vlans);
    }
  }
  return {
    neigh: neigh.filter(({ dev, vid }) => places.has(`${dev} ${vid}`)),
    mdb: mdb.filter(({ dev, port, vid }) => places.has(`${dev} ${port} ${vid ?? 0}`)),
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
    ...mdb.map(({ op, dev, port, grp, vid, dst }) => {
      const more = [...(vid === undefined ? [] : ['vid', `${vid}`]), ...(dst === undefined ? [] : ['dst', dst])];
      return commandText(['mdb', op, 'dev', dev, 'port', port, 'grp', grp, ...more]);
    }),
  ];
}
