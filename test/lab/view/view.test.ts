/** What people see of a lab: the text drawing, the SVG, and the commands to try. */
import { expect, it } from 'vitest';
import { labOf } from '../../../src/lab/file/from-file.js';
import { parseLabFile } from '../../../src/lab/file/read.js';
import { readyLab } from '../../../src/lab/file/ready.js';
import { templateOf } from '../../../src/lab/file/template.js';
import type { Lab } from '../../../src/lab/lab.js';
import { vmsAndContainers } from '../../../src/lab/scenarios/vms-and-containers.js';
import type { LabState } from '../../../src/lab/setup/state.js';
import { drawingOf } from '../../../src/lab/view/drawing.js';
import { graphOf } from '../../../src/lab/view/graph.js';
import { invitation, thingsToTry } from '../../../src/lab/view/invitation.js';

const lab = (text: string): Lab => labOf(parseLabFile(text, 'x.yaml'));
const state = ({ topology, name }: Lab, more: Partial<LabState> = {}): LabState => ({
  lab: name,
  namespaces: [],
  machines: [],
  daemons: [],
  switches: topology.hosts.map(({ name: host, netns }) => ({
    host,
    netns,
    pid: 7,
    config: `/run/${host}.yaml`,
    socket: `/run/${host}.sock`,
    log: `/run/${host}.log`,
  })),
  ...more,
});

it('draws guests, hosts and the underlay as text', () => {
  expect(`\n${drawingOf(lab(templateOf('mine')).topology).join('\n')}\n`).toBe(`
  alice 10.0.10.1 ---+- h1 192.0.2.1 ===+
  carol 10.0.20.1 ---'                  |   one cable
                                        |
  bob 10.0.10.2   ---+- h2 192.0.2.2 ===+
  dave 10.0.20.2  ---'
`);
  const three = lab(`lab: t
hosts: { h1: , h2: , h3: }
guests: { a: { host: h1, address: 10.0.0.1/24 }, b: { host: h1, address: 10.0.0.2/24 }, c: { host: h1, address: 10.0.0.3/24 } }
`);
  expect(`\n${drawingOf(three.topology).join('\n')}\n`).toBe(`
  a 10.0.0.1 ---.
  b 10.0.0.2 ---+- h1 192.0.2.1 ===+
  c 10.0.0.3 ---'                  |
                                   |   routed
                   h2 192.0.2.2 ===+
                                   |
                   h3 192.0.2.3 ===+
`);
  const one = lab('lab: t\nhosts: { h1: }\nguests: { a: { host: h1, address: 10.0.0.1/24 } }');
  expect(drawingOf(one.topology)).toEqual(['  a 10.0.0.1 ----- h1 192.0.2.1']);
});

/** The texts of an SVG, and whether its elements are all closed. */
function textsOf(svg: string): string[] {
  const open: string[] = [];
  for (const [, close, name, self] of svg
    .replace(/<style>[\s\S]*?<\/style>/, '')
    .matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (close === '/') expect(open.pop()).toBe(name);
    else if (self !== '/') open.push(name as string);
  }
  expect(open).toEqual([]);
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text = '']) => text);
}

it('draws hosts, bridges, VNIs, guests and weather as SVG', () => {
  const texts = textsOf(graphOf(lab(templateOf('mine'))));
  expect(texts).toEqual([
    'mine',
    'two hosts, two tenants, one tunnel',
    'underlay, one cable',
    ...['h1', '192.0.2.1', 'br0', 'vxlan0: VLAN 10 in VNI 10, 20 in VNI 20'],
    ...['h2', '192.0.2.2', 'br0', 'vxlan0: VLAN 10 in VNI 10, 20 in VNI 20'],
    ...['alice', '10.0.10.1', 'VLAN 10', 'delay 2ms', 'carol', '10.0.20.1', 'VLAN 20'],
    ...['bob', '10.0.10.2', 'VLAN 10', 'dave', '10.0.20.2', 'VLAN 20'],
  ]);
  expect(textsOf(graphOf(readyLab('routed')))).toContain('10.0.0.254/24');
  expect(textsOf(graphOf(readyLab('multicast-underlay')))).toContain('vxlan0: VNI 42, group 239.1.1.1');
  expect(textsOf(graphOf(vmsAndContainers))).toContain('vm1');
});

it('shows each direction of a link that differs', () => {
  const storm = lab(`lab: s
hosts: { h1: , h2: , h3: }
weather: [{ link: h1, loss: 1%, delay: 2ms }, { link: h1, from: h1, rate: 1mbit }]
`);
  const texts = textsOf(graphOf(storm));
  const at = texts.indexOf('from h1:');
  expect(texts.slice(at, at + 7)).toEqual([
    'from h1:',
    'delay 2ms',
    'loss 1%',
    'rate 1mbit',
    'from net:',
    'delay 2ms',
    'loss 1%',
  ]);
});

it("escapes the text of a file, which may be anybody's", () => {
  const odd = graphOf(lab('lab: a\nsummary: "</text><script>alert(1)</script>&"\nhosts: { h1: }'));
  expect(odd).not.toContain('<script');
  expect(textsOf(odd)).toContain('&#60;/text&#62;&#60;script&#62;alert(1)&#60;/script&#62;&#38;');
});

it('says five things to try, with names as they are typed', () => {
  const mine = lab(templateOf('mine'));
  const tries = thingsToTry(mine, state(mine, { weather: { pid: 8, plan: '/run/weather.json' } }));
  expect(tries).toHaveLength(5);
  expect(tries.filter((line) => !line.includes(' shell '))).toEqual([
    'overtap lab weather --lab mine',
    'overtap -s /run/h1.sock fdb show',
    'overtap -s /run/h1.sock stats',
  ]);
  for (const line of tries.slice(0, 2)) expect(line).toMatch(/^overtap lab shell alice --lab mine -- \S/);
  const empty = lab('lab: e\nhosts: { h1: }');
  expect(thingsToTry(empty, state(empty)).every((line) => line.startsWith('overtap -s /run/h1.sock '))).toBe(true);
});

it('prints the drawing of the file, if it has one, and the guests with addresses', () => {
  const drawn = lab(
    'lab: d\nhosts: { h1: }\ndrawing: |\n  a --- h1\n    (nothing else)\nguests: { a: { host: h1, address: 10.1.0.1/16, address6: "fd00::1/64" } }',
  );
  const lines = invitation(drawn, state(drawn));
  expect(lines).toContain('a --- h1');
  expect(lines).toContain('  (nothing else)');
  expect(lines).toContain('  a  10.1.0.1/16, fd00::1 on eth0 (02:00:00:00:01:01), at h1');
  expect(lines).toContain('  overtap lab down d');
});
