/**
 * Senders of datagrams dropped as `vtep_unknown`: the engines' records (`dataplane/state/unknown-vteps.ts`) with names and
 * times. Read-only.
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

/** The latest first. Addresses that the port accepts by now are omitted. */
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
