/** Bindings and multicast groups in a file: added at start and by apply, printed, removed, and kept while links change. */
import { afterEach, describe, expect, it } from 'vitest';
import { mdbChange } from '../../../src/cli/requests/mdb.js';
import { neighChange, neighDel } from '../../../src/cli/requests/neigh.js';
import { ConfigError, checkDocument } from '../../../src/config/load.js';
import type { Raw } from './live-config.js';
import { LiveSwitch } from './live-switch.js';

const MAC = '02:00:00:00:00:0a';
const OTHER = '02:00:00:00:00:0b';
const R1 = '192.0.2.1';

const BINDING = { dst: '198.18.0.1', lladdr: MAC, vlan: 2 };
const GROUP = { port: 't1', grp: '239.1.1.1', vid: 2 };

function file(tables: { neigh?: Raw[]; mdb?: Raw[] } = {}, vlans: Raw[] = [{ vid: 2, tunnel_info: 12 }]): Raw {
  const vlan2 = [{ vid: 2, pvid: true, untagged: true }, { vid: 3 }];
  const v1 = { type: 'vxlan', vlan_tunnel: true, vlans, remotes: [R1], ...(tables.neigh && { neigh: tables.neigh }) };
  const ports = { t1: { type: 'tap', vlans: vlan2 }, v1 };
  const br1 = { vlan_filtering: true, ...(tables.mdb && { mdb: tables.mdb }), ports };
  return { name: 'live', fdb_size: 128, bridges: { br1 } };
}

let made: LiveSwitch[] = [];
afterEach(() => {
  for (const live of made) live.stop();
  made = [];
});

async function start(document: Raw): Promise<LiveSwitch> {
  const live = await LiveSwitch.start(document);
  made.push(live);
  return live;
}

interface Tables {
  neigh?: unknown;
  mdb?: unknown;
}

async function tablesOf(live: LiveSwitch): Promise<Tables> {
  const { bridges } = (await live.controls.stated()) as { bridges: { br1: { mdb?: unknown; ports: { v1?: Raw } } } };
  return { neigh: bridges.br1.ports.v1?.neigh, mdb: bridges.br1.mdb };
}

const bindings = (live: LiveSwitch): string[] =>
  [...live.neigh.list()].flatMap((row) => (row === undefined ? [] : [`${row.dst} ${row.lladdr} ${row.vlan}`]));
const commands = async (live: LiveSwitch, config: Raw, dryRun = true): Promise<string[]> =>
  (await live.controls.apply({ config, dry_run: dryRun })).commands;

describe('bindings and groups of a file', () => {
  it('are put in at the start, and are what is printed', async () => {
    const mdb = [GROUP, { port: 'v1', grp: '239.1.1.2', vid: 2, dst: R1 }];
    const given = file({ neigh: [{ dst: '198.18.0.1', lladdr: MAC.toUpperCase(), vni: 12 }], mdb });
    const live = await start(given);
    expect(bindings(live)).toEqual([`198.18.0.1 ${MAC} 2`]);
    expect(await tablesOf(live)).toEqual({ neigh: [BINDING], mdb });
    expect(await commands(live, given)).toEqual([]);
    expect(await commands(live, (await live.controls.stated()) as Raw)).toEqual([]);
    // No option of a link: nothing of them is told as a change of it.
    expect(live.links().filter((row) => 'neigh' in row || 'mdb' in row)).toEqual([]);
  });

  it('that were put in at run time are printed, and make another switch alike', async () => {
    const live = await start(file());
    await live.controls.neigh(neighChange('add', `198.18.0.1 lladdr ${MAC} dev v1 vlan 2 router`.split(' ')));
    await live.controls.mdb(mdbChange('add', 'dev br1 port t1 grp 239.1.1.1'.split(' ')));
    const printed = (await live.controls.stated()) as Raw;
    expect(await tablesOf(live)).toEqual({ neigh: [{ ...BINDING, router: true }], mdb: [GROUP, { ...GROUP, vid: 3 }] });
    expect(await commands(live, printed)).toEqual([]);
    const twin = await start(printed);
    expect(bindings(twin)).toEqual(bindings(live));
    expect(await twin.controls.stated()).toEqual(printed);
  });

  it('come and go with apply, as the commands that it prints', async () => {
    const live = await start(file({ neigh: [BINDING], mdb: [GROUP] }));
    const other = file({
      neigh: [
        { ...BINDING, lladdr: OTHER },
        { dst: '198.18.0.2', lladdr: MAC, vlan: 2 },
      ],
    });
    const shown = [
      `neigh replace 198.18.0.1 lladdr ${OTHER} dev v1 vlan 2`,
      `neigh replace 198.18.0.2 lladdr ${MAC} dev v1 vlan 2`,
      'mdb del dev br1 port t1 grp 239.1.1.1 vid 2',
    ];
    expect(await commands(live, other)).toEqual(shown);
    expect(bindings(live)).toEqual([`198.18.0.1 ${MAC} 2`]);
    expect(await commands(live, other, false)).toEqual(shown);
    expect(bindings(live).sort()).toEqual([`198.18.0.1 ${OTHER} 2`, `198.18.0.2 ${MAC} 2`]);
    expect((await tablesOf(live)).mdb).toBeUndefined();
    expect(await commands(live, file(), false)).toEqual(
      ['198.18.0.1', '198.18.0.2'].map((dst) => `neigh del ${dst} dev v1 vlan 2`),
    );
    expect(bindings(live)).toEqual([]);
  });

  it('outlive changes of links, and go with their VLANs', async () => {
    const live = await start(file({ neigh: [BINDING], mdb: [GROUP] }));
    await live.controls.link({ op: 'set', name: 'br1', options: { ageing_time: 60, mcast_snooping: false } });
    const printed = (await live.controls.stated()) as Raw;
    expect(await tablesOf(live)).toEqual({ neigh: [BINDING], mdb: [GROUP] });
    expect(await tablesOf(await start(printed))).toEqual({ neigh: [BINDING], mdb: [GROUP] });
    await live.controls.neigh(neighDel('198.18.0.1 dev v1 vlan 2'.split(' ')));
    await live.controls.vlan({ op: 'del', dev: 't1', vid: 2 });
    expect(await tablesOf(live)).toEqual({ neigh: undefined, mdb: undefined });
    await expect(live.controls.link({ op: 'set', name: 'v1', options: { neigh: [BINDING] } })).rejects.toThrow(
      'use "neigh add"',
    );
    // What was taken along is put back, together with its place.
    await commands(live, file({ neigh: [BINDING], mdb: [GROUP] }), false);
    expect(await tablesOf(live)).toEqual({ neigh: [BINDING], mdb: [GROUP] });
  });
});

