/** The views as tabs: one is shown, and drawn anew when something has changed, at most twice a second, so that it can be read. */
import { html } from './dom.js';
import type { Store } from './store.js';
import type { View } from './views/view.js';

const REDRAW_MS = 500;

export class Tabs {
  private readonly buttons = new Map<string, HTMLButtonElement>();
  private shown: View;
  private isDirty = true;
  private drawnAt = Number.NEGATIVE_INFINITY;

  constructor(
    list: HTMLElement,
    private readonly panel: HTMLElement,
    private readonly views: readonly View[],
    private readonly store: Store,
  ) {
    this.shown = views[0];
    views.forEach((view, index) => {
      const tab = html(
        'button',
        { type: 'button', role: 'tab', id: `tab-${view.id}`, 'aria-controls': 'view', title: `key ${index + 1}` },
        view.title,
      );
      tab.addEventListener('click', () => this.show(view.id));
      this.buttons.set(view.id, tab);
      list.append(tab);
    });
    list.addEventListener('keydown', (event) => this.step(event));
    this.show(this.shown.id);
  }

  show(id: string, focus = false): void {
    const view = this.views.find((one) => one.id === id);
    if (view === undefined) return;
    this.shown = view;
    for (const [name, tab] of this.buttons) {
      tab.setAttribute('aria-selected', String(name === id));
      tab.tabIndex = name === id ? 0 : -1;
    }
    this.panel.setAttribute('aria-labelledby', `tab-${id}`);
    this.panel.replaceChildren();
    if ('refresh' in view && typeof view.refresh === 'function') view.refresh();
    this.draw();
    this.panel.scrollTop = 0;
    if (focus) this.panel.focus();
  }

  showNumber(number: number): void {
    const view = this.views[number - 1];
    if (view !== undefined) this.show(view.id);
  }

  /** Draws anew soon. */
  touch(): void {
    this.isDirty = true;
  }

  /** Called with every frame of the display. */
  drawIfDue(now: number): void {
    if (this.isDirty && now - this.drawnAt >= REDRAW_MS) this.draw();
  }

  private draw(): void {
    this.isDirty = false;
    this.drawnAt = performance.now();
    const content = this.shown.draw(this.store);
    if (content === undefined) return;
    const key = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.key : undefined;
    this.panel.replaceChildren(...content);
    if (key === undefined) return;
    for (const one of this.panel.querySelectorAll<HTMLElement>('[data-key]')) if (one.dataset.key === key) one.focus();
  }

  /** Arrow keys go from tab to tab. */
  private step(event: KeyboardEvent): void {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    const at = this.views.indexOf(this.shown);
    const next = this.views[(at + by + this.views.length) % this.views.length];
    this.show(next.id);
    this.buttons.get(next.id)?.focus();
  }
}
