/** Decisions as lines of text, and equal ways of frames as groups. Pure. */
import { summaryText } from '../wire/summary.js';
import type { Facts, SeenFrame } from './frames.js';

/** A port with what is behind it: `tap1`, `vxlan0 192.0.2.2 vni 10`. */
function placeText({ port = '?', remote, vni }: Facts): string {
  return `${port}${remote === undefined ? '' : ` ${remote}`}${vni === undefined ? '' : ` vni ${vni}`}`;
}

/** A copy, and why it was not sent. */
function copyText(facts: Facts): string {
  return facts.reason === undefined ? placeText(facts) : `${placeText(facts)} (${facts.reason})`;
}

/** What was decided: `forwarded`, `dropped no_pvid`. */
function verdictText({ ingress, copies }: SeenFrame): string {
  const { verdict = 'seen', reason } = ingress ?? copies[0] ?? {};
  return reason === undefined || ingress === undefined ? verdict : `${verdict} ${reason}`;
}

/** `tap1 -> tap2, vxlan0 192.0.2.2 vni 10: flooded`, with the VLAN, and with the switch before it where there are several. */
export function wayText(frame: SeenFrame): string {
  const { ingress, copies } = frame;
  const vlan = (ingress ?? copies[0])?.vlan;
  const from = ingress === undefined ? 'the switch' : placeText(ingress);
  const to = copies.length === 0 ? '' : ` -> ${copies.map(copyText).join(', ')}`;
  const at = frame.switch === undefined ? '' : `${frame.switch}: `;
  return `${at}${from}${vlan === undefined ? '' : ` vlan ${vlan}`}${to}: ${verdictText(frame)}`;
}

/** A decision as a line, with the frame in words. */
export function logLine(frame: SeenFrame): string {
  const time = new Date(Number(frame.time / 1_000_000n)).toISOString().slice(11, 23);
  return `${time} ${wayText(frame)}  [${summaryText(frame.bytes)}, ${frame.length} bytes]`;
}

/** A decision as JSON. */
export function logRow(frame: SeenFrame): Record<string, unknown> {
  const { time, length, bytes, ingress, copies } = frame;
  const iso = new Date(Number(time / 1_000_000n)).toISOString();
  return {
    time: iso,
    ...(frame.switch === undefined ? {} : { switch: frame.switch }),
    ...{ summary: summaryText(bytes), length },
    ...(ingress === undefined ? {} : { ingress }),
    copies,
  };
}

/** Ways at most; further ones are counted together. */
const MAX_WAYS = 10_000;

/** Groups of frames that went one way. */
export class Ways {
  private readonly counts = new Map<string, { frames: number; bytes: number }>();
  private others = 0;

  add(frame: SeenFrame): void {
    const way = wayText(frame);
    let count = this.counts.get(way);
    if (count === undefined) {
      if (this.counts.size >= MAX_WAYS) {
        this.others++;
        return;
      }
      count = { frames: 0, bytes: 0 };
      this.counts.set(way, count);
    }
    count.frames++;
    count.bytes += frame.length;
  }

  /** The most frequent first. */
  rows(): { frames: number; bytes: number; way: string }[] {
    const rows = [...this.counts].map(([way, count]) => ({ ...count, way }));
    rows.sort((one, other) => other.frames - one.frames || one.way.localeCompare(other.way));
    if (this.others > 0) rows.push({ frames: this.others, bytes: 0, way: 'other ways' });
    return rows;
  }

  /** As a table. */
  text(): string {
    return this.rows()
      .map(
        ({ frames, bytes, way }) =>
          `${String(frames).padStart(9)} frames ${String(bytes).padStart(12)} bytes  ${way}\n`,
      )
      .join('');
  }
}

/** Lets so many lines a second through, and counts the others. */
export class LineLimit {
  private second = -1;
  private shown = 0;
  private held = 0;

  constructor(
    private readonly most: number,
    private readonly now: () => number,
  ) {}

  /** @returns whether the line may be shown */
  admits(): boolean {
    const second = Math.floor(this.now() / 1000);
    if (second !== this.second) {
      this.second = second;
      this.shown = 0;
    }
    if (this.shown < this.most) {
      this.shown++;
      return true;
    }
    this.held++;
    return false;
  }

  /** Lines that were not shown since the last call. */
  takeHeld(): number {
    const { held } = this;
    this.held = 0;
    return held;
  }
}
