/** Edits over random sequences: no input is modified, every result is checked, and VLANs agree with a simple model. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addLink, deleteLink, setLink } from '../../src/config/edit/links.js';
import { type Document, EditRefused } from '../../src/config/edit/tree.js';
import { addVlans, deleteVlans } from '../../src/config/edit/vlans.js';
import { entriesOf } from '../../src/config/entries/list.js';
import { ConfigError, checkDocument, readDocumentValue } from '../../src/config/load.js';
import type { SwitchConfig, VlanMembership } from '../../src/config/types.js';
import { long } from '../long.js';
import { checkEntry } from './checked-entry.js';
import { EXAMPLE } from './example.js';

const deps = { hostname: () => 'h', netnsExists: () => true };
const seed = 82_599;
/** Each has a dozen edits, and checks all of the document twice after each. */
const SEQUENCES = long(200, 60);

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const child of Object.values(Object.freeze(value))) freeze(child);
  return value;
}

type Edit = (doc: Document) => Document;

const names = { bridge: ['br1', 'br2', 'br3'], tap: ['tap1_0', 't', 'u'], vxlan: ['vxlan0', 'v', 'w'] } as const;
const name = fc.constantFrom(...names.bridge, ...names.tap, ...names.vxlan);
const master = fc.oneof({ weight: 9, arbitrary: fc.constantFrom('br1', 'br2') }, fc.constantFrom('br3', 't'));
const vid = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 8 }) }, fc.constantFrom(0, 4094, 4095, 150));
const flag = fc.boolean();

/** One key and its value, mostly a sound one. */
function option(values: Record<string, readonly unknown[]>): fc.Arbitrary<Record<string, unknown>> {
  const own = Object.entries(values).map(([key, list]) => fc.constantFrom(...list).map((value) => ({ [key]: value })));
  const anyKey = fc.constantFrom('colour', 'vlans', 'mac', '__proto__', 'fdb');
  const wild = fc.dictionary(anyKey, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 1 });
  return fc.oneof({ weight: 12, arbitrary: fc.oneof(...own) }, wild);
}

const port = {
  isolated: [true, null],
  learning: [false, null],
  up: [false, true],
  storm_limit: [{ broadcast: 5 }, null],
};
const FLOOD_ROW = { mac: '00:00:00:00:00:00', dst: '192.0.2.8' };
const optionsOf = {
  bridge: option({
    mtu: [1400, 'auto', null],
    vlan_filtering: [true, false],
    vlan_default_pvid: [0, 1, 2, 5, null],
    host_port: [true, false, null],
    ageing_time: [0, 9, -1],
  }),
  tap: option({
    ...port,
    mtu: [1400, 'auto', null],
    fdb: [[{ mac: '02:00:00:00:00:01', vlan: 2 }], [{ mac: '02:00:00:00:00:01' }], null],
  }),
  vxlan: option({
    ...port,
    remotes: [['192.0.2.2'], ['192.0.2.3', '192.0.2.4'], null],
    dstport: [4789, 8472],
    host_port: [true, null],
    fdb: [[FLOOD_ROW], [{ ...FLOOD_ROW, vni: 5 }], null],
  }),
};
const kinds = {
  bridge: fc.constant({}),
  tap: fc.constant({}),
  vxlan: fc.constantFrom({ id: 5 }, { id: 6 }, { vlan_tunnel: true }),
};

const vlanRequest = fc
  .record(
    { dev: name, vid, pvid: flag, untagged: flag, length: fc.nat(3), tunid: vid },
    { requiredKeys: ['dev', 'vid'] },
  )
  .map(({ length, ...rest }) => ({
    ...rest,
    ...(length === undefined ? {} : { vidEnd: rest.vid + length }),
    ...(length === undefined || rest.tunid === undefined ? {} : { tunidEnd: rest.tunid + length }),
  }));

function linkEdits(type: 'bridge' | 'tap' | 'vxlan'): fc.Arbitrary<Edit>[] {
  const one = fc.constantFrom(...names[type]);
  const options = optionsOf[type];
  const add = fc
    .record({ name: one, kind: kinds[type], options, master: fc.option(master, { nil: undefined }) })
    .map((r): Edit => {
      const bridge = r.master === undefined || type === 'bridge' ? {} : { master: r.master };
      return (doc) => addLink(doc, { name: r.name, type, options: { ...r.kind, ...r.options }, ...bridge });
    });
  const change = fc.record({ master: fc.option(master), options }, { requiredKeys: [] });
  return [
    add,
    fc.tuple(one, change).map(
      ([n, r]): Edit =>
        (doc) =>
          setLink(doc, n, r),
    ),
  ];
}

