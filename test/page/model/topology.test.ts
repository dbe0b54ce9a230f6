/** What is drawn, and where: derived from listings that are written out here. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Arrangement, layOut, layOutIn, type Plan } from '../../../src/page/model/layout.js';
import type { Link } from '../../../src/page/model/messages.js';
import { MAX_GUESTS, MAX_REMOTES, roadOf, type ShownSwitch, topologyOf } from '../../../src/page/model/topology.js';

const link = (name: string, type: string, more: Partial<Link> = {}): Link => ({
  name,
  type,
  up: true,
  mtu: 1450,
  addresses: [],
  remotes: [],
  hostPort: false,
  vlans: [],
  vnis: [],
  ...(type === 'bridge' ? {} : { master: 'br1' }),
  ...more,
});
const bridge = (more: Partial<Link> = {}): Link => link('br1', 'bridge', more);
const vxlan = (local: string, remotes: string[], more: Partial<Link> = {}): Link =>
  link('vxlan0', 'vxlan', { local, remotes, ...more });
const shown = (name: string, ...links: Link[]): ShownSwitch => ({ name, answers: true, links });

const PAIR = [
  shown(
    'h1',
    bridge(),
    link('tap1', 'tap', { addresses: ['10.0.0.1/24'] }),
    vxlan('192.0.2.1', ['192.0.2.2', '192.0.2.9']),
  ),
  shown('h2', bridge(), link('tap2', 'tap'), vxlan('192.0.2.2', ['192.0.2.1'])),
];

describe('topology', () => {
  it('two switches that are remotes of each other are joined by one tunnel; a stranger is a node', () => {
    const topology = topologyOf(PAIR, []);
    expect(topology.nodes.map(({ id, kind, title }) => [id, kind, title])).toEqual([
      ['switch h1 br1', 'switch', 'h1'],
      ['switch h2 br1', 'switch', 'h2'],
      ['guest h1 tap1', 'guest', 'tap1'],
      ['guest h2 tap2', 'guest', 'tap2'],
      ['remote 192.0.2.9', 'remote', '192.0.2.9'],
    ]);
    expect(topology.edges.map(({ kind, a, b }) => [kind, a.node, a.port, b.node, b.port])).toEqual([
      ['local', 'switch h1 br1', 'tap1', 'guest h1 tap1', undefined],
      ['local', 'switch h2 br1', 'tap2', 'guest h2 tap2', undefined],
      ['tunnel', 'switch h1 br1', 'vxlan0', 'switch h2 br1', 'vxlan0'],
      ['tunnel', 'switch h1 br1', 'vxlan0', 'remote 192.0.2.9', undefined],
    ]);
  });

  it('a frame has its road by port, and behind a tunnel by remote, from both ends', () => {
    const topology = topologyOf(PAIR, []);
    const tunnel = topology.edges.find(({ kind }) => kind === 'tunnel')?.id;
    expect(roadOf(topology, 'h1', 'vxlan0', '192.0.2.2')).toEqual({ edge: tunnel, isA: true });
    expect(roadOf(topology, 'h2', 'vxlan0', '192.0.2.1')).toEqual({ edge: tunnel, isA: false });
    expect(roadOf(topology, 'h1', 'tap1')).toEqual({ edge: 'guest h1 tap1', isA: true });
    expect(roadOf(topology, 'h1', 'tap9')).toBeUndefined();
  });

  it('guests of a lab have their names, DOWN ports say so', () => {
    const guests = [{ name: 'alice', switch: 'h1', port: 'tap1', addresses: ['10.0.0.1'] }];
    const down = shown('h1', bridge(), link('tap1', 'tap', { up: false }), link('q', 'qemu'));
    const nodes = topologyOf([down], guests).nodes.filter(({ kind }) => kind === 'guest');
    expect(nodes.map(({ title, lines, up }) => [title, lines, up])).toEqual([
      ['alice', ['DOWN', '10.0.0.1'], false],
      ['q', ['qemu'], true],
    ]);
  });

  it('patch ports join two bridges; a bridge with a host port has the host as a guest', () => {
    const one = shown(
      'h1',
      bridge({ hostPort: true }),
      link('br2', 'bridge'),
      link('p1', 'patch', { peer: 'p2' }),
      link('p2', 'patch', { peer: 'p1', master: 'br2' }),
    );
    const { nodes, edges } = topologyOf([one], []);
    expect(nodes.map(({ id }) => id)).toEqual(['switch h1 br1', 'switch h1 br2', 'guest h1 br1']);
    expect(edges.map(({ kind, a, b }) => [kind, a.port, b.port])).toEqual([
      ['local', 'br1', undefined],
      ['patch', 'p1', 'p2'],
    ]);
  });

  it('a group is one node for all switches, and wins no frame of a remote that is shown', () => {
    const group = { group: '239.1.1.1' };
    const three = ['1', '2', '3'].map((n) => shown(`h${n}`, bridge(), vxlan(`192.0.2.${n}`, [], group)));
    const { nodes, edges } = topologyOf(three, []);
    expect(nodes.filter(({ kind }) => kind === 'group')).toHaveLength(1);
    expect(edges).toHaveLength(3);
  });

  it('what is too much is one node that tells how many', () => {
    const taps = Array.from({ length: 500 }, (_, index) => link(`tap${index}`, 'tap'));
    const remotes = Array.from({ length: 3000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
    const { nodes } = topologyOf([shown('h1', bridge(), ...taps, vxlan('192.0.2.1', remotes))], []);
    expect(nodes.length).toBe(1 + MAX_GUESTS + 1 + MAX_REMOTES + 1);
    expect(nodes.filter(({ title }) => / more$/.test(title)).map(({ title }) => title)).toEqual([
      '488 more',
      '2990 more',
    ]);
  });
});

const TOPOLOGIES = fc
  .array(
    fc.record({
      taps: fc.nat(14),
      remotes: fc.uniqueArray(fc.nat(9), { maxLength: 8 }),
      bridges: fc.integer({ min: 1, max: 3 }),
    }),
    {
      minLength: 1,
      maxLength: 6,
    },
  )
  .map((switches) =>
    topologyOf(
      switches.map(({ taps, remotes, bridges }, at) =>
        shown(
          `h${at}`,
          ...Array.from({ length: bridges }, (_, n) => link(`br${n + 1}`, 'bridge')),
          ...Array.from({ length: taps }, (_, n) => link(`tap${n}`, 'tap', { master: `br${(n % bridges) + 1}` })),
          vxlan(
            `192.0.2.${at}`,
            remotes.filter((n) => n !== at).map((n) => `192.0.2.${n}`),
          ),
        ),
      ),
      [],
    ),
  );

/** Boxes that lie outside, and pairs that lie over each other. */
function faultsOf({ boxes, width, height }: Plan): string[] {
  const outside = boxes.filter(
    (box) =>
      box.x - box.width / 2 < 0 ||
      box.y - box.height / 2 < 0 ||
      box.x + box.width / 2 > width ||
      box.y + box.height / 2 > height,
  );
  const over = boxes.flatMap((one, at) =>
    boxes
      .slice(at + 1)
      .filter(
        (other) =>
          Math.abs(one.x - other.x) < (one.width + other.width) / 2 &&
          Math.abs(one.y - other.y) < (one.height + other.height) / 2,
      )
      .map((other) => `${one.node.id} over ${other.node.id}`),
  );
  return [...outside.map(({ node }) => `${node.id} outside`), ...over];
}

