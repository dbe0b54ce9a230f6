/** A trace, for a reader: the verdict as a sentence, one step a line, each copy, and what the far switch does with it. */
import type { Trace, TraceCopy } from '../../model/messages.js';
import { html } from '../dom.js';
import { wayText } from './frames.js';
import { note, type View } from './view.js';

export class TraceView implements View {
  readonly id = 'trace';
  readonly title = 'Trace';
  private content: readonly Node[] = [
    html('h2', {}, 'Trace'),
    note('Click a frame, an entry of the FDB or a drop, and the switch says here what it does with it, and why.'),
  ];
  private isNew = true;
  private before = { what: '', sentence: '' };

  draw(): readonly Node[] | undefined {
    if (!this.isNew) return undefined;
    this.isNew = false;
    return this.content;
  }

  /** The content is put in place at the next drawing. */
  refresh(): void {
    this.isNew = true;
  }

  /** A sentence that stands before the next content about the same frame. */
  about(what: string, sentence: string): void {
    this.before = { what, sentence };
  }

  waiting(what: string): void {
    this.set(html('p', {}, 'asking the switch'), what);
  }

  failed(what: string, reason: string): void {
    this.set(html('p', { class: 'bad' }, reason), what);
  }

  say(what: string, text: string): void {
    this.set(html('p', { class: 'good' }, text), what);
  }

  show(what: string, sw: string, trace: Trace): void {
    this.set(traceNode(sw, trace), what);
  }

  private set(content: Node, what: string): void {
    const { sentence } = this.before.what === what ? this.before : { sentence: '' };
    const why = sentence === '' ? [] : [html('p', { class: 'verdict bad' }, sentence)];
    this.content = [html('h2', {}, 'Trace'), html('p', { class: 'mono' }, what), ...why, content];
    this.isNew = true;
  }
}

function traceNode(sw: string, trace: Trace): HTMLElement {
  const { steps, copies, decided_by: decided } = trace;
  const lines = steps.map(({ stage, text }) => html('li', {}, html('span', { class: 'stage' }, `${stage}: `), text));
  const why =
    decided.length === 0 ? [] : [html('p', {}, 'Decided by: ', html('span', { class: 'mono' }, decided.join('; ')))];
  return html(
    'div',
    {},
    html('h3', {}, `On ${sw}, coming in at ${trace.port}`),
    html('p', { class: trace.verdict === 'dropped' ? 'verdict bad' : 'verdict' }, sentence(trace)),
    html('ol', { class: 'steps' }, ...lines),
    ...why,
    ...copies.map(copyNode),
  );
}

function sentence({ verdict, reason, copies }: Trace): string {
  const sent = copies.filter((copy) => copy.verdict === 'sent').length;
  const count = sent > 1 ? `, ${sent} copies` : '';
  return `${verdict.charAt(0).toUpperCase()}${verdict.slice(1)}${reason === undefined ? '' : `: ${reason}`}${count}`;
}

function copyNode(copy: TraceCopy): HTMLElement {
  const isDropped = copy.verdict === 'dropped';
  const fate = isDropped ? `not sent: ${copy.reason ?? 'dropped'}` : 'sent';
  const head = html(
    'p',
    isDropped ? { class: 'bad' } : {},
    `${copy.answer === true ? 'Answer' : 'Copy'} to ${wayText(copy)}: ${fate}`,
  );
  const far = copy.peer === undefined ? [] : [farNode(copy.peer)];
  return html('div', { class: isDropped ? 'copy dropped' : 'copy' }, head, ...far);
}

function farNode({ switch: sw, trace, refused = 'it has no trace' }: NonNullable<TraceCopy['peer']>): HTMLElement {
  return trace === undefined ? html('p', { class: 'bad' }, `${sw}: ${refused}`) : traceNode(sw, trace);
}
