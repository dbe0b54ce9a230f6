/** The flat list of a configured FDB, and the check of one entry to add. */
import { describe, expect, it } from 'vitest';
import { EditRefused } from '../../src/config/edit/tree.js';
import { entriesOf } from '../../src/config/entries/list.js';
import { parseConfig } from '../../src/config/load.js';
import { checkEntry } from './checked-entry.js';

const A = '02:00:00:00:00:0a';
const GROUP = '01:00:5e:00:00:01';
const ZERO = '00:00:00:00:00:00';
const parse = (text: string) => parseConfig(text, 'f.yaml', { hostname: () => 'h' });
const plain = { state: 'static', sticky: false, extern_learn: false } as const;
const flood = { mac: ZERO, state: 'permanent', sticky: false, extern_learn: false } as const;

/** A tap port and its VLANs, if its bridge filters. */
const tap = (vlans: string, fdb: string) =>
  entriesOf(parse(`bridges: { b: { ${vlans} ports: { t: { type: tap, ${fdb} } } } }`));

/** A port that maps VLAN 2 to VNI 22 and VLAN 3 to VNI 23, and is a member of VLAN 4 too. */
const tunnel = (options: string) =>
  entriesOf(
    parse(`bridges: { b: { vlan_filtering: true, ports: { x: { type: vxlan, vlan_tunnel: true, ${options}
      vlans: [{ vid: 2, tunnel_info: 22, remotes: [192.0.2.2, 192.0.2.9] }, { vid: 3, tunnel_info: 23 }, { vid: 4 }] } } } }`),
  );

const single = (bridge: string, options: string) =>
  entriesOf(parse(`bridges: { b: { ${bridge} ports: { x: { type: vxlan, id: 7, ${options} } } } }`));

