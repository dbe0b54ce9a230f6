/** Sources of peers in the configuration: names among the remotes, etcd, files, and the commands that change them. */
import { describe, expect, it } from 'vitest';
import { withEntries } from '../../src/config/edit/entries.js';
import { effectiveOptions } from '../../src/config/effective-options.js';
import { parseConfig, parseDocument } from '../../src/config/load.js';
import type { SwitchConfig, VxlanConfig } from '../../src/config/types.js';
import { commandsBetween } from '../../src/control/plan/commands.js';
import { placed } from '../../src/control/plan/delta.js';
import { EntryTable } from '../../src/control/model/entries.js';

const deps = { hostname: () => 'thishost', netnsExists: () => true };
const file = (options: string, top = ''): string =>
  `${top}bridges:\n  br1:\n    ports:\n      vxlan0: { type: vxlan, id: 42, ${options} }\n`;
const parse = (text: string): SwitchConfig => parseConfig(text, 'f.yaml', deps);
const port = (options: string): VxlanConfig => parse(file(options)).bridges[0]?.ports[0] as VxlanConfig;

describe('names among the remotes', () => {
  it('are apart from the addresses', () => {
    expect(port('remotes: [192.0.2.2, Vtep.Example.NET., vtep.example.net, _vxlan._udp.example.net]')).toMatchObject({
      remotes: ['192.0.2.2'],
      names: ['vtep.example.net', '_vxlan._udp.example.net'],
      family: 4,
    });
    expect(port('remotes: [192.0.2.2]').names).toBeUndefined();
  });

  it.each([
    ['remotes: [host2]', 'expected an IPv4 or IPv6 address, found "host2"'],
    ['remotes: [192.0.2.300]', 'expected an IPv4 or IPv6 address, found "192.0.2.300"'],
    ['remotes: ["-a.example.net"]', 'expected an IPv4 or IPv6 address or a DNS name, found "-a.example.net"'],
    ['remotes: ["a..example.net"]', 'expected an IPv4 or IPv6 address or a DNS name, found "a..example.net"'],
    [`remotes: [${'a'.repeat(64)}.net]`, 'a part of a DNS name has at most 63 characters'],
    ['peers: [vtep.example.net]', 'expected an IPv4 or IPv6 address, found "vtep.example.net"'],
    [
      `remotes: [${Array.from({ length: 257 }, (_, i) => `h${i}.example.net`).join(', ')}]`,
      'a port has at most 256 DNS names',
    ],
    ['peers_etcd: ["http://192.0.2.5:2379"]', 'peers_etcd: needs local: the address that the other hosts send to'],
    [
      'local: 192.0.2.1, peers_etcd: ["192.0.2.5:2379"]',
      'f.yaml:4:69: bridges.br1.ports.vxlan0.peers_etcd[0]: expected the URL of an etcd',
    ],
    ['local: 192.0.2.1, peers_etcd: ["http://u:p@192.0.2.5"]', 'the user is in "etcd: { user: NAME }"'],
    ['peers_prefix: fabric', 'expected a prefix of keys, such as /overtap/fabric1'],
    ['peers_file: peers.yaml', 'expected an absolute path, such as /etc/overtap/peers.yaml, found "peers.yaml"'],
  ])('and what is none: %#', (options, fault) => {
    expect(() => port(options)).toThrow(fault);
  });

  it.each([
    ['etcd: { user: a }\n', 'etcd.user: needs password_file beside it'],
    ['etcd: { key: /a }\n', 'etcd.key: needs cert beside it'],
    ['etcd: { ttl: 1 }\n', 'expected whole seconds from 2 to 3600, found 1'],
    ['dns_servers: [ns.example.net]\n', 'expected the address of a name server'],
  ])('and settings at the top: %#', (top, fault) => {
    expect(() => parse(file('local: 192.0.2.1', top))).toThrow(fault);
  });

  it('keep their place where entries are written back', () => {
    const text = file('remotes: [192.0.2.2, vtep.example.net]');
    const written = withEntries(parseDocument(text, 'f.yaml', deps).document, parse(text), () => []);
    expect(JSON.stringify(written)).toContain('"remotes":["vtep.example.net"]');
  });

  it('are options in force', () => {
    const { bridges } = parse(file('remotes: [vtep.example.net, 192.0.2.2]'));
    const [bridge] = bridges;
    const shown = bridge?.ports[0] === undefined ? {} : effectiveOptions(bridge.ports[0], bridge);
    expect(shown.remotes).toEqual(['192.0.2.2', 'vtep.example.net']);
  });
});

describe('commands of a change', () => {
  const commands = (before: string, after: string): string[] => {
    const [from, to] = [before, after].map((options) => {
      const { document, config } = parseDocument(file(options), 'f.yaml', deps);
      return { document, config };
    });
    if (from === undefined || to === undefined) throw new Error('two files');
    const entries = new EntryTable();
    for (const entry of placed(from.config)) entries.set(entry);
    return commandsBetween(from, to, entries);
  };

  it('set all remotes where names change, and entries where addresses do', () => {
    expect(commands('remotes: [192.0.2.2, a.example.net]', 'remotes: [192.0.2.2, b.example.net]')).toEqual([
      'link set vxlan0 type vxlan remotes 192.0.2.2,b.example.net',
    ]);
    expect(commands('remotes: [a.example.net]', 'remotes: [a.example.net, 192.0.2.2]')).toEqual([
      'fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.2',
    ]);
    expect(commands('remotes: [a.example.net, 192.0.2.2]', 'remotes: [192.0.2.3]')).toEqual([
      'link set vxlan0 type vxlan remotes 192.0.2.3',
    ]);
  });

  it('set files and etcd', () => {
    expect(
      commands(
        'local: 192.0.2.1',
        'local: 192.0.2.1, peers_file: /a b, peers_etcd: ["http://192.0.2.5"], peers_prefix: /f/',
      ),
    ).toEqual(["link set vxlan0 type vxlan peers_file '/a b' peers_etcd http://192.0.2.5 peers_prefix /f/"]);
    expect(commands('peers_file: /a', 'local: 192.0.2.1')).not.toContain('peers_file /a');
  });
});
