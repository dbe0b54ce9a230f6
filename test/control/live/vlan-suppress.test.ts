/**
 * ARP and ND suppression by VLAN (`neigh_vlan_suppress`, `vlan set`; Linux `br_is_neigh_suppress_enabled`): effects of files
 * and commands, and equivalence of printed commands and files, with the multicast options of VLANs and instances of the
 * spanning tree beside it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VlansRequest } from '../../../src/api/api.js';
import { linkSet } from '../../../src/cli/requests/link.js';
import { mstSetting } from '../../../src/cli/requests/mst.js';
import { vlanChange, vlanGlobal, vlanSetting } from '../../../src/cli/requests/vlan.js';
import { setLink } from '../../../src/config/edit/links.js';
import type { Document } from '../../../src/config/edit/tree.js';
import { ConfigError, checkDocument } from '../../../src/config/load.js';
import { bridgeVlanOptions } from '../../../src/config/options/mcast.js';
import { defaultsOf } from '../../../src/config/options/option.js';
import { EntryTable } from '../../../src/control/model/entries.js';
import { commandsBetween } from '../../../src/control/plan/commands.js';
import { editVlans } from '../../../src/control/plan/commands-vlans.js';
import { PORT_STATES } from '../../../src/values/port-state.js';
import { long } from '../../long.js';

type Given = Record<string, unknown>;

const deps = { hostname: () => 'h', netnsExists: () => true };

function withPort(options: Given, vlans?: Given[], type: 'tap' | 'vxlan' = 'tap'): Document {
  const port = { type, ...(type === 'tap' ? {} : { vlan_tunnel: true }), ...options, ...(vlans && { vlans }) };
  return { name: 'h', bridges: { br0: { vlan_filtering: true, ports: { p: port } } } };
}

const portOf = (document: Document) => checkDocument(document, deps).config.bridges[0].ports[0];

/** Of the port: whether VLANs say so, and those that suppress. */
function suppression(document: Document): [byVlan: boolean, vids: number[]] {
  const { neigh_vlan_suppress, vlans } = portOf(document);
  return [neigh_vlan_suppress, vlans.filter((vlan) => vlan.neigh_suppress).map(({ vid }) => vid)];
}

describe('in a file', () => {
  const off = { vid: 10, neigh_suppress: false };
  const on = { vid: 10, neigh_suppress: true };
  const silent = { vid: '20-21' };

  it.each<[string, Given, Given[], [boolean, number[]]]>([
    ['nothing is said', { neigh_suppress: true }, [{ vid: 10 }, silent], [false, []]],
    [
      'with neigh_vlan_suppress: VLANs that do not say are off',
      { neigh_vlan_suppress: true },
      [on, silent],
      [true, [10]],
    ],
    ['... whatever the port is', { neigh_vlan_suppress: true, neigh_suppress: true }, [off, silent], [true, []]],
    ['without: the port decides, and VLANs wait', { neigh_vlan_suppress: false }, [on, silent], [false, [10]]],
    ['a VLAN alone is off, the others as the port', { neigh_suppress: true }, [off, silent], [true, [20, 21]]],
    ['a VLAN alone is on, the others as the port', {}, [on, silent], [true, [10]]],
  ])('%s', (_name, options, vlans, expected) => expect(suppression(withPort(options, vlans))).toEqual(expected));

  it('it is for ports only', () => {
    const document = { bridges: { br0: { vlan_filtering: true, host_port: true, vlans: [off] } } };
    expect(() => checkDocument(document, deps)).toThrow(ConfigError);
  });
});

describe('vlan set', () => {
  const set = (document: Document, words: string): Document => editVlans(document, vlanSetting(words.split(' ')));

  it('as the kernel has it, with neigh_vlan_suppress on, on and off again', () => {
    let document = setLink(withPort({}, [{ vid: '10-12', untagged: true }]), 'p', {
      options: { neigh_vlan_suppress: true },
    });
    document = set(document, 'vid 10 dev p neigh_suppress on');
    expect(suppression(document)).toEqual([true, [10]]);
    for (const flag of [true, false]) {
      document = setLink(document, 'p', { options: { neigh_suppress: flag } });
      expect(suppression(document)).toEqual([true, [10]]);
    }
    document = set(document, 'vid 10 dev p neigh_suppress off');
    expect(suppression(document)).toEqual([true, []]);
    document = setLink(document, 'p', { options: { neigh_vlan_suppress: false, neigh_suppress: true } });
    expect([suppression(document), portOf(document).neigh_suppress]).toEqual([[false, []], true]);
  });

  it('switches a VLAN off by itself, and leaves the others as they are', () => {
    const document = set(withPort({ neigh_suppress: true }, [{ vid: '10-12' }]), 'dev p vid 11 neigh_suppress off');
    expect(suppression(document)).toEqual([true, [10, 12]]);
  });

  it('keeps flags, VNI and flood list, and is kept when those change', () => {
    const vlan = { vid: 10, untagged: true, tunnel_info: 100, remotes: ['192.0.2.2'] };
    let document = set(withPort({}, [vlan], 'vxlan'), 'dev p vid 10 neigh_suppress on');
    expect(portOf(document).vlans).toMatchObject([
      { untagged: true, vni: 100, remotes: ['192.0.2.2'], neigh_suppress: true },
    ]);
    document = editVlans(document, vlanChange('add', ['dev', 'p', 'vid', '10', 'pvid']));
    expect(portOf(document).vlans).toMatchObject([{ pvid: true, untagged: false, vni: 100, neigh_suppress: true }]);
    document = editVlans(document, vlanChange('del', 'dev p vid 10 tunnel_info id 100'.split(' ')));
    expect(portOf(document).vlans).toEqual([
      { vid: 10, pvid: true, untagged: false, remotes: [], neigh_suppress: true },
    ]);
  });

  it('refuses what is not there', () => {
    const document = withPort({}, [{ vid: 10 }]);
    expect(() => set(document, 'dev p vid 10-11 neigh_suppress on')).toThrow('p is not a member of VLAN 11');
    expect(() => set(document, 'dev q vid 10 neigh_suppress on')).toThrow();
    const host = { bridges: { br0: { vlan_filtering: true, host_port: true } } };
    expect(() => set(host, 'dev br0 vid 1 neigh_suppress on')).toThrow('a host port has no neigh_suppress');
  });
});

