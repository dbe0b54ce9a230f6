/** The latest frames, each with what was done to it; a click explains one. */
import type { Passage, Way } from '../../model/messages.js';
import { button, html } from '../dom.js';
import type { Shown, Store } from '../store.js';
import { type Actions, clock, note, numberText, tag, type View } from './view.js';

const SHOWN = 60;

export function framesView(actions: Actions): View {
  return {
    id: 'frames',
    title: 'Frames',
    draw(store) {
      // Several switches tell in turns: the times put their frames in order.
      const latest = [...store.passages].sort((one, other) => other.item.at - one.item.at).slice(0, SHOWN);
      const rows = latest.map((one) => html('li', {}, row(one, store, actions)));
      const nothing =
        latest.length > 0 ? [] : [note('No frame yet. Send one: a ping from a guest, or the view "Try a frame".')];
      return [html('h2', {}, 'Frames'), ...missed(store), ...nothing, html('ul', { class: 'rows' }, ...rows)];
    },
  };
}

function missed(store: Store): Node[] {
  const { missed: count, gaps } = store;
  const lines: Node[] = [];
  for (const [sw, { parts }] of store.switches) {
    const { answers, frames } = parts.health ?? {};
    if (answers === true && frames === false)
      lines.push(note(`${sw} is shown by its counters: it forwards too many frames to show one by one.`));
  }
  if (count > 0) lines.push(note(`${numberText(count)} frames are not in this list: they came too fast.`));
  if (gaps > 0) lines.push(note(`This browser was too slow for ${numberText(gaps)} messages.`));
  return lines;
}

function row({ sw, item }: Shown<Passage>, store: Store, actions: Actions): HTMLButtonElement {
  const made = button('', () => actions.explainFrame(sw, item), { class: 'row', 'data-key': `frame ${item.id}` });
  const count = item.count > 1 ? ` ×${numberText(item.count)}` : '';
  const at = store.switches.size > 1 ? `${clock(item.at)} ${sw}: ` : `${clock(item.at)} `;
  made.append(tag(item.kind), item.text + count, html('span', { class: 'where' }, at, path(item)));
  return made;
}

function path({ from, to, verdict, reason }: Passage): HTMLElement {
  const bad = verdict === 'dropped';
  const end =
    to.length > 0 ? `${verdict} to ${to.map(wayText).join(', ')}` : [verdict, reason].filter(Boolean).join(': ');
  return html('span', bad ? { class: 'bad' } : {}, `${wayText(from)} → ${end}`);
}

export function wayText({ port, remote, vni }: Way): string {
  return [port === '' ? 'the switch itself' : port, remote, vni === undefined ? undefined : `VNI ${vni}`]
    .filter((one) => one !== undefined)
    .join(' ');
}
