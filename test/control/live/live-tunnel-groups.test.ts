/** The multicast database of tunnels in a running switch: by file and by command, against a plain model of the kernel's rules. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { mdbChange, mdbFlush } from '../../../src/cli/requests/mdb.js';
import { linkDel, linkSet } from '../../../src/cli/requests/link.js';
import { fdbChange } from '../../../src/cli/requests/fdb.js';
import { groupMac, igmpQuery, igmpV3Frame } from '../../dataplane/support/group-traffic.js';
import { packet, type PacketFields } from '../../dataplane/support/frames.js';
import { long } from '../../long.js';
import type { Raw } from './live-config.js';
import { LiveSwitch } from './live-switch.js';

const [R1, R2, R3] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];

let made: LiveSwitch[] = [];
afterEach(() => {
  for (const live of made) {
    live.stop();
    if (live.broken !== null) throw live.broken;
  }
  made = [];
});

async function start(port: Raw = {}, bridge: Raw = {}): Promise<LiveSwitch> {
  const vlans = [{ vid: 2 }, { vid: 3 }];
  const tunnels = [
    { vid: 2, tunnel_info: 12 },
    { vid: 3, tunnel_info: 13 },
  ];
  const v1 = { type: 'vxlan', local: '192.0.2.9', vlan_tunnel: true, vlans: tunnels, ...port };
  const br1 = { vlan_filtering: true, vlan_default_pvid: 0, ports: { t1: { type: 'tap', vlans }, v1 }, ...bridge };
  return begin({ name: 'live', fdb_size: 128, bridges: { br1 } });
}

async function begin(document: Raw): Promise<LiveSwitch> {
  const live = await LiveSwitch.start(document);
  made.push(live);
  return live;
}

function mdb(live: LiveSwitch, line: string): Promise<void> {
  const [op, ...words] = `${line.split(' ')[0]} dev v1 ${line.split(' ').slice(1).join(' ')}`.trim().split(' ');
  if (op === 'flush') return live.controls.mdb(mdbFlush(words));
  return live.controls.mdb(mdbChange(op as 'add' | 'replace' | 'del', ['port', 'v1', ...words]));
}

/** Where a frame of a port goes. */
function sent(live: LiveSwitch, group: string, fields: Partial<PacketFields> = {}, port = 't1'): string[] {
  const version = group.includes(':') ? 6 : 4;
  const to = { destination: groupMac(group), destinationAddress: group };
  live.inject(0, port, packet({ version, protocol: 'udp', tci: 2, ...to, ...fields }));
  return live
    .turn(0)
    .map((left) => left.to)
    .sort();
}

const V = (address: string, rest = '4789 vni 12'): string => `v1>${address}:${rest}`;
const stated = async (live: LiveSwitch): Promise<unknown> => {
  const { bridges } = (await live.controls.stated()) as { bridges: { br1: { ports: { v1: Raw } } } };
  return bridges.br1.ports.v1.mdb;
};

