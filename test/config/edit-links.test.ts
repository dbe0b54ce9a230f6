/** Edits of links: effects of `link add`, `link del` and `link set` on the live document. */
import { describe, expect, it } from 'vitest';
import { addLink, deleteLink, setLink } from '../../src/config/edit/links.js';
import { type Document, EditRefused } from '../../src/config/edit/tree.js';
import { checkDocument } from '../../src/config/load.js';

const deps = { hostname: () => 'h', netnsExists: () => true };

/** Runs an edit on a frozen document and expects a sound one. */
function edited(doc: Document, edit: (doc: Document) => Document): Document {
  const out = edit(freeze(doc));
  checkDocument(out, deps);
  return out;
}

function refusal(edit: () => unknown): EditRefused {
  try {
    edit();
  } catch (error) {
    if (error instanceof EditRefused) return error;
    throw error;
  }
  throw new Error('the edit was made');
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null)
    for (const child of Object.values(Object.freeze(value))) freeze(child);
  return value;
}

const tap = { type: 'tap' };
const doc: Document = freeze({
  name: 'x',
  bridges: {
    br1: {
      vlan_filtering: true,
      ports: {
        t1: { type: 'tap', mtu: 1400, learning: false, isolated: true, up: false, vlans: [{ vid: 2 }] },
        vx: {
          type: 'vxlan',
          id: 7,
          learning: false,
          flood: false,
          remotes: ['192.0.2.2'],
          fdb: [
            { mac: '00:00:00:00:00:00', dst: '192.0.2.3' },
            { mac: '00:00:00:00:00:00', dst: '192.0.2.4', vni: 7 },
            { mac: '02:00:00:00:00:01', dst: '192.0.2.3' },
          ],
        },
      },
    },
    br2: null,
  },
  ports: { t2: tap },
});

