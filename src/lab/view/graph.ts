/**
 * A lab as SVG: the underlay on top, a box for each host with its bridges and tunnels, its guests below. The layout is a row of columns, which
 * is all that labs need. Colours follow the reader's preference for light or dark.
 */
import type { Lab } from '../lab.js';
import { factsOf, type GuestFacts, type HostFacts } from './facts.js';

const MARGIN = 24;
const GAP = 28;
const LINE = 18;
/** Widths of characters of the two sizes of text, generously. */
const WIDE = 8.6;
const NARROW = 7.4;
const GUEST_GAP = 16;
const PAD = 12;
const BUS_Y = 100;
/** Room for the cables of the underlay, and for the lines of their weather. */
const DROP = 50;
const CABLE = 50;

const STYLE = `
    svg { --page: #ffffff; --ink: #1a1f26; --soft: #5a6472; --host: #e8f0fb; --edge: #2f6db3; --guest: #eef6ea; --leaf: #4b8a34; --storm: #b3541e; }
    @media (prefers-color-scheme: dark) {
      svg { --page: #14181d; --ink: #eef1f5; --soft: #a6b0bd; --host: #1d2c40; --edge: #7fb2ee; --guest: #1f2f1b; --leaf: #8fce76; --storm: #f0a070; }
    }
    .page { fill: var(--page); }
    text { font: 13px system-ui, 'DejaVu Sans', sans-serif; fill: var(--ink); }
    .name { font-weight: 600; font-size: 15px; }
    .soft { fill: var(--soft); }
    .host { fill: var(--host); stroke: var(--edge); stroke-width: 1.5; }
    .bridge { fill: var(--page); stroke: var(--edge); stroke-width: 1; }
    .guest { fill: var(--guest); stroke: var(--leaf); stroke-width: 1.5; }
    .cable { stroke: var(--leaf); stroke-width: 2; fill: none; }
    .underlay { stroke: var(--edge); stroke-width: 3; fill: none; }
    .storm { stroke: var(--storm); stroke-dasharray: 6 4; }
    .weather { fill: var(--storm); }`;

/** rsvg-convert and others know no variables: the light colours stand as plain attributes too. */
const PLAIN: Readonly<Record<string, string>> = {
  page: 'fill="#ffffff"',
  host: 'fill="#e8f0fb" stroke="#2f6db3"',
  bridge: 'fill="#ffffff" stroke="#2f6db3"',
  guest: 'fill="#eef6ea" stroke="#4b8a34"',
  cable: 'stroke="#4b8a34" stroke-width="2" fill="none"',
  underlay: 'stroke="#2f6db3" stroke-width="3" fill="none"',
  weather: 'fill="#b3541e"',
  soft: 'fill="#5a6472"',
};

interface Column {
  readonly host: HostFacts;
  /** Top of the host. */
  readonly y: number;
  readonly x: number;
  readonly width: number;
}

