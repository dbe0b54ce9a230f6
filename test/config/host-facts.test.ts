/** A configuration checked against host facts: missing devices and addresses, and own addresses in lists of remotes. */
import { describe, expect, it } from 'vitest';
import { formatFaults, parseDocument } from '../../src/config/load.js';
import { type HostFacts, NO_FACTS } from '../../src/config/read/host-facts.js';
import type { VxlanConfig } from '../../src/config/types.js';
import { inVxlan } from './fault-texts.js';

const HOST: HostFacts = {
  hasDevice: (name) => name === 'eth0',
  addresses: () => new Set(['192.0.2.1', '192.0.2.7', '2001:db8::1', 'fe80::1%eth0']),
};

function load(host: HostFacts, ...lines: string[]): { port: VxlanConfig; said: string[] } {
  const checked = parseDocument(inVxlan('id: 1', ...lines), 'f', {
    hostname: () => 'h',
    netnsExists: () => true,
    host,
  });
  const said = formatFaults('f', checked.warnings);
  const port = checked.config.bridges.flatMap(({ ports }) => ports).find(({ type }) => type === 'vxlan');
  return { port: port as VxlanConfig, said: said === '' ? [] : said.split('\n') };
}

describe('what is not there yet', () => {
  it.each([
    ['dev: eth9', /^f:7:14: .*\.dev: warning: there is no device "eth9"; the port waits for it$/],
    [
      'local: 192.0.2.9',
      /^f:7:16: .*\.local: warning: no device of this host has the address 192\.0\.2\.9; the port waits/,
    ],
  ])('%s is a warning', (line, expected) => {
    expect(load(HOST, line).said).toEqual([expect.stringMatching(expected)]);
    expect(load(NO_FACTS, line).said).toEqual([]);
  });

  it.each(['dev: eth0', 'local: 192.0.2.1', 'local: "2001:db8::1"', 'local: 127.0.0.9'])('%s is there', (line) => {
    expect(load(HOST, line).said).toEqual([]);
  });
});

describe('lists of remotes that hold the host itself', () => {
  it('are taken without it: where local is given that is the one', () => {
    const lists = ['remotes: [192.0.2.1, 192.0.2.2, 192.0.2.7]', 'peers: [192.0.2.3, 192.0.2.1]'];
    for (const host of [HOST, NO_FACTS]) {
      const { port, said } = load(host, 'local: 192.0.2.1', ...lists);
      expect(port).toMatchObject({
        remotes: ['192.0.2.2', '192.0.2.7'],
        peers: ['192.0.2.3'],
        ownRemotes: ['192.0.2.1'],
      });
      expect(said).toEqual([
        expect.stringMatching(
          /^f:8:19: .*\.remotes\[0\]: note: 192\.0\.2\.1 is the port's own local address and is left out/,
        ),
        expect.stringMatching(/^f:9:28: .*\.peers\[1\]: note: /),
      ]);
    }
  });

  it('are taken without any of its addresses, where local is not given', () => {
    const { port, said } = load(HOST, 'remotes: [192.0.2.1, 192.0.2.2, "::ffff:192.0.2.7", 127.0.0.3]');
    expect(port).toMatchObject({ remotes: ['192.0.2.2'], ownRemotes: ['192.0.2.1', '192.0.2.7', '127.0.0.3'] });
    expect(said).toHaveLength(3);
    expect(said[0]).toMatch(/note: 192\.0\.2\.1 is an address of this host and is left out/);
    expect(load(NO_FACTS, 'remotes: [192.0.2.1, 192.0.2.2]').port).toMatchObject({
      remotes: ['192.0.2.1', '192.0.2.2'],
    });
  });

  it('are those of a VLAN, too', () => {
    const text = `bridges:
  br1:
    vlan_filtering: true
    ports:
      v: { type: vxlan, local: 192.0.2.1, vlan_tunnel: true, vlans: [{ vid: 2-3, tunnel_info: 2-3, remotes: [192.0.2.1, 192.0.2.4] }] }
`;
    const { config, warnings } = parseDocument(text, 'f', { hostname: () => 'h', host: HOST });
    expect((config.bridges[0].ports[0] as VxlanConfig).vlans.map(({ remotes }) => remotes)).toEqual([
      ['192.0.2.4'],
      ['192.0.2.4'],
    ]);
    expect(warnings).toMatchObject([{ path: 'bridges.br1.ports.v.vlans[0].remotes[0]', kind: 'own_address' }]);
  });
});
