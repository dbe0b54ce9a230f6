/** What the switches tell of themselves: entries learned, moved and aged, links up and down. */
import { html, table } from '../dom.js';
import { clock, note, type View } from './view.js';

const SHOWN = 60;

export const eventsView: View = {
  id: 'events',
  title: 'Events',
  draw(store) {
    const latest = store.happenings.slice(-SHOWN).reverse();
    const rows = latest.map(({ sw, item }) =>
      html('tr', {}, html('td', {}, clock(item.at)), html('td', {}, sw), html('td', { class: 'mono' }, item.text)),
    );
    const body =
      rows.length === 0
        ? note('Nothing has changed since the page was opened.')
        : table(['time', 'switch', 'event'], rows);
    return [html('h2', {}, 'Events'), body];
  },
};
