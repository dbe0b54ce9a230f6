/** Dropped frames for people: what was dropped, why, and the command that explains it. Pure. */
import type { DroppedFrame } from '../api/api.js';
import { dropSentence } from '../text/drop-sentences.js';
import { command } from '../text/shell.js';
import { fromHex } from '../wire/bytes.js';
import { summaryText } from '../wire/summary.js';

/** One dropped frame, in three lines or four. */
export function dropText(row: DroppedFrame): string {
  const { time, port, direction, reason, length, frame, vlan, vni, remote } = row;
  const place = [
    direction === 'rx' ? 'from' : 'to',
    port,
    ...(remote === undefined ? [] : ['remote', remote]),
    ...(vni === undefined ? [] : ['vni', vni]),
    ...(vlan === undefined ? [] : ['vlan', vlan]),
  ];
  const kept = frame.length / 2;
  const cut = kept < length ? `, the first ${kept} of them here` : '';
  return [
    `${time} ${place.join(' ')}: ${reason}`,
    `  ${summaryText(fromHex(frame))} (${length} bytes${cut})`,
    `  ${dropSentence(reason)}`,
    ...traceLine(row),
    '',
  ].join('\n');
}

/** Of these, what decides is not in the frame: its offloads, the outer header or the other side. */
const NOT_IN_FRAME = ['offload_invalid', 'ecn_invalid', 'vxlan_reserved_bits', 'remote_unknown'];

/** How to see each step, of a frame that came in by a port. Only its first bytes are kept: `len` gives it its length back. */
function traceLine({ direction, port, reason, frame, length, remote, vni }: DroppedFrame): string[] {
  if (direction !== 'rx' || frame.length === 0 || NOT_IN_FRAME.includes(reason)) return [];
  // What is no VXLAN has no frame in it.
  if (remote !== undefined && vni === undefined) return [];
  const rest = frame.length / 2 < length ? ` len ${length}` : '';
  const outer = remote === undefined || vni === undefined ? '' : command` --from ${remote} --vni ${vni}`;
  return [`  ${command`overtap trace ${port} ${frame}`}${rest}${outer}`];
}

/** Drops of a reason that were not kept, between two that were. */
export function missedText(reason: string, count: number): string {
  return `  ... ${count} more ${count === 1 ? 'frame' : 'frames'} dropped as ${reason}, not kept\n`;
}

/** Which rows of one listing are new against the listing before, and how many others of each reason were dropped between. */
export class Follower {
  /** The last number of each reason and engine. */
  private readonly seen = new Map<string, number>();

  /** @returns new rows in their order, each with the number of drops of its reason that were not kept before it */
  take(rows: readonly DroppedFrame[]): { row: DroppedFrame; missed: number }[] {
    return rows.flatMap((row) => {
      const key = `${row.engine} ${row.reason}`;
      const before = this.seen.get(key);
      if (before !== undefined && row.number <= before) return [];
      this.seen.set(key, row.number);
      return [{ row, missed: before === undefined ? 0 : row.number - before - 1 }];
    });
  }
}
