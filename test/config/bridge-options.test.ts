/** Resolution of bridge and port options, and of ports without a bridge. */
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import type { SwitchConfig } from '../../src/config/types.js';

const parse = (text: string): SwitchConfig => parseConfig(text, 'f.yaml', { hostname: () => 'h' });
const bridge = (options: string) => parse(`bridges: { br1: { ${options} } }`).bridges[0];
const tap = (options: string) => bridge(`ports: { t: { type: tap, ${options} } }`).ports[0];

describe('options of a switch and its bridges', () => {
  it('take the size of the FDB', () => {
    expect(parse('bridges: {}\nfdb_size: 1').fdb_size).toBe(1);
    expect(parse('bridges: {}\nfdb_size: 1048576').fdb_size).toBe(1_048_576);
  });

  it('take a mask of what is forwarded', () => {
    expect(bridge('group_fwd_mask: 0').group_fwd_mask).toBe(0);
    expect(bridge('group_fwd_mask: 0xffff').group_fwd_mask).toBe(0xffff);
  });

  it('take snooping and the limit of moves', () => {
    expect(bridge('mcast_snooping: false, mac_move_limit: 0')).toMatchObject({
      mcast_snooping: false,
      mac_move_limit: 0,
    });
    expect(bridge('mac_move_limit: 500').mac_move_limit).toBe(500);
  });

  it.each([
    ['', []],
    ['vlan_filtering: true', []],
    ['host_port: true', []],
    ['host_port: true, vlan_filtering: true', [{ vid: 1, pvid: true, untagged: true, remotes: [] }]],
    ['host_port: true, vlan_filtering: true, vlan_default_pvid: 0', []],
    ['host_port: true, vlan_filtering: true, vlans: []', []],
    [
      'host_port: true, vlans: [{ vid: 7-8, untagged: true }]',
      [7, 8].map((vid) => ({ vid, pvid: false, untagged: true, remotes: [] })),
    ],
  ])('give the host port of a bridge with {%s} its memberships', (options, vlans) => {
    expect(bridge(options).vlans).toEqual(vlans);
  });

  it('leave the memberships of a host port to their own listing', () => {
    expect(bridge('host_port: true, mac_move_limit: 3, vlans: [{ vid: 7 }]').options).toEqual({
      host_port: true,
      mac_move_limit: 3,
    });
  });
});

describe('options of a port', () => {
  it('take a shut port', () => {
    expect(tap('up: false').up).toBe(false);
    expect(tap('up: true').up).toBe(true);
  });

  it.each([
    ['storm_limit: {}', 0, 0, 0],
    ['storm_limit: { broadcast: 10 }', 10, 0, 0],
    ['storm_limit: { broadcast: 0, unknown_unicast: 20, multicast: 2147483647 }', 0, 20, 2_147_483_647],
  ])('take %s', (options, broadcast, unknown_unicast, multicast) => {
    expect(tap(options).storm_limit).toEqual({ broadcast, unknown_unicast, multicast });
  });

  it('take what snooping goes by', () => {
    for (const mcast_router of [0, 1, 2]) expect(tap(`mcast_router: ${mcast_router}`)).toMatchObject({ mcast_router });
    expect(tap('mcast_fast_leave: true').mcast_fast_leave).toBe(true);
  });

  it('take entries that a control program put in', () => {
    expect(tap('fdb: [{ mac: 02:00:00:00:00:01, extern_learn: true, state: dynamic }]').fdb).toEqual([
      { mac: '02:00:00:00:00:01', state: 'dynamic', sticky: false, extern_learn: true },
    ]);
  });
});

describe('ports that belong to no bridge', () => {
  it('are resolved as others, without a default membership', () => {
    const { bridges, ports } = parse(`bridges: { br1: { vlan_filtering: true } }
ports:
  t: { type: tap, up: false }
  w: { type: tap, vlans: [{ vid: 5, pvid: true }] }
  x: { type: vxlan, vlan_tunnel: true, vlans: [{ vid: 2, tunnel_info: 20, remotes: [192.0.2.2] }], remotes: [192.0.2.3] }
`);
    expect(bridges[0].ports).toEqual([]);
    expect(ports.map(({ type, name, up, vlans }) => [type, name, up, vlans.map(({ vid }) => vid)])).toEqual([
      ['tap', 't', false, []],
      ['tap', 'w', true, [5]],
      ['vxlan', 'x', true, [2]],
    ]);
    expect(ports[2].vlans[0]).toMatchObject({ vni: 20, remotes: ['192.0.2.2'] });
  });

  it('may be none', () => {
    expect(parse('bridges: {}\nports:').ports).toEqual([]);
    expect(parse('bridges: {}\nports: {}').ports).toEqual([]);
  });

  it('may hold a flood list', () => {
    const text = 'bridges: {}\nports: { x: { type: vxlan, id: 5, fdb: [{ mac: 00:00:00:00:00:00, dst: 192.0.2.2 }] } }';
    expect(parse(text).ports[0].fdb).toMatchObject([{ vni: 5, dst: '192.0.2.2' }]);
  });

  it('count among the links', () => {
    const ports = Array.from({ length: 1001 }, (_, i) => `  p${i}: { type: tap }`).join('\n');
    expect(() => parse(`bridges: {}\nports:\n${ports}`)).toThrow(
      'ports.p1000: there are 1001 bridges and ports; a switch has at most 1000',
    );
  });
});
