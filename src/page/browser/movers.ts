/** Draws what the playback says is under way: one group for each frame on a wire, and a mark where a frame came to its end. */
import type { Passage } from '../model/messages.js';
import type { Leg, Mark, Playback } from '../model/playback.js';
import { svg } from './dom.js';
import type { Stage } from './stage.js';

const HEIGHT = 30;
const PER_CHARACTER = 11;
const MARK_HEIGHT = 30;
const MARKS_AT_A_PORT = 3;

export function kindClass(kind: string): string {
  if (/^(ARP|ND)/i.test(kind)) return 'k-arp';
  if (/^(ping|pong|ICMP)/i.test(kind)) return 'k-icmp';
  if (/^TCP/i.test(kind)) return 'k-tcp';
  if (/^(UDP|DHCP|DNS)/i.test(kind)) return 'k-udp';
  return 'k-other';
}

export class Movers {
  private readonly drawn = new Map<string, SVGGElement>();
  private layer: SVGGElement | undefined;

  /** @param picked called with the frame that was clicked */
  constructor(
    private readonly stage: Stage,
    private readonly playback: Playback,
    private readonly picked: (sw: string, passage: Passage) => void,
    /** Where frames that came to their end are marked. */
    private readonly placeOfMark: (mark: Mark) => { x: number; y: number } | undefined,
  ) {}

  /** @param time of the playback */
  draw(time: number): void {
    if (this.layer !== this.stage.movers) {
      this.drawn.clear();
      this.layer = this.stage.movers;
    }
    const seen = new Set<string>();
    for (const { leg, position } of this.playback.moving(time)) {
      const place = this.stage.placeOn(leg.edge, position);
      if (place === undefined) continue;
      seen.add(leg.id);
      this.groupOf(leg.id, () => this.frame(leg)).setAttribute('transform', `translate(${place.x} ${place.y})`);
    }
    const rows = new Map<string, number>();
    for (const mark of this.playback.standing(time)) {
      const place = this.placeOfMark(mark);
      const at = `${mark.sw} ${mark.port}`;
      const row = rows.get(at) ?? 0;
      if (place === undefined || row >= MARKS_AT_A_PORT) continue;
      rows.set(at, row + 1);
      const id = `mark ${mark.sw} ${mark.passage.id}`;
      seen.add(id);
      const y = place.y + MARK_HEIGHT * row;
      this.groupOf(id, () => this.mark(mark)).setAttribute('transform', `translate(${place.x} ${y})`);
    }
    for (const [id, group] of this.drawn) {
      if (seen.has(id)) continue;
      group.remove();
      this.drawn.delete(id);
    }
  }

  private groupOf(id: string, make: () => SVGGElement): SVGGElement {
    const known = this.drawn.get(id);
    if (known !== undefined) return known;
    const made = make();
    this.drawn.set(id, made);
    this.stage.movers.append(made);
    return made;
  }

  private frame(leg: Leg): SVGGElement {
    const { passage, way, sw } = leg;
    const text = [passage.kind, passage.count > 1 ? `×${passage.count}` : ''].filter((one) => one !== '').join(' ');
    const width = Math.max(HEIGHT, text.length * PER_CHARACTER + 14);
    const body = svg('rect', {
      x: -width / 2,
      y: -HEIGHT / 2,
      width,
      height: HEIGHT,
      rx: HEIGHT / 2,
      class: `body ${kindClass(passage.kind)}`,
    });
    const label = svg('text', { y: 6 }, text);
    const isInside = way.remote !== undefined;
    const envelope = isInside ? [envelopeOf(width)] : [];
    const vni = way.vni === undefined ? [] : [svg('text', { y: 41, class: 'vni' }, `VNI ${way.vni}`)];
    const title = svg(
      'title',
      {},
      `${passage.text}${isInside ? `, in VXLAN${way.vni === undefined ? '' : ` VNI ${way.vni}`}` : ''}`,
    );
    const marks = { class: 'frame', 'data-switch': sw, 'data-edge': leg.edge, 'data-kind': passage.kind };
    const group = svg('g', marks, title, ...envelope, body, label, ...vni);
    group.addEventListener('click', () => this.picked(sw, passage));
    return group;
  }

  private mark({ passage, sw }: Mark): SVGGElement {
    const word = passage.verdict === 'dropped' ? `✕ ${passage.reason ?? 'dropped'}` : passage.verdict;
    const count = passage.count > 1 ? ` ×${passage.count}` : '';
    const text = `${word}${count}`;
    const width = text.length * PER_CHARACTER + 10;
    const body = { x: -width / 2, y: -MARK_HEIGHT / 2, width, height: MARK_HEIGHT - 2, rx: 6, class: 'body' };
    const label = svg('text', { y: 5, 'text-anchor': 'middle' }, text);
    const group = svg('g', { class: 'lost' }, svg('title', {}, passage.text), svg('rect', body), label);
    group.addEventListener('click', () => this.picked(sw, passage));
    return group;
  }
}

/** The outer headers: a frame around the frame. */
function envelopeOf(width: number): SVGRectElement {
  const around = { x: -width / 2 - 9, y: -HEIGHT / 2 - 8, width: width + 18, height: HEIGHT + 16 };
  return svg('rect', { ...around, class: 'envelope' });
}