export function graphOf(lab: Lab): string {
  const hosts = factsOf(lab);
  const columns = columnsOf(hosts);
  const height = Math.max(...hosts.map(boxHeight));
  const hostY = columns[0]?.y ?? 0;
  const guestY = hostY + height + CABLE;
  const last = columns.at(-1);
  const width = Math.max((last?.x ?? 0) + (last?.width ?? 0) + MARGIN, textWidth(lab.name, lab.summary));
  const depth = Math.max(0, ...hosts.flatMap(({ guests }) => guests.map(guestHeight)));
  const total = guestY + depth + MARGIN;
  const body = [
    text(MARGIN, 30, lab.name, 'name'),
    text(MARGIN, 50, lab.summary, 'soft'),
    ...underlayOf(lab, columns),
    ...columns.flatMap((column) => hostOf(column, height)),
    ...columns.flatMap((column) => guestsOf(column, hostY + height, guestY)),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(width)} ${round(total)}" width="${round(width)}" height="${round(total)}" role="img" aria-label="${escaped(`lab ${lab.name}`)}">
  <title>${escaped(`${lab.name}: ${lab.summary}`)}</title>
  <style>${STYLE}
  </style>
  <rect class="page" ${PLAIN.page} width="100%" height="100%"/>
${body.map((line) => `  ${line}`).join('\n')}
</svg>
`;
}

const textWidth = (...lines: readonly string[]): number =>
  2 * MARGIN + Math.max(...lines.map((one) => one.length * NARROW));

function columnsOf(hosts: readonly HostFacts[]): Column[] {
  let x = MARGIN;
  const y = BUS_Y + Math.max(DROP, ...hosts.map(({ weather = [] }) => (weather.length + 1) * LINE));
  return hosts.map((host) => {
    const guests = host.guests.reduce((sum, guest) => sum + guestWidth(guest) + GUEST_GAP, -GUEST_GAP);
    const own = Math.max(
      host.name.length * WIDE + host.address.length * NARROW + 20,
      ...bridgeLines(host).map((one) => one.length * NARROW + 2 * PAD),
    );
    const storm = Math.max(0, ...(host.weather ?? []).map((one) => one.length * NARROW + 8));
    const width = Math.max(guests, own + 2 * PAD, 2 * storm, 150);
    const column = { host, x, y, width };
    x += width + GAP;
    return column;
  });
}

const bridgeLines = ({ bridges }: HostFacts): string[] => bridges.flatMap(({ name, tunnels }) => [name, ...tunnels]);

const bridgeHeight = ({ tunnels }: HostFacts['bridges'][number]): number => (1 + tunnels.length) * LINE + PAD;

const boxHeight = (host: HostFacts): number =>
  host.bridges.reduce((sum, bridge) => sum + bridgeHeight(bridge) + 8, 0) + LINE + 2 * PAD;

const guestWidth = ({ name, lines, weather = [] }: GuestFacts): number =>
  Math.max(name.length * WIDE, ...[...lines, ...weather].map((line) => line.length * NARROW)) + 2 * PAD;

const guestHeight = ({ lines, weather = [] }: GuestFacts): number => (1 + lines.length + weather.length) * LINE + PAD;

const middle = ({ x, width }: Column): number => x + width / 2;

function underlayOf({ topology }: Lab, columns: readonly Column[]): string[] {
  const [first, last] = [columns[0], columns.at(-1)];
  if (first === undefined || last === undefined || columns.length < 2) return [];
  const { router, segment } = topology;
  const what = router
    ? `underlay, routed by ${router.address}`
    : segment
      ? 'underlay, one segment'
      : 'underlay, one cable';
  const storms = columns.map(({ host }) => host.weather);
  return [
    line(
      'underlay',
      [middle(first), BUS_Y],
      [middle(last), BUS_Y],
      !router && !segment && storms.some((one) => one !== undefined),
    ),
    text((middle(first) + middle(last)) / 2, BUS_Y - 8, what, 'soft', 'middle'),
    ...columns.flatMap((column, i) => {
      const storm = storms[i];
      // The one cable of a pair is labelled once.
      const lines = !router && !segment && i > 0 ? [] : (storm ?? []);
      const label = lines.map((one, n) => text(middle(column) + 8, BUS_Y + (n + 1) * LINE, one, 'weather'));
      return [line('underlay', [middle(column), BUS_Y], [middle(column), column.y], storm !== undefined), ...label];
    }),
  ];
}

function hostOf({ host, x, y: top, width }: Column, height: number): string[] {
  const out = [
    rect('host', x, top, width, height, 8),
    text(x + PAD, top + PAD + 10, host.name, 'name'),
    text(x + width - PAD, top + PAD + 10, host.address, 'soft', 'end'),
  ];
  let y = top + LINE + PAD + 4;
  for (const bridge of host.bridges) {
    out.push(rect('bridge', x + PAD, y, width - 2 * PAD, bridgeHeight(bridge), 5));
    out.push(text(x + 2 * PAD, y + LINE, bridge.name));
    for (const [i, tunnel] of bridge.tunnels.entries()) out.push(text(x + 2 * PAD, y + (i + 2) * LINE, tunnel, 'soft'));
    y += bridgeHeight(bridge) + 8;
  }
  return out;
}

function guestsOf({ host, x, width }: Column, from: number, y: number): string[] {
  const all = host.guests.reduce((sum, guest) => sum + guestWidth(guest) + GUEST_GAP, -GUEST_GAP);
  let left = x + (width - all) / 2;
  return host.guests.flatMap((guest) => {
    const own = guestWidth(guest);
    const center = left + own / 2;
    const storm = guest.weather;
    const out = [
      line('cable', [center, from], [center, y], storm !== undefined),
      rect('guest', left, y, own, guestHeight(guest), guest.kind === 'router' ? 16 : guest.kind === 'machine' ? 0 : 6),
      text(center, y + LINE, guest.name, 'name', 'middle'),
      ...guest.lines.map((one, i) => text(center, y + (i + 2) * LINE, one, 'soft', 'middle')),
      ...(storm ?? []).map((one, i) => text(center, y + (guest.lines.length + i + 2) * LINE, one, 'weather', 'middle')),
    ];
    left += own + GUEST_GAP;
    return out;
  });
}

const round = (n: number): number => Math.round(n * 10) / 10;

function rect(kind: string, x: number, y: number, width: number, height: number, radius: number): string {
  const place = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="${radius}"`;
  return `<rect class="${kind}" ${PLAIN[kind] ?? ''} ${place}/>`;
}

function line(kind: string, [x1, y1]: [number, number], [x2, y2]: [number, number], isStormy: boolean): string {
  const plain = isStormy ? `${PLAIN[kind]} stroke-dasharray="6 4"` : PLAIN[kind];
  return `<path class="${kind}${isStormy ? ' storm' : ''}" ${plain} d="M${round(x1)} ${round(y1)}L${round(x2)} ${round(y2)}"/>`;
}

function text(x: number, y: number, content: string, kind = '', anchor = 'start'): string {
  const where = `x="${round(x)}" y="${round(y)}"${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}`;
  return `<text ${kind === '' ? '' : `class="${kind}" ${PLAIN[kind] ?? ''} `}${where}>${escaped(content)}</text>`;
}

/** Also for text of a lab file, which may be anybody's. */
function escaped(content: string): string {
  return content.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`).replace(/\p{Cc}/gu, ' ');
}