describe('entries of a file', () => {
  const entries = [
    {
      grp: '239.1.1.1',
      dst: R1,
      dst_port: 1234,
      vni: 99,
      src_vni: 12,
      filter_mode: 'include',
      source_list: ['10.0.0.1'],
    },
    { grp: '239.1.1.1', src: '10.0.0.2', dst: R1, src_vni: 12, proto: 'bgp' },
    { grp: '::', dst: R2, src_vni: 12 },
  ];

  it('act from the start, are what is printed, and change by apply', async () => {
    const live = await start({ mdb: entries });
    expect(sent(live, '239.1.1.1', { sourceAddress: '10.0.0.1' })).toEqual([V(R1, '1234 vni 99')]);
    expect(sent(live, '239.1.1.1', { sourceAddress: '10.0.0.2' })).toEqual([V(R1)]);
    expect(sent(live, '239.1.1.1', { sourceAddress: '10.0.0.3' })).toEqual([]);
    expect(sent(live, 'ff0e::1')).toEqual([V(R2)]);
    expect(await stated(live)).toEqual(entries);
    const running = (await live.controls.stated()) as Raw;
    expect((await live.controls.apply({ config: running, dry_run: true })).commands).toEqual([]);

    const { bridges } = structuredClone(running) as { bridges: { br1: { ports: { v1: { mdb: Raw[] } } } } };
    bridges.br1.ports.v1.mdb = [
      { ...entries[0], source_list: ['10.0.0.2'] },
      { grp: '::', dst: R3, src_vni: 12 },
    ] as Raw[];
    const { commands } = await live.controls.apply({ config: { ...running, bridges } });
    expect(commands).toEqual([
      'mdb del dev v1 port v1 grp 239.1.1.1 src 10.0.0.2 dst 192.0.2.1 src_vni 12',
      'mdb del dev v1 port v1 grp :: dst 192.0.2.2 src_vni 12',
      'mdb replace dev v1 port v1 grp 239.1.1.1 dst 192.0.2.1 dst_port 1234 vni 99 src_vni 12 filter_mode include source_list 10.0.0.2',
      'mdb add dev v1 port v1 grp :: dst 192.0.2.3 src_vni 12',
    ]);
    expect(sent(live, '239.1.1.1', { sourceAddress: '10.0.0.2' })).toEqual([V(R1, '1234 vni 99')]);
    expect(sent(live, 'ff0e::1')).toEqual([V(R3)]);
  });

  it.each([
    [{ grp: '10.0.0.1', dst: R1, src_vni: 12 }, 'mdb[0].grp: "10.0.0.1" is no multicast address'],
    [{ grp: '01:02:03:04:05:06', dst: R1, src_vni: 12 }, 'mdb[0].grp: 01:02:03:04:05:06 is a MAC'],
    [{ grp: '239.1.1.1', dst: R1 }, 'mdb[0].src_vni: say with src_vni which VNI of port v1'],
    [{ grp: '239.1.1.1', dst: '238.1.1.1', src_vni: 12 }, 'mdb[0].dst: 238.1.1.1 is a group, and port v1 has no dev'],
    [{ grp: '239.1.1.1', dst: '0.0.0.0', src_vni: 12 }, 'mdb[0].dst: 0.0.0.0 is '],
    [{ grp: '239.1.1.1', dst: '2001:db8::1', src_vni: 12 }, 'mdb[0].dst: 2001:db8::1 is IPv6'],
    [{ grp: '239.1.1.1', dst: R1, src_vni: 12, via: 'eth0' }, 'mdb[0].via: what v1 sends leaves by the routes'],
    [{ grp: '239.1.1.1', src: 'ff02::1', dst: R1, src_vni: 12 }, 'mdb[0].src: '],
    [{ grp: '239.1.1.1', src: '2001:db8::1', dst: R1, src_vni: 12 }, 'is of another family than 239.1.1.1'],
    [{ grp: '239.1.1.1', dst: R1, src_vni: 12, source_list: [1], filter_mode: 'exclude' }, 'mdb[0].source_list: '],
  ])('%o is refused', async (entry, message) => {
    await expect(start({ mdb: [entry] })).rejects.toThrow(message);
  });

  it('of one remote twice, a source in a list too, are refused; a port without a bridge has none', async () => {
    const of = { grp: '239.1.1.1', dst: R1, src_vni: 12 };
    const list = { ...of, filter_mode: 'exclude', source_list: ['10.0.0.1'] };
    for (const two of [
      [of, of],
      [list, { ...of, src: '10.0.0.1' }],
    ])
      await expect(start({ mdb: two })).rejects.toThrow('mdb[1].dst: 192.0.2.1 is a remote of');
    const v1 = { type: 'vxlan', id: 9, mdb: [{ grp: '239.1.1.1', dst: R1 }] };
    await expect(begin({ name: 'live', ports: { v1 } })).rejects.toThrow("groups are a bridge's");
  });
});

