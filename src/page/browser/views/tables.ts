/** FDB, VLANs and VNIs, neighbours: the tables of each switch. */
import type { FdbEntry, Link, NeighEntry } from '../../model/messages.js';
import { button, html, table } from '../dom.js';
import type { Store } from '../store.js';
import { type Actions, headed, note, numberText, type View } from './view.js';

const cell = (text: string | number | undefined, name?: string): HTMLTableCellElement =>
  html('td', name === undefined ? {} : { class: name }, text === undefined ? '' : String(text));

export function fdbView(actions: Actions): View {
  return {
    id: 'fdb',
    title: 'FDB',
    draw(store) {
      const lists = [...store.switches].flatMap(([sw, { parts }]) => {
        const fdb = parts.fdb ?? { rows: [], total: 0 };
        const rows = fdb.rows.map((entry) => fdbRow(sw, entry, store, actions));
        return headed(
          store,
          sw,
          table(['MAC', 'VLAN', 'behind', 'age', ''], rows),
          ...rest(fdb.rows.length, fdb.total),
        );
      });
      return [html('h2', {}, 'Forwarding database: which MAC is where'), ...lists];
    },
  };
}

function fdbRow(sw: string, entry: FdbEntry, store: Store, actions: Actions): HTMLTableRowElement {
  const { mac, port, bridge, vlan, vni, dst, state, age } = entry;
  const behind = dst === undefined ? port : `${port} ${dst}${vni === undefined ? '' : ` VNI ${vni}`}`;
  const explain = button('Trace', () => actions.explainEntry(sw, port, bridge, mac, vlan), {
    class: 'small',
    'data-key': `fdb ${sw} ${bridge} ${mac} ${vlan ?? ''}`,
    'aria-label': `Trace a frame to ${mac}`,
  });
  const age_ = state === 'dynamic' ? (age === undefined ? '' : `${age} s`) : state;
  return html(
    'tr',
    store.isFresh(sw, mac) ? { class: 'fresh' } : {},
    cell(mac, 'mono'),
    cell(vlan),
    cell(behind),
    cell(age_, 'age'),
    html('td', { class: 'number' }, explain),
  );
}

function rest(shown: number, total: number): Node[] {
  if (total === 0) return [note('Nothing yet.')];
  if (shown === total) return [];
  const how = shown === 0 ? 'too many to show here' : `${numberText(shown)} of them shown`;
  return [note(`${numberText(total)} entries, ${how}; "overtap fdb show" lists all.`)];
}

export const vlansView: View = {
  id: 'vlans',
  title: 'VLANs',
  draw(store) {
    const lists = [...store.switches].flatMap(([sw, { parts }]) => {
      const ports = (parts.links ?? []).filter(
        ({ type, vlans, vnis }) => type !== 'bridge' || vlans.length + vnis.length > 0,
      );
      return headed(store, sw, table(['port', 'VLAN', 'VLAN → VNI', 'state'], ports.map(portRow)));
    });
    return [html('h2', {}, 'Ports, their VLANs and VNIs'), ...lists];
  },
};

function portRow({ name, type, vlans, vnis, up, fault, mtu }: Link): HTMLTableRowElement {
  const state = up ? `UP, MTU ${mtu}` : `DOWN${fault === undefined ? '' : `: ${fault}`}`;
  return html(
    'tr',
    {},
    cell(`${name} (${type})`),
    cell(vlans.length > 0 ? vlans.join(', ') : 'any'),
    cell(vnis.map((text) => text.replaceAll('->', '→')).join(', ')),
    cell(state, up ? undefined : 'bad'),
  );
}

export const neighView: View = {
  id: 'neigh',
  title: 'Neighbours',
  draw(store) {
    const lists = [...store.switches].flatMap(([sw, { parts }]) => {
      const neigh = parts.neigh ?? { rows: [], total: 0 };
      const rows = neigh.rows.map(neighRow);
      return headed(
        store,
        sw,
        table(['address', 'MAC', 'VLAN', 'port', 'state'], rows),
        ...rest(rows.length, neigh.total),
      );
    });
    const why = 'From these the switch answers ARP and ND itself, on ports with neigh_suppress or proxy.';
    return [html('h2', {}, 'Neighbours: which address has which MAC'), note(why), ...lists];
  },
};

function neighRow({ address, mac, vlan, port, state }: NeighEntry): HTMLTableRowElement {
  return html('tr', {}, cell(address, 'mono'), cell(mac, 'mono'), cell(vlan), cell(port), cell(state));
}
