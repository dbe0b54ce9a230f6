/** Invalid files: each fault has a position, a path and a message with the remedy. */
import { describe, expect, it } from 'vitest';
import { ConfigError, formatFaults, parseConfig, parseDocument } from '../../src/config/load.js';
import { bridgeOptions, portOptions, unattached } from './fault-cases-bridge.js';
import { addresses, attached, descriptors, fdb, names, peers, sockets, tuns, vlans } from './fault-cases-rules.js';
import { numbers, shapes, syntax } from './fault-cases-values.js';
import { inBridge, inVxlan } from './fault-texts.js';

function failure(text: string, netnsExists: (name: string) => boolean = () => true): ConfigError {
  try {
    parseConfig(text, 'f.yaml', { hostname: () => 'h', netnsExists });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error(`accepted:\n${text}`);
}

describe.each([
  ['syntax', syntax],
  ['shapes', shapes],
  ['numbers', numbers],
  ['names', names],
  ['peers', peers],
  ['attached interfaces', attached],
  ['descriptors', descriptors],
  ['sockets', sockets],
  ['tuns', tuns],
  ['addresses', addresses],
  ['vlans', vlans],
  ['fdb', fdb],
  ['options of bridges', bridgeOptions],
  ['options of ports', portOptions],
  ['ports that belong to no bridge', unattached],
])('%s', (_title, cases) => {
  it.each(cases)('%s', (_what, text, at, path, message) => {
    const { faults } = failure(text);
    const found = faults.map((fault) => `${fault.line}:${fault.column} ${fault.path} ${fault.message}`);
    expect(found, text).toHaveLength(1);
    expect(`${faults[0]?.line}:${faults[0]?.column}`, found[0]).toBe(at);
    expect(faults[0]?.path).toBe(path);
    expect(faults[0]?.message).toMatch(message);
  });
});

describe('rules over more than one value', () => {
  const group = (...lines: string[]) => failure(inVxlan('id: 1', ...lines)).faults.map((fault) => fault.message);

  it('judge a group', () => {
    expect(group('group: 192.0.2.2', 'dev: eth0')).toEqual([
      expect.stringMatching(/"192\.0\.2\.2" is not a multicast address; give one such as/),
    ]);
    expect(group('group: 239.1.1.1')).toEqual([expect.stringMatching(/needs dev/)]);
    expect(group('group: ff05::1', 'dev: eth0', 'local: 192.0.2.1')).toEqual([
      expect.stringMatching(/IPv6 address, and local is IPv4/),
    ]);
  });

  it('say of a namespace that is not there that its port waits', () => {
    const text = inBridge('ports:', '  a: { type: tap, netns: ns1 }', '  b: { type: tap, netns: /x/ns2 }');
    const warned = (netnsExists: (name: string) => boolean): string =>
      formatFaults('f.yaml', parseDocument(text, 'f.yaml', { hostname: () => 'h', netnsExists }).warnings);
    expect(warned((name) => name === 'ns1')).toBe(
      'f.yaml:5:30: bridges.br1.ports.b.netns: warning: network namespace "/x/ns2" does not exist; the port waits for it',
    );
    expect(warned((name) => name === '/x/ns2')).toContain('create it with "ip netns add ns1"');
    expect(warned(() => true)).toBe('');
    // Faults come before all warnings.
    const wrong = text.replace('netns: ns1', 'netns: ns1, mtu: 1');
    expect(
      failure(wrong, () => false)
        .format()
        .split('\n'),
    ).toEqual([
      expect.stringMatching(/^f\.yaml:4:40: .*expected an MTU/),
      expect.stringMatching(/^f\.yaml:4:30: .*warning: network namespace "ns1"/),
      expect.stringMatching(/^f\.yaml:5:30: .*warning: network namespace "\/x\/ns2"/),
    ]);
  });

  const two = (a: string, b: string) =>
    inBridge('vlan_filtering: true', 'ports:', `  a: { type: vxlan, ${a} }`, `  b: { type: vxlan, ${b} }`);

  it('refuse one VNI on two ports of one local address and dstport', () => {
    expect(failure(two('id: 5', 'id: 5')).format()).toMatch(
      /^f\.yaml:6:29: bridges\.br1\.ports\.b\.id: VNI 5 is on port a too/,
    );
    const tunnel = 'local: 192.0.2.1, vlan_tunnel: true, vlans: [{ vid: 1-9, tunnel_info: 11-19 }]';
    const { faults } = failure(two('local: 192.0.2.1, id: 15', tunnel));
    expect(faults.map(({ path, message }) => [path, message])).toEqual([
      ['bridges.br1.ports.b.vlans[0].tunnel_info', expect.stringMatching(/VNI 15 is on port a too/)],
    ]);
  });

  it('take one VNI on two ports that differ in local address or dstport', () => {
    for (const [a, b] of [
      ['id: 5', 'id: 5, dstport: 8472'],
      ['id: 5, local: 192.0.2.1', 'id: 5, local: 192.0.2.2'],
      ['id: 5', 'id: 6'],
    ] as const) {
      expect(parseConfig(two(a, b), 'f').bridges[0]?.ports).toHaveLength(2);
    }
  });

  it('refuse one MAC behind two ports, and take it in two VLANs', () => {
    const file = (vlan: number) =>
      inBridge(
        'vlan_filtering: true',
        'ports:',
        '  a: { type: tap, vlans: [{ vid: 2 }], fdb: [{ mac: 02:00:00:00:00:01, vlan: 2 }] }',
        `  b: { type: tap, vlans: [{ vid: 2-3 }], fdb: [{ mac: 02:00:00:00:00:01, vlan: ${vlan} }] }`,
      );
    expect(failure(file(2)).format()).toMatch(/^f\.yaml:6:59: bridges\.br1\.ports\.b\.fdb\[0\]\.mac: .* same VLAN/);
    expect(parseConfig(file(3), 'f').bridges[0]?.ports).toHaveLength(2);
  });

  it('count links and memberships', () => {
    const bridges = (n: number) => `bridges:\n${Array.from({ length: n }, (_, i) => `  b${i}:\n`).join('')}`;
    expect(parseConfig(bridges(1000), 'f').bridges).toHaveLength(1000);
    expect(failure(bridges(1001)).format()).toBe(
      'f.yaml:1002:3: bridges.b1000: there are 1001 bridges and ports; a switch has at most 1000: use several',
    );
    const ports = Array.from({ length: 123 }, (_, i) => `  p${i}: { type: tap, vlans: [{ vid: 1-4094 }] }`);
    expect(failure(inBridge('ports:', ...ports)).format()).toMatch(
      /^f\.yaml:126:33: bridges\.br1\.ports\.p122\.vlans: .* more than 500000/,
    );
  });
});

describe('several faults in one file', () => {
  const text = `name: h
worker: 3
bridges:
  br1:
    vlan_filtering: yes
    ports:
      t:
        type: tap
        mtu: 5
        vlans:
          - { vid: 4095 }
          - { vid: 7, pvid: true, untaged: true }
          - { vid: 7 }
        fdb: [{ mac: nonsense }, { mac: 02:00:00:00:00:01, vlan: 8 }]
      a-name-that-is-long:
        type: vxlan
        remotes: [192.0.2.1, 192.0.2, "2001:db8::1"]
  t:
    ageing_time: -4
`;

  it('come all at once, in the order of the text', () => {
    const error = failure(text);
    expect(error.message).toBe(error.format());
    expect(
      error
        .format()
        .split('\n')
        .map((line) => line.replace(/(: [^:]+: .{12}).*/, '$1')),
    ).toEqual([
      'f.yaml:2:1: worker: unknown key ',
      'f.yaml:5:21: bridges.br1.vlan_filtering: expected tru',
      'f.yaml:9:14: bridges.br1.ports.t.mtu: expected an ',
      'f.yaml:11:20: bridges.br1.ports.t.vlans[0].vid: expected a V',
      'f.yaml:12:35: bridges.br1.ports.t.vlans[1].untaged: unknown key ',
      'f.yaml:13:20: bridges.br1.ports.t.vlans[2].vid: VLAN 7 is in',
      'f.yaml:14:22: bridges.br1.ports.t.fdb[0].mac: expected a M',
      'f.yaml:15:7: bridges.br1.ports.a-name-that-is-long: "a-name-that',
      'f.yaml:15:7: bridges.br1.ports.a-name-that-is-long: a vxlan port',
      'f.yaml:17:30: bridges.br1.ports.a-name-that-is-long.remotes[1]: expected an ',
      'f.yaml:17:39: bridges.br1.ports.a-name-that-is-long.remotes[2]: 2001:db8::1 ',
      'f.yaml:18:3: bridges.t: "t" names br',
      'f.yaml:19:18: bridges.t.ageing_time: expected who',
    ]);
  });

  it('do not hide syntax faults behind one another', () => {
    expect(failure('a: 1\na: 2\nb: *x\n').faults.map((fault) => [fault.line, fault.path])).toEqual([
      [2, 'a'],
      [3, 'b'],
    ]);
  });
});
