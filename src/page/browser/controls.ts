/** Pause, speed, colours, size of the text, and the keys for them. */
import { byId, button, html } from './dom.js';

const ZOOMS = [0.8, 0.9, 1, 1.15, 1.3, 1.5, 1.75, 2];

export interface ControlsFor {
  view(number: number): void;
  /** Ends what is moving. */
  clear(): void;
}

const KEYS: readonly (readonly [string, string])[] = [
  ['Space', 'pause, and go on'],
  ['S', 'slower: 1, 1/4, 1/20 of the speed'],
  ['C', 'clear the wires'],
  ['1 to 9', 'the views'],
  ['Tab, Enter', 'to a switch, guest, frame or button, and press it'],
  ['+ and -', 'size of the text'],
  ['T', 'dark and light'],
  ['?', 'these keys'],
];

export class PlaybackClock {
  /** Milliseconds of the playback. */
  time = 0;
  speed = 1;
  isPaused = false;
  private before: number | undefined;

  /** @param now of the display */
  tick(now: number): void {
    const passed = Math.min(250, now - (this.before ?? now)); // a hidden tab is not made up for
    this.before = now;
    if (!this.isPaused) this.time += passed * this.speed;
  }
}

export function setUpControls(clock: PlaybackClock, to: ControlsFor): void {
  const zoom = setUpZoom();
  const work: Readonly<Record<string, () => void>> = {
    ' ': setUpPause(clock),
    s: setUpSpeed(clock),
    c: () => to.clear(),
    t: setUpTheme(),
    '+': () => zoom(1),
    '=': () => zoom(1),
    '-': () => zoom(-1),
    '?': setUpHelp(),
  };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    if (/^[1-9]$/.test(event.key)) to.view(Number(event.key));
    else if (Object.hasOwn(work, event.key.toLowerCase())) work[event.key.toLowerCase()]();
    else return;
    event.preventDefault();
  });
}

/** @returns pauses, or goes on */
function setUpPause(clock: PlaybackClock): () => void {
  const pause = byId('pause');
  const toggle = (): void => {
    clock.isPaused = !clock.isPaused;
    pause.setAttribute('aria-pressed', String(clock.isPaused));
    pause.textContent = clock.isPaused ? 'Go on' : 'Pause';
  };
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) toggle();
  pause.addEventListener('click', toggle);
  return toggle;
}

/** @returns makes it slower, and after the slowest fast again */
function setUpSpeed(clock: PlaybackClock): () => void {
  const speeds = [...document.querySelectorAll<HTMLButtonElement>('[data-speed]')];
  const factors = speeds.map((one) => Number(one.dataset.speed));
  const set = (factor: number): void => {
    clock.speed = factor;
    for (const one of speeds) one.setAttribute('aria-pressed', String(Number(one.dataset.speed) === factor));
  };
  for (const one of speeds) one.addEventListener('click', () => set(Number(one.dataset.speed)));
  return () => set(factors[(factors.indexOf(clock.speed) + 1) % factors.length]);
}

/** A key that a field or a button takes itself. */
function isTyping({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return true;
  return key === ' ' && target.tagName === 'BUTTON';
}

/** As the system has it, until it is changed here. */
function setUpTheme(): () => void {
  const root = document.documentElement;
  const control = byId('theme');
  const system = matchMedia('(prefers-color-scheme: dark)');
  const set = (theme: string): void => {
    root.dataset.theme = theme;
    control.textContent = theme === 'dark' ? 'Light' : 'Dark';
  };
  const stored = localStorage.getItem('theme');
  set(stored ?? (system.matches ? 'dark' : 'light'));
  system.addEventListener('change', () => {
    if (localStorage.getItem('theme') === null) set(system.matches ? 'dark' : 'light');
  });
  const toggle = (): void => {
    const next = root.dataset.theme === 'dark' ? 'light' : 'dark';
    localStorage.setItem('theme', next);
    set(next);
  };
  control.addEventListener('click', toggle);
  return toggle;
}

function setUpZoom(): (by: number) => void {
  let at = ZOOMS.indexOf(1);
  return (by) => {
    at = Math.max(0, Math.min(ZOOMS.length - 1, at + by));
    document.documentElement.style.setProperty('--zoom', String(ZOOMS[at]));
  };
}

function setUpHelp(): () => void {
  const dialog = byId('help') as HTMLDialogElement;
  const rows = KEYS.map(([key, what]) => html('tr', {}, html('td', {}, html('kbd', {}, key)), html('td', {}, what)));
  const close = button('Close', () => dialog.close());
  dialog.append(html('h2', {}, 'Keys'), html('table', {}, ...rows), html('p', {}, close));
  const show = (): void => (dialog.open ? dialog.close() : dialog.showModal());
  byId('help-button').addEventListener('click', show);
  return show;
}
