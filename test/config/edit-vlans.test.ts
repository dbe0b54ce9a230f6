/** Edits of VLANs: effects of `vlan add` and `vlan del` on the live document. */
import { describe, expect, it } from 'vitest';
import type { VlanRequest } from '../../src/api/api.js';
import { type Document, EditRefused } from '../../src/config/edit/tree.js';
import { addVlans, deleteVlans } from '../../src/config/edit/vlans.js';
import { checkDocument } from '../../src/config/load.js';

const deps = { hostname: () => 'h', netnsExists: () => true };
const own = (vid: number) => ({ vid, pvid: true, untagged: true });

/** A bridge with one tap port and one that maps VLANs. */
function withVlans(vlans: unknown, further: object = {}): Document {
  const given = vlans === undefined ? {} : { vlans };
  return {
    bridges: {
      b: {
        vlan_filtering: true,
        ports: {
          t: { type: 'tap', ...given, ...further },
          vx: { type: 'vxlan', vlan_tunnel: true, vlans: [] },
          one: { type: 'vxlan', id: 7 },
        },
      },
      h: { host_port: true },
    },
    ports: { free: { type: 'tap' } },
  };
}

function withTunnels(vlans: unknown[], further: object = {}): Document {
  const ports = { vx: { type: 'vxlan', vlan_tunnel: true, vlans, ...further } };
  return { bridges: { b: { vlan_filtering: true, ports } } };
}

function bodyOf(doc: Document, port: string): Document {
  checkDocument(doc, deps);
  return (doc.bridges as Record<string, { ports: Record<string, Document> }>).b.ports[port];
}

const added = (doc: Document, request: Omit<VlanRequest, 'op' | 'dev'>, dev = 't') =>
  bodyOf(addVlans(doc, { dev, ...request }), dev).vlans;
const deleted = (doc: Document, request: Omit<VlanRequest, 'op' | 'dev'>, dev = 't') =>
  bodyOf(deleteVlans(doc, { dev, ...request }), dev).vlans;

function refusal(edit: () => unknown): EditRefused {
  try {
    edit();
  } catch (error) {
    if (error instanceof EditRefused) return error;
    throw error;
  }
  throw new Error('the edit was made');
}

