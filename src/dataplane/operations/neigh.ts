/**
 * Operations that add and remove bindings of the neighbour table. The table is shared: only engine 0 writes.
 */
import type { Context } from '../state/context.js';
import { fidOf } from '../state/fid.js';

interface Address {
  bridge: number;
  vid: number;
  address: readonly number[];
}

export function setNeighbour(
  { engine, neigh, tick }: Context,
  o: Address & { high: number; low: number; router: boolean; port: number; external?: true },
): void {
  if (engine !== 0) return;
  if (o.external === true) {
    // Without room it is counted as refused: no source of peers can end the switch.
    neigh.setExternal(fidOf(o.bridge, o.vid), o.address, o.high, o.low, o.router, o.port, tick);
    return;
  }
  if (!neigh.set(fidOf(o.bridge, o.vid), o.address, o.high, o.low, o.router, o.port, tick)) {
    throw new RangeError('the neighbour table is full');
  }
}

export function removeNeighbour(
  { engine, neigh }: Context,
  { bridge, vid, address, external }: Address & { external?: true },
): void {
  if (engine !== 0) return;
  if (external === true) neigh.removeExternal(fidOf(bridge, vid), address);
  else neigh.remove(fidOf(bridge, vid), address);
}

export interface NeighFlush {
  port?: number;
  bridge?: number;
  /** Of that bridge. */
  vid?: number;
  learnedOnly?: boolean;
}

export function flushNeighbours({ engine, neigh }: Context, { port, bridge, vid, learnedOnly }: NeighFlush): void {
  if (engine !== 0) return;
  const fids = bridge === undefined ? undefined : ([fidOf(bridge, vid ?? 0), fidOf(bridge, vid ?? 0xfff)] as const);
  neigh.flush({ port, fids, learnedOnly });
}
