/** Frames a second of each port, over the last two minutes. */
import { niceTop, POINTS, type Rate, shortNumber } from '../../model/rates.js';
import { html, svg } from '../dom.js';
import { headed, note, type View } from './view.js';

const WIDTH = 300;
const HEIGHT = 110;

export const ratesView: View = {
  id: 'rates',
  title: 'Rates',
  draw(store) {
    const lists = [...store.switches].flatMap(([sw, { rates }]) => {
      const plots = [...rates.series.values()].map(({ name, rates: points }) => plot(name, points));
      return headed(store, sw, plots.length === 0 ? note('Counting.') : html('div', { class: 'plots' }, ...plots));
    });
    const key = html(
      'p',
      { class: 'note' },
      html('span', { class: 'swatch k-icmp' }),
      'into the switch   ',
      html('span', { class: 'swatch k-arp' }),
      'out of it',
    );
    return [html('h2', {}, 'Frames a second, last two minutes'), key, ...lists];
  },
};

function plot(name: string, rates: readonly Rate[]): HTMLElement {
  const top = niceTop(Math.max(...rates.map(([received, sent]) => Math.max(received, sent)), 1));
  const last = rates.at(-1) ?? [0, 0, 0, 0, 0];
  const line = (which: 0 | 1, stroke: string): SVGElement => {
    const points = rates.map((rate, index) => {
      const x = ((index + POINTS - rates.length) / (POINTS - 1)) * WIDTH;
      return `${x.toFixed(1)},${(HEIGHT - 4 - (rate[which] / top) * (HEIGHT - 12)).toFixed(1)}`;
    });
    return svg('polyline', { points: points.join(' '), fill: 'none', stroke, 'stroke-width': 3 });
  };
  const drawing = svg(
    'svg',
    {
      class: 'plot',
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: 'img',
      'aria-label': `${name}: at most ${shortNumber(top)} frames a second`,
    },
    svg('text', { x: 6, y: 20, 'font-size': 16, fill: 'currentColor' }, `${shortNumber(top)}/s`),
    line(1, '#e69f00'),
    line(0, '#56b4e9'),
  );
  const [received, sent, bitsIn, bitsOut, drops] = last;
  const lost = drops > 0 ? `, ${shortNumber(drops)} dropped/s` : '';
  const caption = html(
    'figcaption',
    {},
    html('b', { class: 'part' }, name),
    html(
      'span',
      { class: 'part note' },
      `${shortNumber(received + sent)} frames/s, ${unitNumber(bitsIn + bitsOut)}bit/s${lost}`,
    ),
  );
  return html('figure', {}, caption, drawing);
}

/** With a space before the unit, whatever it is: `0 bit/s`, `1.2 kbit/s`. */
function unitNumber(value: number): string {
  const text = shortNumber(value);
  return text.includes(' ') ? text : `${text} `;
}