describe('addVlans', () => {
  it.each([
    ['makes the default membership explicit', undefined, { vid: 5 }, [own(1), { vid: 5 }]],
    ['replaces an empty list', [], { vid: 5 }, [{ vid: 5 }]],
    ['adds a range', [], { vid: 10, vidEnd: 20, untagged: true }, [{ vid: '10-20', untagged: true }]],
    ['joins ranges', [{ vid: '2-4' }, { vid: 6 }], { vid: 5 }, [{ vid: '2-6' }]],
    ['keeps flags apart', [{ vid: '2-4' }], { vid: 5, untagged: true }, [{ vid: '2-4' }, { vid: 5, untagged: true }]],
    [
      'splits a range',
      [{ vid: '2-4' }],
      { vid: 3, untagged: true },
      [{ vid: 2 }, { vid: 3, untagged: true }, { vid: 4 }],
    ],
    ['clears the flags that are not given', [own(5)], { vid: 5 }, [{ vid: 5 }]],
    ['clears one flag', [own(5)], { vid: 5, untagged: true }, [{ vid: 5, untagged: true }]],
    [
      'takes the PVID over',
      [own(5)],
      { vid: 6, pvid: true },
      [
        { vid: 5, untagged: true },
        { vid: 6, pvid: true },
      ],
    ],
    ['keeps the PVID of another VLAN', [own(5)], { vid: 6 }, [own(5), { vid: 6 }]],
    ['takes a range of one as one', [], { vid: 6, vidEnd: 6, pvid: true }, [{ vid: 6, pvid: true }]],
    ['changes nothing the second time', [own(5)], { vid: 5, pvid: true, untagged: true }, [own(5)]],
  ])('%s', (_what, vlans, request, expected) => {
    expect(added(withVlans(vlans), request)).toEqual(expected);
  });

  it('fills all 4094', () => {
    expect(added(withVlans([]), { vid: 1, vidEnd: 4094 })).toEqual([{ vid: '1-4094' }]);
  });

  it('gives a bridge without filtering its default membership too', () => {
    const doc = { bridges: { b: { vlan_default_pvid: 3, ports: { t: { type: 'tap' } } } } };
    expect(added(doc, { vid: 5 })).toEqual([own(3), { vid: 5 }]);
  });

  it('takes a bridge for its host port', () => {
    const out = addVlans(withVlans([]), { dev: 'h', vid: 5 });
    checkDocument(out, deps);
    expect((out.bridges as Document).h).toEqual({ host_port: true, vlans: [own(1), { vid: 5 }] });
  });

  it.each([
    [{ dev: 'no', vid: 2 }, 'not_found', /^Cannot find device "no";/],
    [{ dev: 'b', vid: 2 }, 'invalid', /bridge b has no host port.*set host_port: true/],
    [{ dev: 'free', vid: 2 }, 'invalid', /free belongs to no bridge/],
    [{ dev: 't', vid: 0 }, 'invalid', /a VLAN ID from 1 to 4094, found 0/],
    [{ dev: 't', vid: 2.5 }, 'invalid', /found 2\.5/],
    [{ dev: 't', vid: 9, vidEnd: 4095 }, 'invalid', /found 4095/],
    [{ dev: 't', vid: 9, vidEnd: 8 }, 'invalid', /9-8 is reversed; give 8-9/],
    [{ dev: 't', vid: 9, vidEnd: 10, pvid: true }, 'invalid', /one PVID, and this is the range 9-10/],
    [{ dev: 't', vid: 9, tunid: 9 }, 'invalid', /no vxlan port/],
    [{ dev: 'h', vid: 9, tunid: 9 }, 'invalid', /no vxlan port/],
    [{ dev: 'one', vid: 9, tunid: 9 }, 'invalid', /carries VNI 7 only; tunnel_info needs vlan_tunnel: true/],
    [{ dev: 'vx', vid: 9, tunid: 0 }, 'invalid', /a VNI from 1 to 16777215, found 0/],
    [{ dev: 'vx', vid: 9, tunidEnd: 9 }, 'invalid', /no beginning/],
    [{ dev: 'vx', vid: 9, vidEnd: 12, tunid: 9 }, 'invalid', /vid 9-12 has 4 and tunnel_info 9 has 1/],
  ] as const)('refuses %o', (request, code, message) => {
    expect(refusal(() => addVlans(withVlans([]), request))).toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe('addVlans with VNIs', () => {
  it.each([
    ['adds membership and mapping', [], { vid: 2, tunid: 20 }, [{ vid: 2, tunnel_info: 20 }]],
    ['maps ranges', [], { vid: 2, vidEnd: 5, tunid: 22, tunidEnd: 25 }, [{ vid: '2-5', tunnel_info: '22-25' }]],
    ['joins neighbours', [{ vid: 2, tunnel_info: 22 }], { vid: 3, tunid: 23 }, [{ vid: '2-3', tunnel_info: '22-23' }]],
    [
      'keeps apart what is no neighbour',
      [{ vid: 2, tunnel_info: 22 }],
      { vid: 3, tunid: 24 },
      [
        { vid: 2, tunnel_info: 22 },
        { vid: 3, tunnel_info: 24 },
      ],
    ],
    ['keeps flags', [own(2)], { vid: 2, tunid: 22 }, [{ ...own(2), tunnel_info: 22 }]],
    [
      'sets flags that are given',
      [own(2)],
      { vid: 2, tunid: 22, untagged: true },
      [{ vid: 2, untagged: true, tunnel_info: 22 }],
    ],
    [
      'takes a mapping that is there',
      [{ vid: 2, tunnel_info: 22 }],
      { vid: 2, tunid: 22 },
      [{ vid: 2, tunnel_info: 22 }],
    ],
    [
      'leaves mapping and flood list alone when flags are set',
      [{ vid: 2, tunnel_info: 22, remotes: ['192.0.2.2'] }],
      { vid: 2, untagged: true },
      [{ vid: 2, untagged: true, tunnel_info: 22, remotes: ['192.0.2.2'] }],
    ],
  ])('%s', (_what, vlans, request, expected) => {
    expect(added(withTunnels(vlans), request, 'vx')).toEqual(expected);
  });

  it('does not join VLANs with flood lists of their own', () => {
    const vlans = [{ vid: 2, tunnel_info: 22, remotes: ['192.0.2.2'] }];
    expect(added(withTunnels(vlans), { vid: 3, tunid: 23 }, 'vx')).toEqual([...vlans, { vid: 3, tunnel_info: 23 }]);
  });

  it.each([
    [{ vid: 2, tunid: 23 }, /VLAN 2 is mapped to VNI 22 on port vx already; delete that mapping first/],
    [{ vid: 3, tunid: 22 }, /VLAN 2 is mapped to VNI 22/],
    [{ vid: 1, vidEnd: 9, tunid: 101, tunidEnd: 109 }, /VLAN 2 is mapped to VNI 22/],
    [{ vid: 100, vidEnd: 109, tunid: 20, tunidEnd: 29 }, /VLAN 2 is mapped to VNI 22/],
  ])('refuses %o', (request, message) => {
    const doc = withTunnels([{ vid: 2, tunnel_info: 22 }]);
    expect(refusal(() => addVlans(doc, { dev: 'vx', ...request }))).toMatchObject({
      code: 'exists',
      message: expect.stringMatching(message),
    });
  });
});

describe('deleteVlans', () => {
  it.each([
    ['the default membership', undefined, { vid: 1 }, []],
    ['one of a range', [{ vid: '2-4' }], { vid: 3 }, [{ vid: 2 }, { vid: 4 }]],
    ['the end of a range', [{ vid: '2-4' }], { vid: 4, vidEnd: 9 }, [{ vid: '2-3' }]],
    ['the PVID, which leaves none', [own(2), { vid: 3, untagged: true }], { vid: 2 }, [{ vid: 3, untagged: true }]],
    ['all', [{ vid: '2-4' }, own(9)], { vid: 1, vidEnd: 4094 }, []],
  ])('deletes %s', (_what, vlans, request, expected) => {
    expect(deleted(withVlans(vlans), request)).toEqual(expected);
  });

  it('takes mapping, flood list and entries along', () => {
    const mac = '02:00:00:00:00:01';
    const fdb = [
      { mac, vlan: 2, dst: '192.0.2.2' },
      { mac, vni: 23, dst: '192.0.2.2' },
      { mac, vni: 24, dst: '192.0.2.2' },
      { mac: '00:00:00:00:00:00', dst: '192.0.2.3' },
    ];
    const vlans = [{ vid: '2-4', tunnel_info: '22-24', remotes: ['192.0.2.2'] }];
    const out = bodyOf(deleteVlans(withTunnels(vlans, { fdb }), { dev: 'vx', vid: 2, vidEnd: 3 }), 'vx');
    expect(out.vlans).toEqual([{ vid: 4, tunnel_info: 24, remotes: ['192.0.2.2'] }]);
    expect(out.fdb).toEqual([fdb[2], fdb[3]]);
  });

  it('takes the mapping alone with tunnel_info', () => {
    const doc = withTunnels([{ ...own(2), tunnel_info: 22, remotes: ['192.0.2.2'] }, { vid: 3 }], {
      fdb: [{ mac: '02:00:00:00:00:01', vlan: 2, dst: '192.0.2.2' }],
    });
    const out = bodyOf(deleteVlans(doc, { dev: 'vx', vid: 2, vidEnd: 3, tunid: 22, tunidEnd: 23 }), 'vx');
    expect(out).toEqual({ type: 'vxlan', vlan_tunnel: true, vlans: [own(2), { vid: 3 }] });
  });

  it.each([
    [{ dev: 't', vid: 5 }, /t is not a member of VLAN 5; "vlan show"/],
    [{ dev: 't', vid: 5, vidEnd: 9 }, /not a member of any VLAN of 5-9/],
    [{ dev: 'vx', vid: 2, tunid: 2 }, /no VNI for VLAN 2; "vlan tunnelshow"/],
    [{ dev: 'no', vid: 2 }, /^Cannot find device "no";/],
  ])('refuses %o', (request, message) => {
    expect(refusal(() => deleteVlans(withVlans([{ vid: 3 }]), request))).toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(message),
    });
  });

  it('refuses to read an unsound list', () => {
    for (const vlans of ['x', [{}], [{ vid: '2-3', tunnel_info: 2 }], [{ vid: '9-8' }]]) {
      expect(refusal(() => deleteVlans(withVlans(vlans), { dev: 't', vid: 2 })).message).toMatch(
        /vlans of t are unsound/,
      );
    }
  });
});