describe('a file is refused', () => {
  const faultsOf = (document: Raw): string[] => {
    try {
      checkDocument(document);
      return [];
    } catch (error) {
      if (error instanceof ConfigError) return error.faults.map(({ path, message }) => `${path}: ${message}`);
      throw error;
    }
  };

  it.each<[string, Parameters<typeof file>[0], RegExp]>([
    ['a VLAN without a VNI', { neigh: [{ ...BINDING, vlan: 3 }] }, /v1\.neigh\[0\]: no VLAN of the port is mapped so/],
    ['no network', { neigh: [{ dst: '198.18.0.1', lladdr: MAC }] }, /neigh\[0\]: say with vlan or vni/],
    ['a multicast MAC', { neigh: [{ ...BINDING, lladdr: '01:00:5e:00:00:01' }] }, /neigh\[0\]\.lladdr: /],
    [
      'an address twice',
      { neigh: [BINDING, { ...BINDING, lladdr: OTHER }] },
      /neigh\[1\]: 198\.18\.0\.1 has a binding/,
    ],
    ['an unknown key', { neigh: [{ ...BINDING, dev: 'v1' }] }, /neigh\[0\]\.dev: unknown key/],
    ['no such port', { mdb: [{ ...GROUP, port: 't9' }] }, /br1\.mdb\[0\]\.port: bridge br1 has no port "t9"/],
    ['no group', { mdb: [{ ...GROUP, grp: '198.18.0.1' }] }, /mdb\[0\]\.grp: "198\.18\.0\.1" is no multicast address/],
    [
      'a group that is always flooded',
      { mdb: [{ ...GROUP, grp: '224.0.0.5' }] },
      /mdb\[0\]\.grp: 224\.0\.0\.5 is always/,
    ],
    ['another VLAN', { mdb: [{ ...GROUP, vid: 9 }] }, /mdb\[0\]\.vid: port t1 is no member of VLAN 9/],
    ['a remote of a TAP', { mdb: [{ ...GROUP, dst: R1 }] }, /mdb\[0\]\.dst: is for vxlan ports/],
  ])('for %s', (_what, tables, message) => {
    expect(faultsOf(file(tables))).toEqual([expect.stringMatching(message)]);
  });

  it('for bindings of a TAP, and of a port that belongs to no bridge', () => {
    const ports = { t1: { type: 'tap', neigh: [BINDING] }, v1: { type: 'vxlan', id: 12 } };
    expect(faultsOf({ bridges: { br1: { ports } } })).toEqual([
      expect.stringMatching(/t1\.neigh: is an option of .*vxlan ports/),
    ]);
    const free = { v1: { type: 'vxlan', id: 12, neigh: [{ dst: '198.18.0.1', lladdr: MAC }] } };
    expect(faultsOf({ bridges: {}, ports: free })).toEqual([
      expect.stringMatching(/v1\.neigh: bindings are a bridge's/),
    ]);
  });
});

describe('static neighbours of a gateway', () => {
  const GATEWAY = { type: 'gateway', addresses: ['198.18.0.254/24'], vlans: [{ vid: 2, pvid: true, untagged: true }] };
  const STATIC = { dst: '198.18.0.7', lladdr: MAC, vlan: 2 };
  const routed = (neigh: Raw[] = [], ofTunnel: Raw[] = []): Raw => {
    const { bridges, ...rest } = file(ofTunnel.length === 0 ? {} : { neigh: ofTunnel }) as {
      bridges: { br1: { ports: Raw } };
    };
    const gw = { ...GATEWAY, ...(neigh.length === 0 ? {} : { neigh }) };
    return { ...rest, bridges: { br1: { ...bridges.br1, ports: { ...bridges.br1.ports, gw } } } };
  };
  const stated = async (live: LiveSwitch): Promise<unknown> => {
    const { bridges } = (await live.controls.stated()) as { bridges: { br1: { ports: { gw: Raw } } } };
    return bridges.br1.ports.gw.neigh;
  };
  const add = (live: LiveSwitch, words: string, op: 'add' | 'replace' = 'add'): Promise<void> =>
    live.controls.neigh(neighChange(op, words.split(' ')));

  it('are put in, shown, printed, replaced and deleted, by file and by command', async () => {
    const live = await start(routed());
    await add(live, `198.18.0.7 lladdr ${MAC} dev gw`);
    expect([...live.neigh.list()].filter((row) => row !== undefined)[0]).toMatchObject({
      ifname: 'gw',
      vlan: 2,
      state: 'permanent',
      origin: 'manual',
    });
    expect(await stated(live)).toEqual([STATIC]);
    expect(await commands(live, routed([STATIC]))).toEqual([]);
    await expect(add(live, `198.18.0.7 lladdr ${OTHER} dev gw`)).rejects.toThrow('has a binding already; use replace');
    await add(live, `198.18.0.7 lladdr ${OTHER} dev gw`, 'replace');
    expect(bindings(live)).toEqual([`198.18.0.7 ${OTHER} 2`]);
    expect(await commands(live, routed())).toEqual(['neigh del 198.18.0.7 dev gw vlan 2']);
    await live.controls.neigh(neighDel('198.18.0.7 dev gw'.split(' ')));
    expect(bindings(live)).toEqual([]);
    expect(await commands(live, routed([STATIC]), false)).toEqual([
      `neigh replace 198.18.0.7 lladdr ${MAC} dev gw vlan 2`,
    ]);
    expect(await stated(live)).toEqual([STATIC]);
  });

  it('go with the gateway', async () => {
    const live = await start(routed([STATIC]));
    expect(bindings(live)).toHaveLength(1);
    await live.controls.link({ op: 'del', name: 'gw' });
    expect(bindings(live)).toEqual([]);
  });

  it('share the table of the bridge with what is behind its tunnel: one binding of an address in a VLAN', async () => {
    const live = await start(routed([], [BINDING]));
    await expect(add(live, `198.18.0.1 lladdr ${OTHER} dev gw`)).rejects.toThrow('has a binding at port v1 already');
    await expect(add(live, `198.18.0.1 lladdr ${OTHER} dev gw`, 'replace')).rejects.toThrow('at port v1 already');
    await expect(live.controls.neigh(neighDel('198.18.0.1 dev gw'.split(' ')))).rejects.toThrow('has no binding of');
    expect(bindings(live)).toEqual([`198.18.0.1 ${MAC} 2`]);
    expect(() => checkDocument(routed([{ ...STATIC, dst: BINDING.dst }], [BINDING]))).toThrow('binding already at v1');
  });

  it('are refused for a TAP, another VLAN and a VNI', async () => {
    const live = await start(routed());
    await expect(add(live, `198.18.0.7 lladdr ${MAC} dev t1`)).rejects.toThrow('no vxlan port and no gateway');
    await expect(add(live, `198.18.0.7 lladdr ${MAC} dev gw vlan 3`)).rejects.toThrow('does not carry VLAN 3');
    await expect(add(live, `198.18.0.7 lladdr ${MAC} dev gw vni 12`)).rejects.toThrow('in a VLAN and no VNI');
    expect(() => checkDocument(routed([{ ...STATIC, vni: 12 }]))).toThrow('no VNI; remove vni');
    expect(bindings(live)).toEqual([]);
  });
});
