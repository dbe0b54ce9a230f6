/** Lab files: what they make, and their faults with line and column. A hostile file reaches nothing outside its lab. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ConfigError, parseConfig } from '../../../src/config/load.js';
import { labOf } from '../../../src/lab/file/from-file.js';
import { parseLabFile } from '../../../src/lab/file/read.js';
import { templateOf } from '../../../src/lab/file/template.js';
import type { Lab } from '../../../src/lab/lab.js';
import { switchFiles } from '../../../src/lab/setup/state.js';
import { broadcastOf, namespacesOf, subnetOf } from '../../../src/lab/setup/topology.js';

const lab = (text: string): Lab => labOf(parseLabFile(text, 'x.yaml'));

function faults(text: string): string[] {
  try {
    parseLabFile(text, 'x.yaml');
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.format().split('\n');
    throw error;
  }
}

function configOf(of: Lab, host: string): string {
  const found = of.topology.hosts.find(({ name }) => name === host);
  if (found === undefined) throw new RangeError('no such host');
  return of.config(found, switchFiles('/run/overtap-lab', of.name, host));
}

const TWO = 'lab: two\nhosts: { h1: {}, h2: {} }\n';

describe('the short form', () => {
  it('makes a bridge, access ports and a tunnel, each VLAN in a VNI of its own', () => {
    const mine = lab(templateOf('mine'));
    expect(parse(configOf(mine, 'h1'))).toEqual({
      name: 'h1',
      control: '/run/overtap-lab/mine/h1.sock',
      bridges: {
        br0: {
          vlan_filtering: true,
          ports: {
            alice: {
              type: 'qemu',
              connect: '/run/overtap-lab/mine/alice.link',
              vlans: [{ vid: 10, pvid: true, untagged: true }],
            },
            carol: {
              type: 'tap',
              netns: 'ovt-mine-carol',
              ifname: 'eth0',
              mac: '02:00:00:00:01:02',
              addresses: ['10.0.20.1/24'],
              vlans: [{ vid: 20, pvid: true, untagged: true }],
            },
            vxlan0: {
              type: 'vxlan',
              vlan_tunnel: true,
              vlans: [
                { vid: 10, tunnel_info: 10 },
                { vid: 20, tunnel_info: 20 },
              ],
              local: '192.0.2.1',
              remotes: ['192.0.2.2'],
            },
          },
        },
      },
    });
    parseConfig(configOf(mine, 'h1'), 'h1.yaml', { netnsExists: () => true });
    expect(namespacesOf(mine.topology)).toEqual(
      ['h1', 'h2', 'alice', 'bob', 'carol', 'dave'].map((name) => `ovt-mine-${name}`),
    );
  });

  it('without VLANs has one VNI; three hosts are routed; one host has no tunnel', () => {
    const three = lab(
      'lab: t\nvni: 7\nhosts: { a: {}, b: {}, c: { address: 192.0.2.77 } }\nguests: { g: { host: a, address: 10.1.0.9/16 } }',
    );
    expect(parse(configOf(three, 'a')).bridges.br0.ports.vxlan0).toEqual({
      type: 'vxlan',
      id: 7,
      local: '192.0.2.1',
      remotes: ['192.0.2.2', '192.0.2.77'],
    });
    expect(three.topology.router).toEqual({ netns: 'ovt-t-net', address: '192.0.2.254' });
    const [guest] = three.topology.stations;
    expect(guest && [subnetOf(guest), broadcastOf(guest)]).toEqual(['10.1.0.0/16', '10.1.255.255']);
    const one = lab('lab: one\nhosts: { a: }\nguests: { g: { host: a, address: 10.0.0.1/24 } }');
    expect(Object.keys(parse(configOf(one, 'a')).bridges.br0.ports)).toEqual(['g']);
  });
});

describe('a switch that is given', () => {
  const GIVEN = `lab: given
hosts:
  h1:
    switch:              # h1
      # the only bridge
      bridges:
        br0:
          ports:
            p1: { type: tap, netns: alice, ifname: nic1, mac: "02:00:00:00:00:11", addresses: [10.0.0.1/24] }   # alice
            vxlan0: { type: vxlan, id: 5, local: 192.0.2.1 }

  h2: {}
guests:
  alice: { host: h1 }
  bob: { host: h2, address: 10.0.0.2/24 }
`;

  it('keeps the lines of the author, and guests are as their ports have them', () => {
    const given = lab(GIVEN);
    expect(configOf(given, 'h1')).toBe(`# Lab given, host h1.
name: h1
control: /run/overtap-lab/given/h1.sock
bridges:
  br0:
    ports:
      p1: { type: tap, netns: ovt-given-alice, ifname: nic1, mac: "02:00:00:00:00:11", addresses: [10.0.0.1/24] }   # alice
      vxlan0: { type: vxlan, id: 5, local: 192.0.2.1 }
`);
    expect(given.topology.stations[0]).toEqual({
      name: 'alice',
      netns: 'ovt-given-alice',
      ifname: 'nic1',
      address: '10.0.0.1',
      host: 'h1',
      mac: '02:00:00:00:00:11',
    });
  });

  it('is written out where the lines alone mean something else', () => {
    const anchored = GIVEN.replace('lab: given', 'lab: given\nsummary: &id five').replace(
      'netns: alice',
      'netns: "alice"',
    );
    expect(parse(configOf(lab(anchored), 'h1')).bridges.br0.ports.p1.netns).toBe('ovt-given-alice');
    expect(configOf(lab(anchored), 'h1')).not.toContain('# alice');
  });

  it('gets ports for guests that have none, in its first bridge', () => {
    const more = lab(`${GIVEN}  eve: { host: h1, address: 10.0.0.3/24 }\n`);
    expect(parse(configOf(more, 'h1')).bridges.br0.ports.eve).toMatchObject({ type: 'tap', netns: 'ovt-given-eve' });
  });
});

describe('faults', () => {
  it.each([
    ['a name in capitals', 'lab: Two\nhosts: { h1: {} }', 'x.yaml:1:6: lab: expected a name'],
    ['a path as a name', 'lab: ../../etc\nhosts: { h1: {} }', 'x.yaml:1:6: lab: expected a name'],
    ['a prefix of others', `${TWO}prefix: otb-x`, 'x.yaml:3:9: prefix: expected "ovt-"'],
    [
      'a host named net',
      'lab: a\nhosts: { net: {} }',
      'x.yaml:2:10: hosts.net: "net" is a name that labs use themselves',
    ],
    ['no host', 'lab: a\nhosts: {}', 'x.yaml:2:8: hosts: a lab has at least one host'],
    [
      'three hosts on one cable',
      'lab: a\nunderlay: pair\nhosts: { a: , b: , c: }',
      "x.yaml:2:11: underlay: 'pair' joins two hosts",
    ],
    [
      'one address twice',
      'lab: a\nhosts: { a: , b: { address: 192.0.2.1 } }',
      'x.yaml:2:29: hosts.b.address: 192.0.2.1 is given twice',
    ],
    [
      'a guest of no host',
      `${TWO}guests: { g: { host: h3, address: 10.0.0.1/24 } }`,
      'x.yaml:3:22: guests.g.host: there is no host "h3"; there are h1, h2',
    ],
    ['a guest without address', `${TWO}guests: { g: { host: h1 } }`, 'guests.g.address: is missing'],
    [
      'a name twice',
      `${TWO}guests: { h1: { host: h1, address: 10.0.0.1/24 } }`,
      'x.yaml:3:11: guests.h1: "h1" is a host too',
    ],
    ['an unknown key', `${TWO}guest: {}`, 'x.yaml:3:1: guest: unknown key "guest"; did you mean "guests"?'],
    [
      'a route of nobody',
      `${TWO}routes: [{ from: x, to: default, via: 10.0.0.1 }]`,
      'x.yaml:3:18: routes[0].from: there is no guest or router "x"',
    ],
    [
      'weather of no link',
      `${TWO}weather: [{ link: x }]`,
      'x.yaml:3:19: weather[0].link: there is no link "x"; there are h1, h2',
    ],
    [
      'weather from no end',
      `${TWO}weather: [{ link: h1, from: net }]`,
      'weather[0].from: the link h1 has the ends h1 and h2',
    ],
    [
      'reorder without delay',
      `${TWO}weather: [{ link: h1, reorder: 1% }]`,
      'weather[0].reorder: reorder needs a delay',
    ],
    [
      'an unknown check',
      `${TWO}checks: [{ pign: {} }]`,
      'x.yaml:3:12: checks[0].pign: unknown check "pign"; did you mean "ping"?',
    ],
    ['two checks in one', `${TWO}checks: [{ ping: , mtu: }]`, 'checks[0]: a check has one word, this has 2'],
    [
      'a check of nobody',
      `${TWO}checks: [{ tcp: { from: x, to: y } }]`,
      'x.yaml:3:25: checks[0].tcp.from: there is no guest "x"',
    ],
    [
      'a segment of nobody',
      `${TWO}checks: [{ wire carries: { at: h1, segments: [{ vni: 2, guests: [x] }] } }]`,
      'segments[0].guests[0]: there is no guest "x"',
    ],
    ['a claim with an escape', `${TWO}checks: [{ claim: "\\e[2J", ping: }]`, 'checks[0].claim: expected a claim'],
    ['a drawing with an escape', `${TWO}drawing: "\\e[2J"`, 'drawing: a drawing has no control characters'],
  ])('%s', (_, text, message) => {
    expect(faults(text).join('\n')).toContain(message);
  });

  it('are all shown at once, those of the switches with their place in the lab file', () => {
    const text =
      'lab: a\nhosts:\n  h1:\n    switch:\n      bridges:\n        br0:\n          ports:\n            v: { type: vxlan, id: 0, local: 192.0.2.1 }\n            w: { type: vxlan, id: 1, lokal: 192.0.2.1 }\n';
    expect(faults(text)).toEqual([
      expect.stringContaining('x.yaml:8:35: hosts.h1.switch.bridges.br0.ports.v.id: expected a VNI'),
      expect.stringContaining(
        'x.yaml:9:38: hosts.h1.switch.bridges.br0.ports.w.lokal: unknown key "lokal"; did you mean "local"?',
      ),
    ]);
  });

  it('of shapes hide none of names: both are shown, each once, with the right place', () => {
    const text = `lab: a
hosts:
  h1: { adress: 192.0.2.9 }
  h2: {}
  h3: { address: zz }
guests:
  alice: { host: h9, vlann: 3 }
  bob: { host: h3, address: 10.0.0.2/33 }
  carol: { address: 10.0.0.3/24 }
  dave: { host: h1, address: 10.0.0.4/24 }
routes:
  - { from: nobody, to: default, via: 10.0.0.1 }
  - { to: default, via: 10.0.0.1 }
  - { from: somebody, to: default, via: zz }
checks:
  - { pingg: { from: alice } }
  - { ping: { from: bob, to: eve, cuont: 3 } }
  - { tcp: { from: fred, to: alice } }
weather:
  - { link: bob, los: 1% }
  - { link: nolink, loss: zz }
`;
    expect(faults(text).map((fault) => fault.split(';')[0])).toEqual([
      'x.yaml:3:9: hosts.h1.adress: unknown key "adress"',
      expect.stringContaining('x.yaml:5:18: hosts.h3.address: expected an'),
      'x.yaml:7:18: guests.alice.host: there is no host "h9"',
      'x.yaml:7:22: guests.alice.vlann: unknown key "vlann"',
      expect.stringContaining('x.yaml:8:29: guests.bob.address: expected'),
      expect.stringContaining('x.yaml:9:3: guests.carol.host: is missing'),
      'x.yaml:12:13: routes[0].from: there is no guest or router "nobody"',
      expect.stringContaining('x.yaml:13:5: routes[1].from: is missing'),
      'x.yaml:14:13: routes[2].from: there is no guest or router "somebody"',
      expect.stringContaining('x.yaml:14:41: routes[2].via: expected'),
      'x.yaml:16:7: checks[0].pingg: unknown check "pingg"',
      'x.yaml:17:30: checks[1].ping.to: there is no guest "eve"',
      expect.stringContaining('x.yaml:17:35: checks[1].ping.cuont: unknown key "cuont"'),
      'x.yaml:18:20: checks[2].tcp.from: there is no guest "fred"',
      'x.yaml:20:18: weather[0].los: unknown key "los"',
      'x.yaml:21:13: weather[1].link: there is no link "nolink"',
      expect.stringContaining('x.yaml:21:27: weather[1].loss: expected'),
    ]);
  });

  it.each([
    ['control: /etc/passwd', 'is for the lab to set'],
    ['metrics: "0.0.0.0:80"', 'is for the lab to set'],
    ['docker: { bridge: br1, socket: /etc/cron.d/x }', 'is for the lab to set'],
    ['ports: { t: { type: tap, netns: /proc/1/ns/net } }', 'is no guest or router of the lab'],
    ['ports: { t: { type: tap, netns: h2 } }', 'is no guest or router of the lab'],
    ['ports: { t: { type: netdev, netns: other, ifname: eth0 } }', 'is no guest or router of the lab'],
    ['ports: { t: { type: tap, fd: 3 } }', 'names something outside the lab'],
    ['ports: { t: { type: qemu, connect: /run/docker.sock } }', 'names something outside the lab'],
    ['ports: { t: { type: qemu, listen: /root/x } }', 'names something outside the lab'],
    ['ports: { t: { type: udp, local: /root/x, remote: /root/y } }', 'names a file'],
    ['ports: { t: { type: tap, persist: true } }', 'is no use in a lab'],
  ])('a switch gets nothing from outside: %s', (key, message) => {
    const text = `lab: a\nhosts: { h2: }\nguests: {}\n`.replace(
      '{ h2: }',
      `{ h2: , h1: { switch: { bridges: {}, ${key} } } }`,
    );
    expect(faults(text).join('\n')).toContain(message);
  });

  it('has bounds', () => {
    const many = (count: number, make: (i: number) => string): string =>
      Array.from({ length: count }, (_, i) => make(i)).join(', ');
    expect(faults(`lab: a\nhosts: { ${many(17, (i) => `h${i}: `)} }`).join()).toContain(
      'at most 16 hosts, these are 17',
    );
    const guests = many(65, (i) => `g${i}: { host: h, address: 10.0.0.1/24 }`);
    expect(faults(`lab: a\nhosts: { h: }\nguests: { ${guests} }`).join()).toContain('at most 64 guests');
    expect(faults(`lab: a\nhosts: { h: }\nchecks: [${many(201, () => '{ ping: }')}]`).join()).toContain(
      'at most 200 checks',
    );
    expect(faults(`lab: a\n#${'x'.repeat(300_000)}`).join()).toContain('longer than 262144 characters');
  });
});

it('an empty file is told what a lab has', () => {
  expect(() => parseLabFile('# nothing\n', 'x.yaml')).toThrow('the file is empty; give at least "lab:" and "hosts:"');
});