const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 8, arbitrary: fc.oneof(...linkEdits('bridge'), ...linkEdits('tap'), ...linkEdits('vxlan')) },
  {
    weight: 1,
    arbitrary: name.map(
      (n): Edit =>
        (doc) =>
          deleteLink(doc, n),
    ),
  },
  {
    weight: 4,
    arbitrary: vlanRequest.map(
      (r): Edit =>
        (doc) =>
          addVlans(doc, r),
    ),
  },
  {
    weight: 2,
    arbitrary: vlanRequest.map(
      (r): Edit =>
        (doc) =>
          deleteVlans(doc, r),
    ),
  },
);

/** The example with most of the links that the edits name. */
function wideStart(): Document {
  let doc = readDocumentValue(EXAMPLE, 'f.yaml') as Document;
  doc = addLink(doc, { name: 'br2', type: 'bridge', options: { vlan_filtering: true, host_port: true } });
  doc = addLink(doc, { name: 't', type: 'tap', master: 'br2' });
  doc = addLink(doc, { name: 'u', type: 'tap' });
  return addLink(doc, { name: 'v', type: 'vxlan', master: 'br1', options: { vlan_tunnel: true, dstport: 8472 } });
}

/** One step as the switch takes it. @returns the document in force afterwards */
function step(doc: Document, change: Edit): { doc: Document; config?: SwitchConfig; outcome: string } {
  let next: Document;
  try {
    next = change(doc);
  } catch (error) {
    if (!(error instanceof EditRefused)) throw error;
    expect(error.message).not.toBe('');
    return { doc, outcome: error.code };
  }
  try {
    return { doc: freeze(next), config: checkDocument(next, deps).config, outcome: 'done' };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const { path, message } of error.faults) {
      expect(message).not.toBe('');
      expect(path).not.toBe('');
      // What an edit wrote into a list of VLANs by itself is never at fault for its form.
      expect(message).not.toMatch(/given? each VLAN of a port once|equal length|reversed|one PVID|PVID in vlans/);
    }
    return { doc, outcome: 'faulty' };
  }
}

describe('any sequence of edits', () => {
  it('changes no document in place, and ends in documents that are accepted or refused with a message', () => {
    const outcomes = new Map<string, number>();
    const start = freeze(wideStart());
    const copy = JSON.stringify(start);
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 25, size: 'max' }), (edits) => {
        let doc = start;
        // Frozen: in strict mode a change in place throws.
        for (const change of edits) {
          const result = step(doc, change);
          outcomes.set(result.outcome, (outcomes.get(result.outcome) ?? 0) + 1);
          doc = result.doc;
          if (result.config === undefined) continue;
          // What is in force can be sent, read again and listed.
          expect(checkDocument(JSON.parse(JSON.stringify(doc)), deps).config).toEqual(result.config);
          for (const row of entriesOf(result.config)) expect(row.port).not.toBe('');
        }
      }),
      { seed, numRuns: SEQUENCES },
    );
    expect(JSON.stringify(start)).toBe(copy);
    // The sequences do reach every end, and most of all the good one.
    for (const outcome of ['done', 'not_found', 'exists', 'invalid', 'faulty']) {
      expect(outcomes.get(outcome) ?? 0, outcome).toBeGreaterThan(SEQUENCES / 6);
    }
    expect(outcomes.get('done')).toBeGreaterThan(SEQUENCES * 3);
  });
});

describe('entries that are checked one by one', () => {
  const config = checkDocument(readDocumentValue(EXAMPLE, 'f.yaml'), deps).config;

  it('become rows of their port, or are refused with a message', () => {
    const wild = fc.jsonValue({ maxDepth: 1 });
    const mostly = (...sound: unknown[]) => fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...sound) }, wild);
    const request = fc.record(
      {
        mac: mostly('02:00:00:00:00:01', '02:00:00:00:00:0A', '00:00:00:00:00:00', '01:00:5e:00:00:01'),
        dev: mostly('tap1_0', 'vxlan0', 'vxlan0', 'br1'),
        vlan: mostly(2, 3, 100),
        vni: mostly(2, 3, 10_100),
        dst: mostly('192.0.2.2', '192.0.2.2', '192.0.2.1', '2001:db8::2'),
        port: mostly(4789, 8472),
      },
      { requiredKeys: ['mac', 'dev'] },
    );
    let taken = 0;
    fc.assert(
      fc.property(request, (given) => {
        try {
          const rows = checkEntry(config, given);
          expect(rows.length).toBeGreaterThan(0);
          for (const row of rows) expect(row.port).toBe(given.dev);
          taken++;
        } catch (error) {
          if (!(error instanceof EditRefused)) throw error;
          expect(error.message).not.toBe('');
        }
      }),
      { seed, numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(50);
  });
});

