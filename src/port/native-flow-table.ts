/** The table of known flows over the addon: BPF maps, which the programs of `src/native/flows` read. */
import type { FlowHandle, FlowLink, FlowMaps } from '../native/binding.js';
import * as native from '../native/binding.js';
import { COUNT_WORDS, FLOW_SLOTS, type FlowTable } from './flow-table.js';
import { netnsPath } from './netns.js';

export type { FlowMaps } from '../native/binding.js';

/** The maps of a switch, for so many engines. @throws NativeError */
export function openFlowMaps(engines: number): FlowMaps {
  return native.openFlowMaps(engines);
}

export function closeFlowMaps({ rows, notes, shared, far, outers }: FlowMaps): void {
  for (const fd of [rows, notes, shared, far, outers]) native.closeFd(fd);
}

/**
 * Makes devices of the kernel that take superframes out of tunnels, for engines that are started afterwards with these maps. Without them
 * superframes go by the sockets.
 * @returns ends it @throws NativeError
 */
export function openDecap(maps: FlowMaps): () => void {
  const { index, link, netns } = native.openDecap(maps);
  maps.decap = index;
  return () => {
    native.closeFd(link);
    native.closeFd(netns);
  };
}

/** The table for one thread. @param engine number of the engine whose slots it writes */
export function flowTable(maps: FlowMaps, engine: number): FlowTable {
  const table: FlowHandle = native.mapFlows(maps);
  const bytesOf = (words: Int32Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  // The same arrays come again and again: one view for each.
  const views = new WeakMap<Int32Array, Uint8Array>();
  const bytes = (words: Int32Array): Uint8Array => {
    const known = views.get(words) ?? bytesOf(words);
    views.set(words, known);
    return known;
  };
  return {
    set: (words) => native.setFlow(table, bytes(words)),
    remove: (words) => void native.removeFlow(table, bytes(words)),
    setFar: (words) => native.setFarFlow(table, bytes(words)),
    removeFar: (words) => void native.removeFarFlow(table, bytes(words)),
    outer: (slot, sender, words) =>
      native.flowOuter(table, slot < 0 ? slot : engine * FLOW_SLOTS + slot, sender, bytes(words)),
    under: (device) => native.flowUnder(table, device),
    takesSuperframes: maps.decap !== 0,
    holds: () => (maps.decap === 0 ? 0 : native.decapHolds(table)),
    isWatched: () => native.flowsWatched(),
    stamp: (place) => native.flowStamp(table, place),
    touch: (place) => native.touchFlows(table, place),
    read(words) {
      if (words.length !== FLOW_SLOTS * COUNT_WORDS) throw new RangeError('counts of all slots are read at once');
      native.readFlows(table, engine * FLOW_SLOTS, bytes(words));
    },
    listen: (fd, filter) => native.filterFlows(fd, filter),
  };
}

/** Resolves when no program runs any more that runs now: what was changed before holds for every frame since. */
export async function settleFlows(): Promise<void> {
  await native.settleFlows();
}

/** An interface whose known flows may be carried. */
export interface FlowDevice {
  readonly device: number;
  readonly filter: number;
  /** Of the interface. */
  readonly index: number;
  /** Idempotent. */
  close(): void;
}

/** Links the programs to an interface. @param device a number that no other has had @throws NativeError */
export function openFlowDevice(
  maps: FlowMaps,
  device: number,
  { ifname, netns }: { ifname: string; netns?: string | undefined },
): FlowDevice {
  const place = netns === undefined ? { ifname } : { ifname, netns: netnsPath(netns) };
  const link: FlowLink = native.linkFlows(maps, device, place);
  let isOpen = true;
  return {
    device,
    filter: link.filter,
    index: link.index,
    close() {
      if (!isOpen) return;
      isOpen = false;
      native.closeFd(link.link);
      native.closeFd(link.filter);
    },
  };
}