describe('the commands of a change', () => {
  const choice = fc.constantFrom(undefined, true, false);
  const port = fc.record({
    neigh_suppress: choice,
    neigh_vlan_suppress: choice,
    vlans: fc.uniqueArray(
      fc.record({
        vid: fc.integer({ min: 1, max: 5 }),
        untagged: fc.boolean(),
        neigh_suppress: choice,
        mcast_router: fc.constantFrom(undefined, undefined, 0, 1, 2),
        mcast_max_groups: fc.constantFrom(undefined, undefined, 0, 5),
        tunnel_info: fc.constantFrom(undefined, 100, 200),
      }),
      { selector: ({ vid }) => vid, maxLength: 5 },
    ),
    globals: fc.uniqueArray(
      fc.record({
        vid: fc.integer({ min: 1, max: 5 }),
        mcast_snooping: choice,
        mcast_querier: choice,
        mcast_igmp_version: fc.constantFrom(undefined, 2, 3),
        mcast_query_interval: fc.constantFrom(undefined, 100, 12_500),
        msti: fc.constantFrom(undefined, 0, 1, 2),
      }),
      { selector: ({ vid }) => vid, maxLength: 3 },
    ),
    mst_enabled: choice,
    state: fc.constantFrom(undefined, ...PORT_STATES),
    mst: fc.uniqueArray(fc.record({ msti: fc.integer({ min: 1, max: 3 }), state: fc.constantFrom(...PORT_STATES) }), {
      selector: ({ msti }) => msti,
      maxLength: 3,
    }),
  });
  type Fields = typeof port extends fc.Arbitrary<infer T> ? T : never;

  function documentOf({ vlans, globals, mst_enabled, mst, ...options }: Fields): Document {
    const defined = (given: Given): Given =>
      Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const items = vlans.map(({ tunnel_info: vni, ...vlan }) =>
      defined({ ...vlan, ...(vni === undefined ? {} : { tunnel_info: vni + vlan.vid }) }),
    );
    const states = mst_enabled === true && mst.length > 0 ? { mst } : {};
    const document = withPort({ ...defined(options), ...states }, items, 'vxlan') as { bridges: { br0: object } };
    const br0 = { ...document.bridges.br0, ...defined({ mst_enabled }), vlan_global: globals.map(defined) };
    return { ...document, bridges: { br0 } } as Document;
  }

  /** A VLAN without options of its own needs no item. */
  const DEFAULTS: Given = defaultsOf(bridgeVlanOptions);
  const isDefault = ({ vid: _, ...given }: Given): boolean =>
    Object.entries(given).every(([key, value]) => DEFAULTS[key] === value);

  function carryOut(document: Document, command: string): Document {
    const [object, verb, ...words] = command.split(' ').filter((word) => word !== 'overtap');
    if (object === 'link') {
      const request = linkSet(words);
      if (request.op !== 'set') throw new Error(command);
      return setLink(document, request.name, request);
    }
    if (object === 'mst') return editVlans(document, mstSetting(words));
    if (object !== 'vlan') throw new Error(command);
    if (verb === 'global') return editVlans(document, vlanGlobal(words));
    const request: VlansRequest = verb === 'set' ? vlanSetting(words) : vlanChange(verb as 'add' | 'del', words);
    return editVlans(document, request);
  }

  it('lead to what the file says, and then there are none', () => {
    fc.assert(
      fc.property(port, port, (before, after) => {
        const stated = (document: Document) => ({ document, config: checkDocument(document, deps).config });
        const from = stated(documentOf(before));
        const to = stated(documentOf(after));
        const commands = commandsBetween(from, to, new EntryTable());
        const reached = stated(commands.reduce(carryOut, from.document));
        const facts = ({ config }: typeof to): unknown => {
          const { options: _, ...rest } = config.bridges[0].ports[0];
          const globals = config.bridges[0].vlan_global.filter((one) => !isDefault({ ...one }));
          return [rest, globals];
        };
        expect(facts(reached)).toEqual(facts(to));
        expect(commandsBetween(reached, to, new EntryTable())).toEqual([]);
      }),
      { numRuns: long(1000, 60) },
    );
  });
});
