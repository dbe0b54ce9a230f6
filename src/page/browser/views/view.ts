/** A view of the side: its name, and its content made anew from what is known. */
import type { Drop, Passage } from '../../model/messages.js';
import { html } from '../dom.js';
import { kindClass } from '../movers.js';
import type { Store } from '../store.js';

export interface View {
  readonly id: string;
  readonly title: string;
  /** Undefined: the content stays as it is, such as a form that is being filled in. */
  draw(store: Store): readonly Node[] | undefined;
}

/** What views may ask for. */
export interface Actions {
  explainFrame(sw: string, passage: Passage): void;
  explainDrop(sw: string, drop: Drop): void;
  /** A frame to an address, from another port of the same bridge. */
  explainEntry(sw: string, port: string, bridge: string, mac: string, vlan: number | undefined): void;
}

export const note = (text: string): HTMLElement => html('p', { class: 'note' }, text);

/** A heading for each switch, if there are several. */
export function headed(store: Store, sw: string, ...content: Node[]): Node[] {
  return store.switches.size > 1 ? [html('h3', {}, sw), ...content] : content;
}

export const tag = (kind: string): HTMLElement =>
  html('span', { class: `tag ${kindClass(kind)}` }, kind === '' ? 'frame' : kind);

/** Time of day with milliseconds. */
export function clock(at: number): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

export const numberText = (value: number): string => value.toLocaleString('en');