describe('addLink', () => {
  it('adds a bridge', () => {
    const out = edited(doc, (d) => addLink(d, { name: 'br3', type: 'bridge', options: { ageing_time: 5 } }));
    expect(out).toEqual({ ...doc, bridges: { ...(doc.bridges as object), br3: { ageing_time: 5 } } });
    expect((out.bridges as Document).br1).toBe((doc.bridges as Document).br1);
  });

  it('adds a port that belongs to no bridge, to a document that has none too', () => {
    expect(edited(doc, (d) => addLink(d, { name: 't3', type: 'tap' })).ports).toEqual({ t2: tap, t3: tap });
    expect(edited({ bridges: {} }, (d) => addLink(d, { name: 't3', type: 'tap' }))).toEqual({
      bridges: {},
      ports: { t3: tap },
    });
  });

  it('adds a port to a bridge', () => {
    const options = { id: 9, ttl: 3, tos: null, df: undefined };
    const out = edited(doc, (d) => addLink(d, { name: 'vy', type: 'vxlan', master: 'br2', options }));
    expect((out.bridges as Document).br2).toEqual({ ports: { vy: { type: 'vxlan', id: 9, ttl: 3 } } });
  });

  it.each([
    [{ name: 't1', type: 'tap' }, 'exists', /there is a link t1 already; delete it first/],
    [{ name: 't2', type: 'bridge' }, 'exists', /there is a link t2 already/],
    [{ name: 'br2', type: 'tap' }, 'exists', /there is a link br2 already/],
    [{ name: 'a/b', type: 'tap' }, 'invalid', /cannot name a link/],
    [{ name: '__proto__', type: 'tap' }, 'invalid', /cannot name a link/],
    [{ name: 'n', type: 'tap', master: 'br9' }, 'not_found', /^Cannot find bridge device "br9";/],
    [{ name: 'n', type: 'tap', master: 't1' }, 'invalid', /"t1" is a port, not a bridge/],
    [{ name: 'n', type: 'bridge', master: 'br1' }, 'invalid', /cannot be the port of another bridge/],
    [{ name: 'n', type: 'tap', options: { type: 'vxlan' } }, 'invalid', /type is no option/],
    [{ name: 'n', type: 'bridge', options: { ports: {} } }, 'invalid', /ports is no option.*one by one/],
  ] as const)('refuses %o', (request, code, message) => {
    expect(refusal(() => addLink(doc, request))).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('leaves unknown keys to the schema', () => {
    const out = addLink(doc, { name: 'n', type: 'tap', options: { colour: 'red' } });
    expect(() => checkDocument(out, deps)).toThrow('ports.n.colour: unknown key "colour"; remove it');
  });
});

describe('deleteLink', () => {
  it('deletes a port', () => {
    const out = edited(doc, (d) => deleteLink(d, 't1'));
    expect(Object.keys(((out.bridges as Document).br1 as Document).ports as object)).toEqual(['vx']);
  });

  it('deletes a port that belongs to no bridge, and the mapping with the last one', () => {
    expect(edited(doc, (d) => deleteLink(d, 't2'))).not.toHaveProperty('ports');
  });

  it('deletes a bridge and leaves its ports, without what they had of it', () => {
    const out = edited(doc, (d) => deleteLink(d, 'br1'));
    expect(out.bridges).toEqual({ br2: null });
    expect(out.ports).toEqual({
      t2: tap,
      t1: { type: 'tap', mtu: 1400, up: false },
      vx: {
        type: 'vxlan',
        id: 7,
        learning: false,
        remotes: ['192.0.2.2'],
        fdb: [
          { mac: '00:00:00:00:00:00', dst: '192.0.2.3' },
          { mac: '00:00:00:00:00:00', dst: '192.0.2.4', vni: 7 },
        ],
      },
    });
  });

  it('refuses what is not there', () => {
    for (const name of ['t9', 'constructor', '__proto__', '']) {
      expect(refusal(() => deleteLink(doc, name)).code, name).toBe('not_found');
    }
  });
});

describe('setLink', () => {
  const body = (d: Document, name: string) => {
    const { br1 } = d.bridges as Record<string, { ports: Document }>;
    return br1.ports[name];
  };

  it('sets options, and takes them back to their defaults', () => {
    const out = edited(doc, (d) => setLink(d, 't1', { options: { mtu: 1500, isolated: null, flood: undefined } }));
    expect(body(out, 't1')).toEqual({ type: 'tap', mtu: 1500, learning: false, up: false, vlans: [{ vid: 2 }] });
    expect(body(out, 'vx')).toBe(body(doc, 'vx'));
  });

  it('moves a port to another bridge, without what it had of the first', () => {
    const out = edited(doc, (d) => setLink(d, 't1', { master: 'br2', options: { locked: true } }));
    expect(body(out, 't1')).toBeUndefined();
    expect((out.bridges as Document).br2).toEqual({
      ports: { t1: { type: 'tap', mtu: 1400, up: false, locked: true } },
    });
  });

  it('takes a port out of its bridge', () => {
    const out = edited(doc, (d) => setLink(d, 't1', { master: null }));
    expect(out.ports).toEqual({ t2: tap, t1: { type: 'tap', mtu: 1400, up: false } });
  });

  it('puts a port into a bridge with all that it has', () => {
    const before = { ...doc, ports: { t2: { ...tap, flood: false, vlans: [{ vid: 9 }] } } };
    const out = edited(before, (d) => setLink(d, 't2', { master: 'br1' }));
    expect(out).not.toHaveProperty('ports');
    expect(body(out, 't2')).toEqual({ ...tap, flood: false, vlans: [{ vid: 9 }] });
  });

  it('changes nothing when the port is there already', () => {
    expect(edited(doc, (d) => setLink(d, 't1', { master: 'br1' }))).toEqual(doc);
    expect(edited(doc, (d) => setLink(d, 't2', { master: null }))).toEqual(doc);
    expect(edited(doc, (d) => setLink(d, 'br1', { master: null }))).toEqual(doc);
  });

  it('takes along what was put on a host port', () => {
    const nic = { host_port: true, mtu: 1400, addresses: ['192.0.2.9/24'], vlans: [{ vid: 3 }] };
    const before = { bridges: { b: { ageing_time: 4, ...nic } } };
    for (const host_port of [false, null]) {
      const out = edited(before, (d) => setLink(d, 'b', { options: { host_port } }));
      expect(out.bridges).toEqual({ b: { ageing_time: 4, ...(host_port === null ? {} : { host_port }) } });
    }
    const faulty = setLink(before, 'b', { options: { host_port: false, mtu: 1300 } });
    expect(() => checkDocument(faulty, deps)).toThrow('bridges.b.mtu: goes on the host port');
    const vx = { type: 'vxlan', id: 5, host_port: true, mtu: 1400, vlans: [{ vid: 3 }] };
    const out = edited({ bridges: {}, ports: { vx } }, (d) => setLink(d, 'vx', { options: { host_port: false } }));
    expect(out.ports).toEqual({ vx: { type: 'vxlan', id: 5, host_port: false, vlans: [{ vid: 3 }] } });
  });

  it.each([
    ['t9', {}, 'not_found', /^Cannot find device "t9"; "link show" lists all links$/],
    ['t9', { master: 'br1' }, 'not_found', /^Cannot find device "t9"; "link show" lists all links$/],
    [
      't1',
      { master: 'br9' },
      'not_found',
      /^Cannot find bridge device "br9"; "link show type bridge" lists all bridges$/,
    ],
    ['t1', { master: 'vx' }, 'invalid', /"vx" is a port, not a bridge/],
    ['br1', { master: 'br2' }, 'invalid', /br1 is a bridge and cannot be the port of another/],
    ['t1', { options: { type: 'vxlan' } }, 'invalid', /type is no option that can be set; delete the link/],
    ['t1', { options: { ports: {} } }, 'invalid', /ports is no option/],
  ] as const)('refuses %s %o', (name, change, code, message) => {
    expect(refusal(() => setLink(doc, name, change))).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('vlan_default_pvid', () => {
  const own = (vid: number) => ({ vid, pvid: true, untagged: true });
  const bridge = (pvid: number | undefined, vlans: unknown, further: object = {}) => ({
    bridges: {
      b: {
        vlan_filtering: true,
        ...(pvid === undefined ? {} : { vlan_default_pvid: pvid }),
        ports: { t: { type: 'tap', ...(vlans === undefined ? {} : { vlans }), ...further } },
      },
    },
  });
  const set = (before: Document, to: number | null) => {
    const out = edited(before, (d) => setLink(d, 'b', { options: { vlan_default_pvid: to } }));
    return (out.bridges as Record<string, { ports: Record<string, Document> }>).b.ports.t;
  };

  it.each([
    ['an implicit membership follows by itself', undefined, undefined, 9, undefined],
    ['a port at the default follows', undefined, [own(1), { vid: 5 }], 9, [{ vid: 5 }, own(9)]],
    ['a port with another PVID stays', undefined, [{ vid: 1 }, own(5)], 9, [{ vid: 1 }, own(5)]],
    ['a port that sends its PVID tagged stays', undefined, [{ vid: 1, pvid: true }], 9, [{ vid: 1, pvid: true }]],
    ['a member of the new VLAN stays', undefined, [own(1), { vid: 9 }], 9, [own(1), { vid: 9 }]],
    ['0 takes the default away', undefined, [own(1), { vid: 5 }], 0, [{ vid: 5 }]],
    ['0 leaves other PVIDs', undefined, [own(5)], 0, [own(5)]],
    ['from 0 everybody gets it', 0, [{ vid: 5, pvid: true }], 9, [{ vid: 5 }, own(9)]],
    ['from 0 all but its members get it', 0, [{ vid: 9 }], 9, [{ vid: 9 }]],
    ['null means 1', 9, [own(9)], null, [own(1)]],
    ['the same again changes nothing', 9, [own(9), { vid: 3 }], 9, [own(9), { vid: 3 }]],
  ])('%s', (_what, from, vlans, to, expected) => {
    expect(set(bridge(from, vlans), to).vlans).toEqual(expected);
  });

  it('takes the entries of the old VLAN along', () => {
    const fdb = [
      { mac: '02:00:00:00:00:01', vlan: 1 },
      { mac: '02:00:00:00:00:02', vlan: 5 },
    ];
    expect(set(bridge(1, [own(1), { vid: 5 }], { fdb }), 9).fdb).toEqual([fdb[1]]);
    expect(set(bridge(1, undefined, { fdb: [fdb[0]] }), 9)).toEqual({ type: 'tap' });
  });

  it('is followed by the host port', () => {
    const before = { bridges: { b: { host_port: true, vlan_filtering: true, vlans: [own(1), { vid: 5 }] } } };
    const out = edited(before, (d) => setLink(d, 'b', { options: { vlan_default_pvid: 9 } }));
    expect((out.bridges as Document).b).toMatchObject({ vlan_default_pvid: 9, vlans: [{ vid: 5 }, own(9)] });
  });

  it('that is none is left to the schema', () => {
    const out = setLink(bridge(1, [own(1)]), 'b', { options: { vlan_default_pvid: 4095 } });
    expect(() => checkDocument(out, deps)).toThrow('bridges.b.vlan_default_pvid: expected 0 for none or a VLAN ID');
  });

  it('does not disturb memberships when filtering goes off and on', () => {
    const before = bridge(1, [own(1), { vid: 5 }]);
    const off = edited(before, (d) => setLink(d, 'b', { options: { vlan_filtering: false } }));
    const on = edited(off, (d) => setLink(d, 'b', { options: { vlan_filtering: true } }));
    expect(on).toEqual(before);
  });
});
