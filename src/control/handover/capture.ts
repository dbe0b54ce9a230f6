/** What a running switch leaves to the next process. Reads only. */
import { RETIRED, type CounterReader, type Traffic } from '../../dataplane/state/counters.js';
import { ageOf, type FdbReader } from '../../fdb/table.js';
import type { RemoteTable } from '../../encap/remotes.js';
import { ChangeRefused } from '../controls.js';
import type { DeviceSource } from '../devices/devices.js';
import type { Absence, Bequest } from '../model/bequest.js';
import { isTunnel, type Port, type SwitchModel } from '../model/model.js';
import { remoteAddress } from '../model/naming.js';
import { kindOf } from '../ports/registry.js';
import { remotesOf } from '../reconcile/vteps.js';
import type { Counts, Names } from './estate.js';

export interface Captured {
  model: SwitchModel;
  remotes: RemoteTable;
  counters: CounterReader;
  fdb: FdbReader;
}

/** The devices of all ports. @throws ChangeRefused when one of them cannot be given away */
export function bequests(model: SwitchModel, devices: DeviceSource): [string, Bequest | Absence][] {
  return [...model.ports.values()].map((port) => [port.name, bequestOf(port, model, devices)]);
}

function bequestOf(port: Port, model: SwitchModel, devices: DeviceSource): Bequest | Absence {
  const kind = kindOf(port);
  if (model.lost.has(port.index))
    return { ...kind.bequeathWaiting?.(port), absent: port.fault ?? 'its device is missing' };
  const given = kind.bequeath?.(port, devices);
  if (given !== undefined) return given;
  throw new ChangeRefused(
    `port ${port.name} is a ${port.config.type} port, whose device cannot be given to another process; stop the switch and start it again`,
    'unavailable',
  );
}

/** The meaning of all indexes. */
export function names({ model, remotes }: Captured, tick: number): Names {
  return {
    bridges: [...model.bridges.values()].map(({ index, name }) => [index, name]),
    ports: [...model.ports.values()].map(({ index, name }) => [index, name]),
    remotes: [...model.ports.values()].filter(isTunnel).flatMap((port): Names['remotes'] => {
      const configured = [...remotesOf(port)].map(([index, address]) => {
        const vni = port.sentVnis.get(index)?.vni;
        return { index, address, ...(vni === undefined ? {} : { vni }) };
      });
      const learned = [...remotes.learned(port.index)].map((index) => ({
        index,
        address: remoteAddress(remotes, index),
        heard: ageOf(tick, remotes.heardAt(index)),
      }));
      return [...configured, ...learned].flatMap((remote) => {
        const udpPort = remotes.udpPort(remote.index);
        return udpPort === 0 ? [] : [{ ...remote, port: port.name, udpPort }];
      });
    }),
    groups: [...model.ports.values()]
      .filter(isTunnel)
      .flatMap(({ name, nexthops }) => [...nexthops.values()].map(({ index, nhid }) => ({ index, port: name, nhid }))),
  };
}

/** All counters, by name; those at zero are left out where there may be many. */
export function counts({ model, counters, fdb }: Captured, { remotes }: Names): Counts {
  const ports = [...model.ports.values()];
  const { learned, moved, aged, refused, evicted } = fdb.counters();
  const carried = ports.filter(isTunnel).flatMap((port) => [...port.vnis, ...port.sentVnis.values()]);
  const vnis = [...new Map(carried.map(({ vni, counter }) => [vni, counter]))];
  return {
    ports: ports.map(({ name, index }) => [name, counters.account(index)]),
    retired: counters.account(RETIRED),
    replicated: counters.replicated,
    tunnelled: counters.tunnelled,
    remotes: remotes.flatMap(({ index }) => nonZero([index], counters.remote(index))),
    vnis: vnis.flatMap(([vni, counter]) => nonZero([vni], counters.vni(counter))),
    losses: vnis.flatMap(([vni, counter]) => {
      const losses = counters.losses(counter);
      return Object.values(losses).some((count) => count > 0) ? [[vni, losses]] : [];
    }),
    vlans: ports.flatMap(({ name, vlans }) =>
      [...vlans].flatMap(([vid, { counter }]) =>
        counter === 0 ? [] : nonZero<[string, number]>([name, vid], counters.vlan(counter)),
      ),
    ),
    fdb: [0, learned, moved, aged, refused, evicted],
  };
}

function nonZero<K extends unknown[]>(key: K, traffic: Traffic): [...K, Traffic][] {
  return traffic.rx_packets + traffic.tx_packets === 0 ? [] : [[...key, traffic]];
}
