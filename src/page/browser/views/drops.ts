/** Dropped frames: how many for each reason, and the latest ones; a click explains one. */
import type { Drop } from '../../model/messages.js';
import { button, html, table } from '../dom.js';
import type { Shown, Store } from '../store.js';
import { type Actions, clock, headed, note, numberText, tag, type View } from './view.js';

const SHOWN = 50;

export function dropsView(actions: Actions): View {
  return {
    id: 'drops',
    title: 'Drops',
    draw(store) {
      const latest = store.drops().slice(0, SHOWN);
      const rows = latest.map((one) => html('li', {}, row(one, store, actions)));
      const kept =
        rows.length === 0
          ? []
          : [html('h3', {}, 'The latest: click one to see why'), html('ul', { class: 'rows' }, ...rows)];
      return [html('h2', {}, 'Dropped frames'), ...kept, ...sums(store)];
    },
  };
}

function sums(store: Store): Node[] {
  return [...store.switches].flatMap(([sw, { parts }]) => {
    const reasons = Object.entries(parts.totals?.drops ?? {}).filter(([, count]) => count > 0);
    if (reasons.length === 0) return headed(store, sw, note('Nothing was dropped so far.'));
    reasons.sort(([, one], [, other]) => other - one);
    const rows = reasons.map(([reason, count]) =>
      html('tr', {}, html('td', { class: 'mono' }, reason), html('td', { class: 'number' }, numberText(count))),
    );
    return headed(store, sw, table(['reason', 'frames'], rows));
  });
}

function row({ sw, item }: Shown<Drop>, store: Store, actions: Actions): HTMLButtonElement {
  const made = button('', () => actions.explainDrop(sw, item), { class: 'row', 'data-key': `drop ${sw} ${item.id}` });
  const at = store.switches.size > 1 ? `${clock(item.at)} ${sw}` : clock(item.at);
  const where = html(
    'span',
    { class: 'where' },
    `${at}, ${item.isReceived ? 'from' : 'to'} ${item.port}: `,
    html('span', { class: 'bad' }, item.reason),
  );
  made.append(tag(item.kind), item.text, where);
  return made;
}
