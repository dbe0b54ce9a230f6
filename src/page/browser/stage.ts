/** The drawing: boxes, ports and wires as the layout has them. Drawn anew when the topology changes; figures are set in place. */
import type { Growth } from '../model/rates.js';
import { shortNumber } from '../model/rates.js';
import { type Box, LINE, layOutIn, type Plan, type PortMark, type Wire } from '../model/layout.js';
import type { Topology } from '../model/topology.js';
import { html, svg } from './dom.js';

const MARK = 16;
/** Of text of 18 units: at least 9 pixels. */
const LEAST_SCALE = 0.5;

export class Stage {
  private plan: Plan | undefined;
  /** What moves is drawn in here. */
  movers: SVGGElement = svg('g');
  private readonly canvas = html('div', { class: 'canvas' });
  private readonly wires = new Map<string, SVGPathElement>();
  private readonly lengths = new Map<string, number>();
  private readonly figures = new Map<string, SVGTextElement>();

  /** @param picked called with the node that was chosen */
  constructor(
    private readonly host: HTMLElement,
    private readonly picked: (node: string) => void,
  ) {
    host.prepend(this.canvas);
  }

  draw(topology: Topology): void {
    const plan = layOutIn(topology, this.window());
    this.plan = plan;
    this.drawnIn = this.window();
    this.wires.clear();
    this.lengths.clear();
    this.figures.clear();
    this.movers = svg('g', { class: 'movers' });
    const drawing = svg(
      'svg',
      {
        class: 'drawing',
        viewBox: `0 0 ${plan.width} ${plan.height}`,
        role: 'group',
        'aria-label': 'Switches, guests and tunnels',
      },
      ...plan.wires.map((wire) => this.wire(wire)),
      ...plan.boxes.map((box) => this.box(box)),
      ...plan.ports.flatMap((mark) => this.port(mark)),
      this.movers,
    );
    // Smaller than this it cannot be read: then it is scrolled.
    drawing.style.minWidth = `${plan.width * LEAST_SCALE}px`;
    drawing.style.minHeight = `${plan.height * LEAST_SCALE}px`;
    this.canvas.replaceChildren(drawing);
  }

  /** The place on a wire, from 0 at its end `a` to 1 at `b`. */
  placeOn(edge: string, position: number): { x: number; y: number } | undefined {
    const path = this.wires.get(edge);
    if (path === undefined) return undefined;
    let length = this.lengths.get(edge);
    if (length === undefined) {
      length = path.getTotalLength();
      this.lengths.set(edge, length);
    }
    // A frame stands beside the port, not on its name.
    const margin = Math.min(20, length / 6);
    return path.getPointAtLength(margin + (length - 2 * margin) * position);
  }

  /** The middle of a switch. */
  placeOf(node: string): { x: number; y: number } | undefined {
    return this.plan?.boxes.find((box) => box.node.id === node);
  }

  /** Frames a second, below each guest. */
  showRates(sw: string, { links, seconds }: Growth): void {
    for (const [port, [received, , sent]] of links) {
      const text = this.figures.get(`guest ${sw} ${port}`);
      if (text === undefined) continue;
      const rate = (received + sent) / seconds;
      text.textContent = rate === 0 ? '' : `${shortNumber(rate)} frames/s`;
    }
  }

  /** Whether the window has changed since the drawing was made. */
  isStale(): boolean {
    const { width, height } = this.window();
    return width !== this.drawnIn.width || height !== this.drawnIn.height;
  }

  private drawnIn = { width: 0, height: 0 };

  /** Room for the drawing. Below a narrow window's drawing are the views: it may be as high as it is wide, and half more. */
  private window(): { width: number; height: number } {
    const { clientWidth: width, clientHeight } = this.host;
    const isNarrow = matchMedia('(max-width: 61.99rem)').matches;
    return { width: Math.max(200, width), height: Math.max(200, isNarrow ? width * 1.5 : clientHeight - 90) };
  }

  private wire({ edge, path }: Wire): SVGPathElement {
    const made = svg('path', { d: path, class: `wire ${edge.kind}${edge.up ? '' : ' down'}` });
    this.wires.set(edge.id, made);
    return made;
  }

  private box({ node, x, y, width, height }: Box): SVGGElement {
    const isGuest = node.at !== undefined;
    const texts = [node.title, ...node.lines].slice(0, isGuest ? 2 : 3);
    const count = texts.length + (isGuest ? 1 : 0);
    // From top to bottom the ports have their names beside the middle of a switch.
    const isHeaded = node.kind === 'switch' && this.plan?.orientation === 'tall';
    const top = isHeaded ? y - height / 2 + LINE + 4 : y - ((count - 1) * LINE) / 2 + 6;
    const place = isHeaded ? { x: x - width / 2 + 16, 'text-anchor': 'start' } : { x, 'text-anchor': 'middle' };
    const lines = texts.map((text, index) =>
      svg(
        'text',
        { ...place, y: top + index * LINE, class: index === 0 ? 'name' : 'line' },
        shortened(text, isHeaded ? width / 2 : width),
      ),
    );
    if (isGuest) {
      const figure = svg('text', { x, y: top + texts.length * LINE, 'text-anchor': 'middle', class: 'figure' });
      this.figures.set(node.id, figure);
      lines.push(figure);
    }
    const shape = {
      x: x - width / 2,
      y: y - height / 2,
      width,
      height,
      rx: node.kind === 'group' ? height / 2 : 10,
      class: 'box',
    };
    const isPicked = node.kind === 'switch' || node.kind === 'guest';
    const label = [node.title, ...node.lines].join(', ');
    const made = svg(
      'g',
      {
        class: `node ${node.kind}${node.up ? '' : ' down'}`,
        ...(isPicked ? { tabindex: 0, role: 'button', 'aria-label': label, 'data-node': node.id } : {}),
      },
      svg('title', {}, label),
      svg('rect', shape),
      ...lines,
    );
    if (isPicked) onPress(made, () => this.picked(node.id));
    return made;
  }

  private port({ at, text, label, anchor, port, sw }: PortMark): SVGElement[] {
    if (port === '') return [];
    const mark = { x: at.x - MARK / 2, y: at.y - MARK / 2, width: MARK, height: MARK, class: 'mark' };
    const place = { x: label.x, y: label.y, 'text-anchor': anchor, class: 'port' };
    return [svg('rect', mark, svg('title', {}, `${port} of ${sw.replace(/^switch /, '')}`)), svg('text', place, text)];
  }
}

/** Cuts a text that is wider than its box; a character is about ten units wide. */
function shortened(text: string, width: number): string {
  const most = Math.floor((width - 12) / 10);
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** A click, or Enter and space on what has the focus. */
export function onPress(element: SVGElement, work: () => void): void {
  element.addEventListener('click', work);
  element.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    event.stopPropagation();
    work();
  });
}
