/**
 * A frame of one's own: what the switch would do with it, and in a lab, sending it. The form is made once, so that what was typed stays.
 */
import { isTunnelType } from '../../model/tunnel-type.js';
import { button, html } from '../dom.js';
import type { Store } from '../store.js';
import { note, type View } from './view.js';

export interface Tries {
  trace(sw: string, port: string, frame: string): void;
  /** @returns why not */
  send(sw: string, port: string, frame: string, count: number): Promise<string | undefined>;
}

export class TryView implements View {
  readonly id = 'try';
  readonly title = 'Try a frame';
  private readonly select = html('select', { id: 'try-port' });
  private readonly frame = html('textarea', { id: 'try-frame', rows: 3, spellcheck: 'false', autocomplete: 'off' });
  private readonly count = html('input', { id: 'try-count', type: 'number', min: 1, max: 1000, value: 1 });
  private readonly choices = html('div', { class: 'choices' });
  private readonly said = html('p', { role: 'status' });
  private ports: readonly Place[] = [];
  private offered = '';
  private suggested = '';
  private isLab: boolean | undefined;

  constructor(private readonly tries: Tries) {
    this.select.addEventListener('change', () => this.offer());
  }

  draw(store: Store): readonly Node[] | undefined {
    this.ports = placesOf(store);
    const now = JSON.stringify(this.ports);
    if (now !== this.offered) {
      this.offered = now;
      const chosen = this.select.value;
      this.select.replaceChildren(...this.ports.map(({ value, text }) => html('option', { value }, text)));
      if (this.ports.some(({ value }) => value === chosen)) this.select.value = chosen;
      this.offer();
    }
    const { lab } = store.site;
    if (this.isLab === lab && this.select.isConnected) return undefined;
    this.isLab = lab;
    return this.form(lab);
  }

  /** Examples for the chosen port. The first one stands in the field until something else does. */
  private offer(): void {
    const list = examplesFor(this.select.value, this.ports);
    const take = (text: string): void => {
      this.frame.value = text;
    };
    this.choices.replaceChildren(...list.map(({ name, text }) => button(name, () => take(text))));
    const [first] = list;
    if (this.frame.value === this.suggested) take(first.text);
    this.suggested = first.text;
  }

  private form(isLab: boolean): Node[] {
    const trace = button(
      'Trace: what would happen?',
      () => this.tries.trace(...placeOf(this.select.value), this.frame.value),
      { class: 'main' },
    );
    const lab = isLab
      ? [
          field('How often', this.count),
          html(
            'p',
            {},
            button('Send it', () => this.send()),
          ),
          this.said,
        ]
      : [note('Frames can be sent into the ports of a lab only.')];
    return [
      html('h2', {}, 'Try a frame'),
      html(
        'form',
        {},
        field('It comes in at', this.select),
        field('The frame: a description, or hexadecimal', this.frame),
        note('For example:'),
        this.choices,
        html('p', {}, trace),
        ...lab,
      ),
    ];
  }

  private async send(): Promise<void> {
    const [sw, port] = placeOf(this.select.value);
    this.said.textContent = 'sending';
    this.said.className = '';
    const refused = await this.tries.send(sw, port, this.frame.value, this.count.valueAsNumber || 1);
    this.said.textContent = refused ?? `sent into ${port} of ${sw}`;
    this.said.className = refused === undefined ? 'good' : 'bad';
  }
}

const field = (text: string, input: HTMLElement): HTMLElement =>
  html('label', { class: 'field' }, html('span', {}, text), input);

function placeOf(value: string): [sw: string, port: string] {
  const [sw = '', port = ''] = value.split(' ');
  return [sw, port];
}

/** A port that frames come in at from a guest. */
interface Place {
  readonly value: string;
  readonly text: string;
  readonly address: string | undefined;
  readonly mac: string | undefined;
}

function placesOf({ switches, site }: Store): Place[] {
  return [...switches].flatMap(([sw, { parts }]) =>
    (parts.links ?? [])
      .filter(({ type, master }) => master !== undefined && !isTunnelType(type) && type !== 'patch')
      .map((link) => {
        const guest = site.guests.find((one) => one.switch === sw && one.port === link.name);
        const address = (guest?.addresses[0] ?? link.addresses[0])?.replace(/\/.*$/, '');
        const who = [guest?.name === link.name ? undefined : guest?.name, address].filter(Boolean).join(' ');
        const text = `${sw} ${link.name}${who === '' ? '' : `: ${who}`}`;
        return { value: `${sw} ${link.name}`, text, address, mac: guest?.mac ?? link.mac };
      }),
  );
}

interface Example {
  readonly name: string;
  readonly text: string;
}

/** Descriptions with the addresses of the guests that there are: of the chosen port, and of another one of its subnet. */
function examplesFor(value: string, places: readonly Place[]): [Example, ...Example[]] {
  const own = places.find((one) => one.value === value);
  const address = own?.address ?? '10.0.0.1';
  const subnet = address.replace(/[0-9]+$/, '');
  const other = places.find((one) => one !== own && one.address?.startsWith(subnet));
  const target = other?.address ?? `${subnet}2`;
  const from = own?.mac === undefined ? '' : `src ${own.mac} `;
  const to = other?.mac === undefined ? '' : `dst ${other.mac} `;
  const ip = `ip ${address} > ${target}`;
  return [
    { name: 'ARP request', text: `${from}arp who-has ${target} tell ${address}` },
    { name: 'ping', text: `${from}${to}${ip} icmp echo` },
    { name: 'UDP', text: `${from}${to}${ip} udp 5000 > 53` },
    { name: 'tagged, VLAN 99', text: `${from}${to}vlan 99 ${ip} udp 5000 > 53` },
    { name: 'unknown MAC', text: `${from}dst 02:00:00:ff:ff:ff ${ip} udp 5000 > 53` },
  ];
}
