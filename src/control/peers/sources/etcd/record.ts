/** What a host says of itself in etcd: one key for each of its ports. Pure; what is read is hostile until it was checked. */
import { z } from 'zod';
import { Refusal } from '../../../../values/address.js';
import { formatRange, type IdRange, readRange, VNI } from '../../../../values/id-range.js';
import type { SourcePort } from '../source.js';
import { readRemote, type Remote, type UsableSite } from '../usable.js';

/** Characters of a value: 4,094 VNIs without neighbours are about 40,000. */
const MAX_VALUE = 65_536;
const MAX_RANGES = 4096;

const RECORD = z.object({
  vtep: z.string().max(64),
  dstport: z.int().min(1).max(65_535),
  encapsulation: z.string().max(16),
  vnis: z.array(z.union([z.int(), z.string().max(24)])).max(MAX_RANGES),
  switch: z.string().max(256).optional(),
});

/** Another host. */
export interface Member extends Remote {
  vnis: readonly IdRange[];
  /** The name of its switch. */
  switchName: string;
}

/** The key of a port's record. @param prefix without a slash at its end */
export function keyOf(prefix: string, port: SourcePort): string {
  return `${folderOf(prefix)}${port.local}/${port.dstport}/${port.name}`;
}

/** What the keys of all records begin with. */
export function folderOf(prefix: string): string {
  return `${prefix}/vteps/`;
}

/** The end of the range of keys that begin with a text: its last byte plus one (etcd, "range_end"). */
export function endOfRange(folder: string): Buffer {
  const bytes = Buffer.from(folder);
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] ?? 0) + 1;
  return bytes;
}

export function encodeRecord({ local, dstport, type, vnis }: SourcePort, switchName: string): string {
  return JSON.stringify({
    vtep: local,
    dstport,
    encapsulation: type,
    vnis: rangesOf(vnis).map(formatRange),
    switch: switchName,
  });
}

/** @returns `own`: it is of this host; a fault in words; null: it is of another encapsulation */
export function decodeRecord(
  text: string,
  port: SourcePort,
  site: UsableSite,
): Member | 'own' | null | { fault: string } {
  const read = text.length > MAX_VALUE ? undefined : RECORD.safeParse(jsonOf(text));
  if (read?.success !== true) return { fault: 'is no record of a host' };
  const { vtep, dstport, encapsulation, vnis, switch: switchName = '' } = read.data;
  if (encapsulation !== port.type) return null;
  const remote = readRemote(vtep, port, site);
  if (remote === 'own' || 'fault' in remote) return remote;
  const ranges: IdRange[] = [];
  for (const vni of vnis) {
    const range = readRange(vni, VNI);
    if (range instanceof Refusal) return { fault: `names ${String(vni).slice(0, 24)}, which is no VNI` };
    ranges.push(range);
  }
  return { address: remote.address, dstport, vnis: ranges, switchName };
}

/** The VNIs of a port that another host has too. */
export function commonVnis({ vnis }: SourcePort, { vnis: ranges }: Member): number[] {
  const sorted = [...ranges].sort((one, other) => one.first - other.first);
  const common: number[] = [];
  let at = 0;
  // Both ascend, so ranges that end before a VNI are left behind for good.
  for (const vni of vnis) {
    while (at < sorted.length && (sorted[at]?.last ?? 0) < vni) at++;
    const range = sorted[at];
    if (range !== undefined && range.first <= vni) common.push(vni);
  }
  return common;
}

function rangesOf(vnis: readonly number[]): IdRange[] {
  const ranges: IdRange[] = [];
  for (const vni of vnis) {
    const last = ranges.at(-1);
    if (last !== undefined && last.last + 1 === vni) last.last = vni;
    else ranges.push({ first: vni, last: vni });
  }
  return ranges;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