describe('memberships over random sequences', () => {
  interface Row {
    pvid: boolean;
    untagged: boolean;
    vni?: number;
  }
  type Model = Map<number, Row>;

  const request = fc
    .record(
      {
        del: flag,
        vid: fc.integer({ min: 1, max: 12 }),
        length: fc.integer({ min: 1, max: 4 }),
        pvid: flag,
        untagged: flag,
        tunid: fc.integer({ min: 1, max: 20 }),
      },
      { requiredKeys: ['del', 'vid', 'length'] },
    )
    .map(({ del, vid: first, length, pvid, untagged, tunid }) => ({
      del,
      dev: 'x',
      vid: first,
      ...(length === 1 ? {} : { vidEnd: first + length - 1 }),
      ...(pvid === undefined ? {} : { pvid }),
      ...(untagged === undefined ? {} : { untagged }),
      ...(tunid === undefined ? {} : { tunid, tunidEnd: tunid + length - 1 }),
    }));
  type Request = Parameters<typeof addVlans>[1] & { del: boolean };

  /** The rules of the kernel, on a map. @returns undefined when it refuses */
  function apply(model: Model, { del, vid: first, vidEnd = first, pvid, untagged, tunid }: Request): Model | undefined {
    const next: Model = new Map([...model].map(([id, row]) => [id, { ...row }]));
    const vids = Array.from({ length: vidEnd - first + 1 }, (_, i) => first + i);
    if (del) {
      const there = vids.filter((id) => (tunid === undefined ? next.has(id) : next.get(id)?.vni !== undefined));
      for (const id of there) {
        if (tunid === undefined) next.delete(id);
        else delete next.get(id)?.vni;
      }
      return there.length > 0 ? next : undefined;
    }
    if (pvid === true && vids.length > 1) return undefined;
    for (const [i, id] of vids.entries()) {
      const row = next.get(id) ?? { pvid: false, untagged: false };
      if (tunid !== undefined) {
        const vni = tunid + i;
        if (row.vni !== undefined && row.vni !== vni) return undefined;
        for (const [other, { vni: taken }] of model) if (other !== id && taken === vni) return undefined;
        row.vni = vni;
      }
      if (tunid === undefined || pvid !== undefined || untagged !== undefined) {
        if (pvid === true) for (const other of next.values()) other.pvid = false;
        row.pvid = pvid ?? false;
        row.untagged = untagged ?? false;
      }
      next.set(id, row);
    }
    return next;
  }

  function rows(vlans: readonly VlanMembership[]): [number, Row][] {
    return vlans.map(({ vid: id, pvid, untagged, vni }) => [
      id,
      { pvid, untagged, ...(vni === undefined ? {} : { vni }) },
    ]);
  }

  it('are those of a map, in the shortest list', () => {
    const start: Document = {
      bridges: { b: { vlan_filtering: true, ports: { x: { type: 'vxlan', vlan_tunnel: true } } } },
    };
    let done = 0;
    let refused = 0;
    fc.assert(
      fc.property(fc.array(request, { maxLength: 20 }), (requests) => {
        let doc = freeze(start);
        let model: Model = new Map([[1, { pvid: true, untagged: true }]]);
        for (const { del, ...given } of requests) {
          const expected = apply(model, { del, ...given });
          let out: Document | undefined;
          try {
            out = del ? deleteVlans(doc, given) : addVlans(doc, given);
          } catch (error) {
            if (!(error instanceof EditRefused)) throw error;
          }
          expect(out === undefined, JSON.stringify(given)).toBe(expected === undefined);
          if (out === undefined || expected === undefined) {
            refused++;
            continue;
          }
          done++;
          [doc, model] = [freeze(out), expected];
          const [port] = checkDocument(doc, deps).config.bridges[0].ports;
          expect(rows(port.vlans)).toEqual([...model].sort(([a], [b]) => a - b));
          expect(listOf(doc)).toHaveLength(fewestItems(rows(port.vlans)));
        }
      }),
      { seed, numRuns: 400 },
    );
    expect(Math.min(done, refused)).toBeGreaterThan(500);
  }, 60_000);

  function listOf(doc: Document): unknown {
    return (doc.bridges as Record<string, { ports: Record<string, Document> }>).b.ports.x.vlans;
  }

  /** Each VLAN that cannot stand in one range with the one before begins an item. */
  function fewestItems(all: [number, Row][]): number {
    return all.filter(([id, row], i) => {
      const [lastId, last] = all[i - 1] ?? [];
      if (last === undefined || lastId !== id - 1 || row.pvid || last.pvid || row.untagged !== last.untagged)
        return true;
      return row.vni === undefined ? last.vni !== undefined : last.vni !== row.vni - 1;
    }).length;
  }
});