describe('frames', () => {
  it('with a tag on the wire, and of another VNI, go to the flood list; to two switches of a bridge by its own', async () => {
    const live = await start({ remotes: [R3], inner_vlan: 'keep' });
    await mdb(live, `add grp 239.1.1.1 dst ${R1} src_vni 12`);
    expect(sent(live, '239.1.1.1')).toEqual([V(R1)]);
    expect(sent(live, '239.1.1.1', { tci: 3 })).toEqual([V(R3, '4789 vni 13')]);
    const plain = await start({ vlan_tunnel: false, id: 12, vlans: [], remotes: [R3] }, { vlan_filtering: false });
    await mdb(plain, `add grp 239.1.1.1 dst ${R1}`);
    expect(sent(plain, '239.1.1.1', { tci: undefined } as never)).toEqual([V(R1)]);
    expect(sent(plain, '239.1.1.1')).toEqual([V(R3)]);
    const tagged = await start({
      vlan_tunnel: false,
      id: 12,
      vlans: [{ vid: 2 }, { vid: 3, untagged: true }],
      remotes: [R3],
    });
    await mdb(tagged, `add grp 239.1.1.1 dst ${R1}`);
    expect(sent(tagged, '239.1.1.1')).toEqual([V(R3)]);
    expect(sent(tagged, '239.1.1.1', { tci: 3 })).toEqual([V(R1)]);
  });

  it('of a snooping bridge go to the remotes of the entry, not to those that have joined', async () => {
    const live = await start({ remotes: [R2, R3] });
    live.inject(0, 't1', igmpQuery(100, null, { tci: 2 }));
    live.turn(0);
    live.arrive('192.0.2.9 4789', R2, 12, igmpV3Frame([{ type: 4, group: '239.1.1.1', sources: [] }]));
    live.turn(0);
    live.hearPunts();
    await live.controls.mdb(mdbChange('add', 'dev br1 port v1 grp 239.1.1.1 vid 2 dst 192.0.2.2'.split(' ')));
    expect(sent(live, '239.1.1.1')).toEqual([V(R2)]);
    await mdb(live, `add grp 239.1.1.1 dst ${R1} src_vni 12`);
    expect(sent(live, '239.1.1.1')).toEqual([V(R1)]);
    await mdb(live, `replace grp 239.1.1.1 dst ${R1} src_vni 12 filter_mode include source_list 10.0.0.1`);
    expect(sent(live, '239.1.1.1')).toEqual([]);
    await mdb(live, 'flush');
    expect(sent(live, '239.1.1.1')).toEqual([V(R2)]);
  });

  it('go on to the right UDP port when that of the VTEP itself changes, and nowhere after the port', async () => {
    const live = await start();
    await mdb(live, `add grp 239.1.1.1 dst ${R1} dst_port 1234 src_vni 12`);
    expect(sent(live, '239.1.1.1')).toEqual([V(R1, '1234 vni 12')]);
    await live.controls.fdb(fdbChange('append', `00:00:00:00:00:00 dev v1 dst ${R1}`.split(' ')));
    expect(sent(live, '239.1.1.1')).toEqual([V(R1, '1234 vni 12')]);
    await mdb(live, `replace grp 239.1.1.1 dst ${R1} src_vni 12`);
    expect(sent(live, '239.1.1.1')).toEqual([V(R1)]);
    await live.controls.link(linkSet('v1 nomaster'.split(' ')));
    expect(live.groups().mdb).toEqual([]);
    await live.controls.link(linkDel(['v1']));
    expect(sent(live, '239.1.1.1')).toEqual([]);
  });
});

it('requests that do not fit are refused, and nothing is lost', async () => {
  const live = await start();
  await mdb(live, `add grp 239.1.1.1 dst ${R1} src_vni 12 filter_mode exclude source_list 10.0.0.1`);
  const before = live.groups();
  const star = 'grp 239.1.1.1 src_vni 12';
  for (const [line, message] of [
    [`add ${star} src 10.0.0.1 dst ${R1}`, 'is a remote of 239.1.1.1 already'],
    [`replace ${star} src 10.0.0.1 dst ${R1}`, 'is in the source_list'],
    [`del ${star} src 10.0.0.1 dst ${R1}`, 'is in the source_list'],
    [`del ${star} dst ${R2}`, 'has no such entry'],
    [`del ${star}`, 'say which remote'],
    [`add ${star} dst 192.0.2.9`, 'own local address'],
    [`flush proto kernel`, 'is no protocol'],
  ])
    await expect(mdb(live, line), line).rejects.toThrow(message);
  const bridged = 'dev br1 port v1 grp 239.1.1.1 vid 2 src_vni 12'.split(' ');
  await expect(live.controls.mdb(mdbChange('add', bridged))).rejects.toThrow('src_vni: is for entries of a tunnel');
  await mdb(live, `add ${star} src 10.0.0.2 dst ${R1}`);
  const more = mdb(live, `replace ${star} dst ${R1} filter_mode exclude source_list 10.0.0.1,10.0.0.2`);
  await expect(more).rejects.toThrow('10.0.0.2 has an entry of its own');
  await mdb(live, `del ${star} src 10.0.0.2 dst ${R1}`);
  expect(live.groups()).toEqual(before);
});

// ---- Any sequence, against a model

const GROUPS = ['239.1.1.1', '239.1.1.2', '0.0.0.0'];
const SOURCES = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
const REMOTES = [R1, R2, R3];

interface Entry {
  grp: string;
  src?: string;
  dst: string;
  mode: 'include' | 'exclude';
  sources: string[];
  vni?: number;
}