describe('layout', () => {
  const arrangements = (['wide', 'tall'] as const).flatMap((orientation) =>
    ([1, 2] as const).map((rows): Arrangement => ({ orientation, rows })),
  );

  it.each(arrangements)(
    '$orientation, $rows rows: no box lies over another or outside, and every edge has its wire',
    (arrangement) => {
      fc.assert(
        fc.property(TOPOLOGIES, (topology) => {
          const plan = layOut(topology, arrangement);
          expect(faultsOf(plan)).toEqual([]);
          expect(plan.boxes.length).toBe(topology.nodes.length);
          expect(plan.wires.length).toBe(topology.edges.length);
          const isPath = /^M[\d.]+ [\d.]+ C(-?[\d.]+ ?){6}( L[\d.]+ [\d.]+)?$/;
          expect(plan.wires.filter(({ path }) => !isPath.test(path))).toEqual([]);
        }),
        { numRuns: 40 },
      );
    },
  );

  it('of nothing is an empty plane', () => {
    expect(layOutIn(topologyOf([], []), { width: 800, height: 600 }).boxes).toEqual([]);
  });

  it('turns with the window', () => {
    const alone = PAIR.map((one) => ({
      ...one,
      links: one.links.map((row) => ({ ...row, remotes: row.remotes.filter((address) => address !== '192.0.2.9') })),
    }));
    const topology = topologyOf(alone, []);
    expect(layOutIn(topology, { width: 900, height: 700 }).orientation).toBe('wide');
    expect(layOutIn(topology, { width: 400, height: 500 }).orientation).toBe('tall');
  });
});
