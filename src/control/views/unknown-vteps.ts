/**
 * Addresses that send datagrams although they are no remote of the port: what the engines remember of them
 * (`dataplane/state/unknown-vteps.ts`), by name and time. It only reads.
 */

import type { UnknownVtep } from '../../api/api.js';
import { TICK_MS } from '../../dataplane/engine.js';
import type { CounterReader } from '../../dataplane/state/counters.js';
import type { RemoteTable } from '../../encap/remotes.js';
import { formatAddress } from '../../wire/ip-address.js';
import { isTunnel, type SwitchModel } from '../model/model.js';

export interface UnknownVtepSources {
  model: SwitchModel;
  counters: CounterReader;
  remotes: RemoteTable;
}

/** The latest first. An address that the port takes by now is none any more. */
export function unknownVteps({ model, counters, remotes }: UnknownVtepSources): UnknownVtep[] {
  const { tick } = counters;
  const now = Date.now();
  const timeOf = (then: number): string => new Date(now - Math.max(0, tick - then) * TICK_MS).toISOString();
  return counters.unknownVteps.list().flatMap(({ port: index, vni, address, count, first, last }) => {
    const port = model.portAt[index];
    const isKnown = !isTunnel(port) || port.config.accept_vteps === 'any' || remotes.find(index, ...address) !== 0;
    if (isKnown) return [];
    return [
      { address: formatAddress(...address), port: port.name, vni, count, first: timeOf(first), last: timeOf(last) },
    ];
  });
}