/** Where the kernel would send a frame: the first of the three entries that is there decides. */
function expected(entries: readonly Entry[], group: string, source: string): string[] {
  const to = ({ dst, vni = 12 }: Entry): string => V(dst, `4789 vni ${vni}`);
  const stars = entries.filter(({ grp, src }) => grp === group && src === undefined);
  const own = entries.filter(({ grp, src }) => grp === group && src === source);
  const named = stars.filter(({ sources }) => sources.includes(source));
  if (own.length + named.length > 0) return [...own, ...named.filter(({ mode }) => mode === 'include')].map(to).sort();
  if (stars.length > 0)
    return stars
      .filter(({ mode }) => mode === 'exclude')
      .map(to)
      .sort();
  const all = entries.filter(({ grp }) => grp === '0.0.0.0').map(to);
  return all.length > 0 ? all.sort() : [V('192.0.2.77')];
}

const entry = fc
  .record({
    grp: fc.constantFrom(...GROUPS),
    src: fc.option(fc.constantFrom(...SOURCES), { nil: undefined }),
    dst: fc.constantFrom(...REMOTES),
    mode: fc.constantFrom('include' as const, 'exclude' as const),
    sources: fc.subarray(SOURCES),
    vni: fc.option(fc.constantFrom(12, 13, 40), { nil: undefined }),
  })
  .map(({ grp, src, mode, sources, ...rest }): Entry => {
    if (grp === '0.0.0.0') return { grp, mode: 'exclude', sources: [], ...stripped(rest) };
    if (src !== undefined) return { grp, src, mode: 'include', sources: [], ...stripped(rest) };
    return { grp, mode: sources.length === 0 ? 'exclude' : mode, sources, ...stripped(rest) };
  });

function stripped({ dst, vni }: { dst: string; vni: number | undefined }): { dst: string; vni?: number } {
  return vni === undefined ? { dst } : { dst, vni };
}

const wordsOf = ({ grp, src, dst, mode, sources, vni }: Entry): string =>
  [
    `grp ${grp} dst ${dst} src_vni 12`,
    ...(src === undefined ? [] : [`src ${src}`]),
    ...(vni === undefined ? [] : [`vni ${vni}`]),
    ...(sources.length === 0 ? [] : [`filter_mode ${mode} source_list ${sources.join(',')}`]),
  ].join(' ');

const same = (a: Entry, b: Entry): boolean => a.grp === b.grp && a.src === b.src && a.dst === b.dst;
/** Whether one has a pair of its own that the other's list has. */
const clash = (a: Entry, b: Entry): boolean =>
  a.grp === b.grp &&
  a.dst === b.dst &&
  ((b.src !== undefined && a.sources.includes(b.src)) || (a.src !== undefined && b.sources.includes(a.src)));

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constantFrom('add' as const, 'replace' as const), entry }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('del' as const), entry }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('flush' as const), entry }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('again' as const), entry }) },
);

it('any sequence of commands sends frames as the kernel would, and the running configuration leads to the same', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      let live = await start({ remotes: ['192.0.2.77'] });
      let model: Entry[] = [];
      for (const { op, entry: one } of steps) {
        const done = await carryOut(live, op, one);
        if (op === 'again') {
          live = await begin((await live.controls.stated()) as Raw);
          continue;
        }
        const before = model.find((other) => same(other, one));
        if (op === 'flush') model = model.filter(({ dst }) => dst !== one.dst);
        else if (op === 'del') {
          expect(done).toBe(before !== undefined);
          model = model.filter((other) => !same(other, one));
        } else {
          expect(done).toBe(!model.some((other) => clash(one, other)) && (op === 'replace' || before === undefined));
          if (done) model = [...model.filter((other) => !same(other, one)), one];
        }
        for (const group of ['239.1.1.1', '239.1.1.2', '239.1.1.3'])
          for (const source of SOURCES)
            expect(sent(live, group, { sourceAddress: source }), `${source} ${group}`).toEqual(
              expected(model, group, source),
            );
      }
      while (made.length > 0) made.pop()?.stop();
    }),
    { numRuns: long(300, 15) },
  );
});

async function carryOut(live: LiveSwitch, op: string, one: Entry): Promise<boolean> {
  const key = `grp ${one.grp} dst ${one.dst} src_vni 12${one.src === undefined ? '' : ` src ${one.src}`}`;
  const lines: Record<string, string> = { del: `del ${key}`, flush: `flush dst ${one.dst}` };
  if (op === 'again') return true;
  return mdb(live, lines[op] ?? `${op} ${wordsOf(one)}`).then(
    () => true,
    () => false,
  );
}