describe('entriesOf', () => {
  it('has nothing for ports without entries', () => {
    expect(tap('', '')).toEqual([]);
    expect(single('', '')).toEqual([]);
  });

  it('puts an entry of a tap port into each VLAN that it means', () => {
    const fdb = `fdb: [{ mac: ${A}, sticky: true }]`;
    const row = { mac: A, port: 't', ...plain, sticky: true };
    expect(tap('', fdb)).toEqual([{ ...row, vlan: 0 }]);
    expect(tap('vlan_filtering: true,', fdb)).toEqual([{ ...row, vlan: 1 }]);
    expect(tap('vlan_filtering: true,', `vlans: [{ vid: 5-7 }], ${fdb}`)).toEqual(
      [5, 6, 7].map((vlan) => ({ ...row, vlan })),
    );
    expect(
      tap('vlan_filtering: true,', `vlans: [{ vid: 5-7 }], fdb: [{ mac: ${A}, vlan: 6, state: dynamic }]`),
    ).toEqual([{ mac: A, port: 't', vlan: 6, ...plain, state: 'dynamic' }]);
    expect(tap('', `vlans: [{ vid: 5-7 }], ${fdb}`)).toEqual([{ ...row, vlan: 0 }]);
  });

  it('puts flood lists first, those of every VNI without one', () => {
    expect(tunnel('remotes: [192.0.2.9],')).toEqual([
      { ...flood, port: 'x', vlan: 0, vni: null, dst: '192.0.2.9' },
      { ...flood, port: 'x', vlan: 2, vni: 22, dst: '192.0.2.2' },
    ]);
  });

  it('takes flood lists from entries, without doubles', () => {
    const entries = [
      `{ mac: ${ZERO}, dst: 192.0.2.2 }`,
      `{ mac: ${ZERO}, dst: 192.0.2.2, port: 8472, vni: 23 }`,
      `{ mac: ${ZERO}, dst: 192.0.2.5, vni: 23, port: 4789 }`,
    ];
    expect(tunnel(`fdb: [${entries}],`)).toEqual([
      { ...flood, port: 'x', vlan: 2, vni: 22, dst: '192.0.2.9' },
      { ...flood, ...plain, port: 'x', vlan: 0, vni: null, dst: '192.0.2.2' },
      { ...flood, ...plain, port: 'x', vlan: 3, vni: 23, dst: '192.0.2.2', udpPort: 8472 },
      { ...flood, ...plain, port: 'x', vlan: 3, vni: 23, dst: '192.0.2.5' },
    ]);
  });

  it('puts a remote MAC into the VLAN of each VNI that it means', () => {
    const row = { mac: A, port: 'x', dst: '192.0.2.5', ...plain };
    const own = (options: string) => tunnel(`fdb: [{ mac: ${A}, dst: 192.0.2.5, ${options} }],`).slice(2);
    expect(own('')).toEqual([
      { ...row, vlan: 2, vni: 22 },
      { ...row, vlan: 3, vni: 23 },
    ]);
    expect(own('vlan: 3')).toEqual([{ ...row, vlan: 3, vni: 23 }]);
    expect(own('vni: 22')).toEqual([{ ...row, vlan: 2, vni: 22 }]);
  });

  it('keeps each destination of a multicast MAC', () => {
    const fdb = `fdb: [{ mac: ${GROUP}, dst: 192.0.2.5, vni: 22 }, { mac: ${GROUP}, dst: 192.0.2.6, vni: 22 }],`;
    expect(
      tunnel(fdb)
        .slice(2)
        .map(({ mac, vlan, dst }) => [mac, vlan, dst]),
    ).toEqual([
      [GROUP, 2, '192.0.2.5'],
      [GROUP, 2, '192.0.2.6'],
    ]);
  });

  it('goes by the VLANs on a port with one VNI', () => {
    const options = `remotes: [192.0.2.2], vlans: [{ vid: 5-6 }], fdb: [{ mac: ${A}, dst: 192.0.2.5, port: 8472 },
      { mac: ${ZERO}, dst: 192.0.2.2, vni: 7 }, { mac: ${ZERO}, dst: 192.0.2.3 }]`;
    const own = { mac: A, port: 'x', vni: 7, dst: '192.0.2.5', udpPort: 8472, ...plain };
    const lists = [
      { ...flood, port: 'x', vlan: 0, vni: null, dst: '192.0.2.2' },
      { ...flood, ...plain, port: 'x', vlan: 0, vni: null, dst: '192.0.2.3' },
    ];
    expect(single('vlan_filtering: true,', options)).toEqual([
      lists[0],
      { ...own, vlan: 5 },
      { ...own, vlan: 6 },
      lists[1],
    ]);
    expect(single('', options)).toEqual([lists[0], { ...own, vlan: 0 }, lists[1]]);
  });

  it('has the flood lists of ports that belong to no bridge', () => {
    const text = `bridges: {}\nports: { x: { type: vxlan, id: 7, remotes: [192.0.2.2] }, t: { type: tap } }`;
    expect(entriesOf(parse(text))).toEqual([{ ...flood, port: 'x', vlan: 0, vni: null, dst: '192.0.2.2' }]);
  });
});

describe('checkEntry', () => {
  const config = parse(`
bridges:
  plain: { ports: { p: { type: tap }, one: { type: vxlan, id: 7, local: 192.0.2.1 } } }
  b:
    vlan_filtering: true
    ports:
      t: { type: tap, vlans: [{ vid: 5-6 }] }
      none: { type: tap, vlans: [] }
      x: { type: vxlan, vlan_tunnel: true, vlans: [{ vid: 2-3, tunnel_info: 22-23 }, { vid: 4 }] }
      bare: { type: vxlan, vlan_tunnel: true, dstport: 8472, vlans: [{ vid: 4 }] }
ports:
  ft: { type: tap }
  fx: { type: vxlan, id: 8 }
`);

  function refusal(request: unknown): EditRefused {
    try {
      checkEntry(config, request);
    } catch (error) {
      if (error instanceof EditRefused) return error;
      throw error;
    }
    throw new Error('accepted');
  }

  it('gives the rows, permanent unless said otherwise', () => {
    expect(checkEntry(config, { mac: '02:00:00:00:00:0A', dev: 't' })).toEqual(
      [5, 6].map((vlan) => ({ ...plain, mac: A, port: 't', vlan, state: 'permanent' })),
    );
    expect(
      checkEntry(config, { mac: A, dev: 't', vlan: 6, state: 'dynamic', sticky: true, extern_learn: true }),
    ).toEqual([{ mac: A, port: 't', vlan: 6, state: 'dynamic', sticky: true, extern_learn: true }]);
    expect(checkEntry(config, { mac: A, dev: 'p' })).toMatchObject([{ vlan: 0 }]);
  });

  it('gives the rows of a vxlan port, addresses in one spelling', () => {
    expect(checkEntry(config, { mac: A, dev: 'x', dst: '::ffff:192.0.2.2' })).toEqual(
      [2, 3].map((vlan) => ({
        ...plain,
        mac: A,
        port: 'x',
        vlan,
        vni: vlan + 20,
        dst: '192.0.2.2',
        state: 'permanent',
      })),
    );
    expect(checkEntry(config, { mac: A, dev: 'x', vni: 23, dst: '192.0.2.2', port: 9999 })).toMatchObject([
      { vlan: 3, vni: 23, udpPort: 9999 },
    ]);
    expect(checkEntry(config, { mac: A, dev: 'one', dst: '192.0.2.2' })).toMatchObject([{ vlan: 0, vni: 7 }]);
    expect(checkEntry(config, { mac: ZERO, dev: 'x', dst: '192.0.2.2' })).toMatchObject([{ vlan: 0, vni: null }]);
    expect(checkEntry(config, { mac: ZERO, dev: 'x', vni: 22, dst: '192.0.2.2' })).toMatchObject([
      { vlan: 2, vni: 22 },
    ]);
    expect(checkEntry(config, { mac: ZERO, dev: 'one', vni: 7, dst: '192.0.2.2' })).toMatchObject([{ vni: null }]);
    expect(checkEntry(config, { mac: GROUP, dev: 'x', vlan: 2, dst: '192.0.2.2' })).toMatchObject([{ vni: 22 }]);
    expect(checkEntry(config, { mac: ZERO, dev: 'bare', dst: '192.0.2.2', port: 8472 })).toEqual([
      { ...flood, port: 'bare', vlan: 0, vni: null, dst: '192.0.2.2' },
    ]);
    expect(checkEntry(config, { mac: A, dev: 'x', vni: 99, src_vni: 23, dst: '192.0.2.2' })).toMatchObject([
      { vlan: 3, vni: 23, sentVni: 99 },
    ]);
    const [same] = checkEntry(config, { mac: A, dev: 'x', vni: 23, src_vni: 23, dst: '192.0.2.2' });
    expect(same).not.toHaveProperty('sentVni');
    expect(checkEntry(config, { mac: A, dev: 'one', vni: 99, dst: '192.0.2.2' })).toMatchObject([
      { vni: 7, sentVni: 99 },
    ]);
    expect(checkEntry(config, { mac: A, dev: 'one' })).toEqual([
      expect.not.objectContaining({ dst: expect.anything() }),
    ]);
    expect(checkEntry(config, { mac: ZERO, dev: 'fx', dst: '192.0.2.2' })).toMatchObject([{ vni: null }]);
  });

  it.each([
    [{ mac: A, dev: 'no' }, /^Cannot find device "no";/],
    [{ mac: A, dev: 'b', state: 'static' }, /^state: an entry of a bridge without host_port is the host's own MAC/],
    [{ mac: A, dev: 'b', port: 4789 }, /^port: is for entries of a vxlan port, and this is a bridge/],
    [{ mac: 'x', dev: 't' }, /^mac: expected a MAC address such as/],
    [{ dev: 't' }, /^mac: is missing/],
    [{ mac: A, dev: 't', vlan: 0 }, /^vlan: expected a VLAN ID from 1 to 4094, found 0/],
    [{ mac: A, dev: 't', vlan: '5' }, /^vlan: expected a VLAN ID/],
    [{ mac: A, dev: 't', state: 'fixed' }, /^state: expected 'dynamic', 'static' or 'permanent'/],
    [{ mac: A, dev: 't', sticky: 1 }, /^sticky: expected true or false/],
    [{ mac: A, dev: 't', vlan: 7 }, /^vlan: port t is not a member of VLAN 7/],
    [{ mac: A, dev: 't', dst: '192.0.2.2' }, /^dst: is for entries of a vxlan port/],
    [{ mac: A, dev: 't', vni: 5 }, /^vni: is for entries of a vxlan port/],
    [{ mac: GROUP, dev: 't' }, /^mac: 01:00:5e:00:00:01 is no unicast MAC address/],
    [{ mac: ZERO, dev: 't' }, /^mac: 00:00:00:00:00:00 is no unicast MAC address/],
    [{ mac: A, dev: 'p', vlan: 5 }, /^vlan: bridge plain does not look at VLANs; set vlan_filtering/],
    [{ mac: A, dev: 'none' }, /^port none is a member of no VLAN.*add one/],
    [{ mac: ZERO, dev: 'x' }, /^dst: is missing; an entry of 00:00:00:00:00:00 needs the address of a VTEP/],
    [{ mac: A, dev: 'x', dst: '192.0.2' }, /^dst: expected an IPv4 or IPv6 address/],
    [{ mac: A, dev: 'x', dst: '239.1.1.1' }, /^dst: 239\.1\.1\.1 is a multicast address/],
    [{ mac: A, dev: 'x', dst: '2001:db8::2' }, /^dst: 2001:db8::2 is IPv6, and the port, by its addresses, is IPv4/],
    [{ mac: A, dev: 'one', dst: '2001:db8::2' }, /^dst: 2001:db8::2 is IPv6, and local is IPv4/],
    [{ mac: A, dev: 'one', dst: '192.0.2.1' }, /^dst: 192\.0\.2\.1 is the port's own local address/],
    [{ mac: A, dev: 'one', dst: '192.0.2.2', src_vni: 8 }, /^src_vni: the port carries VNI 7 only/],
    [{ mac: A, dev: 'x', dst: '192.0.2.2', vni: 22, src_vni: 99 }, /^src_vni: no VLAN of port x is mapped to VNI 99/],
    [{ mac: A, dev: 't', src_vni: 22 }, /^src_vni: is for entries of a vxlan port/],
    [{ mac: A, dev: 'one', dst: '192.0.2.2', port: 0 }, /^port: expected a UDP port/],
    [{ mac: A, dev: 'x', dst: '192.0.2.2', vni: 8 }, /^vni: no VLAN of port x is mapped to VNI 8/],
    [{ mac: A, dev: 'x', dst: '192.0.2.2', vni: 22, vlan: 3 }, /^vni: VNI 22 belongs to VLAN 2/],
    [{ mac: A, dev: 'x', dst: '192.0.2.2', vlan: 4 }, /^vlan: VLAN 4 is mapped to no VNI/],
    [{ mac: ZERO, dev: 'x', dst: '192.0.2.2', vlan: 4 }, /^vlan: VLAN 4 is mapped to no VNI/],
    [{ mac: A, dev: 'x', dst: '192.0.2.2', vlan: 9 }, /^vlan: port x is not a member of VLAN 9/],
    [{ mac: A, dev: 'bare', dst: '192.0.2.2' }, /^no VLAN of port bare is mapped to a VNI/],
    [{ mac: A, dev: 'ft' }, /^mac: an entry is one of a bridge's table, and port ft belongs to no bridge/],
    [{ mac: A, dev: 'fx', dst: '192.0.2.2' }, /^mac: .* port fx belongs to no bridge/],
  ])('refuses %o', (request, message) => {
    const { code, message: found } = refusal(request);
    expect(found).toMatch(message);
    expect(code).toBe('dev' in request && request.dev === 'no' ? 'not_found' : 'invalid');
  });
});
