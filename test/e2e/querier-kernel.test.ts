/**
 * The querier and source filters beside the kernel's: election between the switch and a kernel bridge behind a tunnel, in both directions;
 * sockets of real guests that join without any other querier; and the same random reports for the kernel's database and for the switch's.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MdbAnswer } from '../../src/api/api.js';
import type { Program } from '../../src/lab/testbed/program.js';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import { toHex } from '../../src/wire/bytes.js';
import { SnoopingSwitch } from '../conformance/support/snooping.js';
import { igmpV3Frame, mldV2Frame } from '../dataplane/support/group-traffic.js';
import { long } from '../long.js';
import { World } from './host-testbed.js';
import { clientOf, give, startWith } from './live-support.js';
import { sniff } from './sniffer.js';
import { plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { inject, tool } from './traffic.js';
import { makeGuest, succeed, VNI } from './two-hosts.js';

const GROUP = '239.1.2.3';
/** Of the overlay: the lower one wins. */
const LOW = '198.18.0.100';
const HIGH = '198.18.0.200';
const FAST =
  'mcast_query_response_interval 100 mcast_querier_interval 300 mcast_query_interval 100 mcast_startup_query_interval 100';

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

/** A switch on host 1 and a kernel bridge on host 2, joined by a tunnel. */
async function joined(own: string, kernel: string) {
  const [one, two] = await twoHosts(world);
  const bridge = `  br1:
    host_port: true
    addresses: ["${own}/24"]
    mcast_query_use_ifaddr: true
    mcast_query_response_interval: 100
    mcast_querier_interval: 300
    mcast_query_interval: 100
    mcast_startup_query_interval: 100
    ports:
${singlePort(one.address, [two.address], VNI)}`;
  const sw = await startWith(world, one.netns, 'host1', `bridges:\n${bridge}`);
  const vxlan = `type vxlan id ${VNI} remote ${one.address} local ${two.address} dstport 4789`;
  await world.ip(two.netns, `link add vx0 ${vxlan}`);
  await world.ip(two.netns, `link add brk type bridge mcast_snooping 1 mcast_query_use_ifaddr 1 ${FAST}`);
  await world.ip(two.netns, `addr add ${kernel}/24 dev brk`);
  await world.ip(two.netns, 'link set vx0 master brk');
  await world.ip(two.netns, 'link set vx0 up');
  await world.ip(two.netns, 'link set brk up');
  // The kernel's router ports: where it has heard a querier.
  const kernelRouters = async (): Promise<string[]> => {
    const text = await succeed(world, two.netns, ['bridge', '-j', '-d', 'mdb', 'show', 'dev', 'brk']);
    const [{ router }] = JSON.parse(text) as [{ router: { brk?: { port: string }[] } }];
    return (router.brk ?? []).map(({ port }) => port);
  };
  const routers = async (): Promise<MdbAnswer['router']> => (await clientOf(sw).get('/v1/mdb')).router;
  const wire = await sniff(world, { netns: two.netns, ifname: 'vx0' }, 'igmp');
  /** Waits for one more query from an address, while none from the other one is seen. */
  const asks = async (address: string): Promise<void> => {
    const from = wire.packets.length;
    await until(`a query of ${address}`, () => wire.packets.slice(from).some(({ ip }) => ip?.source === address));
  };
  return { sw, asks, wire, routers, kernelRouters, kernelNetns: two.netns, peer: two.address };
}

test('a kernel bridge follows the switch as querier, and the switch a kernel bridge with a lower address', async () => {
  const { sw, asks, wire, routers, kernelRouters, kernelNetns, peer } = await joined(HIGH, LOW);
  await give(sw, 'link set br1 type bridge mcast_querier 1');
  await asks(HIGH);
  await until('the kernel knows the querier', async () => (await kernelRouters()).includes('vx0'));
  expect(await routers()).toEqual([]);
  // The kernel begins when it has not heard the switch for its interval.
  await give(sw, 'link set br1 type bridge mcast_querier 0');
  await world.ip(kernelNetns, 'link set brk type bridge mcast_querier 1');
  await asks(LOW);
  await until('the switch knows the querier', async () => (await routers()).length > 0);
  expect(await routers()).toMatchObject([{ dev: 'br1', port: 'vxlan0', dst: peer, type: 'temp' }]);
  // With a higher address the switch does not begin.
  await give(sw, 'link set br1 type bridge mcast_querier 1');
  const from = wire.packets.length;
  await asks(LOW);
  await asks(LOW);
  expect(wire.packets.slice(from).filter(({ ip }) => ip?.source === HIGH)).toEqual([]);
  expect(await routers()).toHaveLength(1);
  // The kernel is silent: the switch takes over.
  await world.ip(kernelNetns, 'link set brk type bridge mcast_querier 0');
  await asks(HIGH);
  await until('the switch has no router any more', async () => (await routers()).length === 0);
});

test('guests join without any other querier, all sources or one, and leave', async () => {
  const [host] = await twoHosts(world);
  const guests = [await makeGuest(world, 1), await makeGuest(world, 2), await makeGuest(world, 3)];
  const taps = guests.map((guest, number) => tapPort(`tap${number + 1}`, guest));
  const options = `    mcast_querier: true
    mcast_igmp_version: 3
    mcast_query_response_interval: 30
    mcast_last_member_interval: 30
`;
  const bridges = plainBridge(...taps).replace('    ports:', `${options}    ports:`);
  const sw = await startWith(world, host.netns, 'host1', `bridges:\n${bridges}`);
  const [sender, other, member] = guests;
  const rows = async (): Promise<MdbAnswer['mdb']> =>
    (await clientOf(sw).get('/v1/mdb')).mdb.filter(({ grp }) => grp === GROUP);
  const send = async ({ netns, address, ifname }: typeof sender, text: string): Promise<void> => {
    await succeed(world, netns, tool('group', 'send', GROUP, address, ifname, text));
  };
  const join = async (...source: string[]): Promise<Program> => {
    const place = [GROUP, member.address, member.ifname];
    const command = source.length === 0 ? tool('group', 'join', ...place) : tool('source-group', ...place, ...source);
    const program = world.spawn(member.netns, command);
    await program.line('the group is joined', (line) => line.includes('joined'));
    return program;
  };
  const heard = ({ lines }: Program, text: string): boolean => lines.some((line) => line.includes(`"${text}"`));
  const bystander = await sniff(world, other, `udp and dst host ${GROUP}`);
  const wire = await sniff(world, member, `udp and dst host ${GROUP}`);

  const all = await join();
  await until('the report is heard', async () => (await rows()).length === 1);
  expect(await rows()).toMatchObject([{ port: 'tap3', filter_mode: 'exclude', state: 'temp', protocol: 'kernel' }]);
  // Once the first query must have been answered.
  const before = bystander.packets.length;
  await until('it is restricted', async () => {
    const seen = bystander.packets.length;
    await send(sender, 'asked');
    await quietFor(100);
    return bystander.packets.length === seen;
  });
  const flooded = bystander.packets.length;
  expect(flooded).toBeGreaterThanOrEqual(before);
  await send(sender, 'all');
  await until('it arrives', () => heard(all, 'all'));
  await all.stop('SIGTERM');
  await until('the member has left', async () => (await rows()).length === 0);

  const one = await join(sender.address);
  await until('the source is named', async () => (await rows()).some(({ src }) => src === sender.address));
  const from = wire.packets.length;
  await send(other, 'of another');
  await send(sender, 'of the source');
  await until('it arrives', () => heard(one, 'of the source'));
  await quietFor();
  // The switch has sent the one, not the guest's kernel sorted out the other.
  expect(wire.packets.length - from).toBe(1);
  // Its own datagram alone.
  expect(bystander.packets.length).toBe(flooded + 1);
  await one.stop('SIGTERM');
  await until('the member has left', async () => (await rows()).length === 0);
});

// ---- The same reports for the kernel ----

const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_130);
/** Groups, each with reports of its own: the kernel has all of them in one listing. */
const SEQUENCES = long(400, 60);

interface KernelRow {
  port: string;
  grp: string;
  src?: string;
  state: string;
  filter_mode: string;
  source_list?: { address: string; timer: string }[];
  protocol: string;
  flags: string[];
}

type Report = { port: 1 | 2; type: number; sources: number[] };
const REPORT: fc.Arbitrary<Report> = fc.record({
  port: fc.constantFrom(1 as const, 2 as const),
  type: fc.constantFrom(1, 2, 3, 4, 5, 6),
  sources: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 4 }),
});

type Comparable = Pick<KernelRow, 'port' | 'grp' | 'src' | 'state' | 'protocol' | 'flags'> & {
  filter_mode?: string;
  source_list?: { address: string; timer: string | number }[];
};

/** What is the same whenever it is looked at. */
function comparable(row: Comparable): string {
  const list = (row.source_list ?? []).map(
    ({ address, timer }) => `${address} ${Number(timer) > 0 ? 'runs' : 'stopped'}`,
  );
  const { port, grp, src, state, filter_mode, protocol, flags } = row;
  return JSON.stringify({ port, grp, src, state, filter_mode, protocol, flags, list: list.sort() });
}

test.each([
  ['IGMPv3', (n: number) => `239.7.${n >> 8}.${n & 255}`, (n: number) => `192.0.2.${n}`],
  ['MLDv2', (n: number) => `ff0e::7:${n.toString(16)}`, (n: number) => `2001:db8::${n}`],
])('%s: the database is that of the kernel, whatever is reported', async (name, group, source) => {
  const netns = await world.netns('bridge', { ipv6: true });
  const slow = 'mcast_last_member_interval 6000 mcast_querier 1 mcast_igmp_version 3 mcast_mld_version 2';
  await world.ip(netns, `link add brk type bridge mcast_snooping 1 ${slow}`);
  await world.ip(netns, 'link set brk up');
  for (const port of [1, 2]) {
    await world.ip(netns, `link add t${port} type veth peer name h${port}`);
    await world.ip(netns, `link set t${port} master brk`);
    for (const end of ['t', 'h']) await world.ip(netns, `link set ${end}${port} up`);
  }
  const own = new SnoopingSwitch({ mcast_last_member_interval: 6000 });
  const sequences = fc.sample(fc.array(REPORT, { minLength: 1, maxLength: 7 }), { seed: SEED, numRuns: SEQUENCES });
  const frameOf = (n: number, { type, sources }: Report): Uint8Array => {
    const records = [{ type, group: group(n), sources: sources.map(source) }];
    return name === 'IGMPv3' ? igmpV3Frame(records) : mldV2Frame(records);
  };
  // Groups do not touch each other: the first report of each by the one port and by the other, then the second, and so on.
  for (let turn = 0; sequences.some((reports) => turn < reports.length); turn++) {
    for (const port of [1, 2]) {
      const frames = sequences.flatMap((reports, n) => (reports[turn]?.port === port ? frameOf(n, reports[turn]) : []));
      for (const frame of frames) own.send(`t${port}`, frame);
      for (let at = 0; at < frames.length; at += 100) {
        await inject(world, { netns, ifname: `h${port}` }, ...frames.slice(at, at + 100).map(toHex));
      }
    }
  }
  const groups = new Set(sequences.map((_, n) => group(n)));
  const text = await succeed(world, netns, ['bridge', '-j', '-d', '-s', 'mdb', 'show', 'dev', 'brk']);
  const [{ mdb }] = JSON.parse(text) as [{ mdb: KernelRow[] }];
  const mine = own.mdb.rows(own.now).mdb;
  // The kernel keeps members that have blocked or allowed nothing for good.
  const kernel = mdb.filter((row) => row.src !== undefined || row.filter_mode === 'exclude' || row.source_list);
  const rowsOf = (rows: readonly Comparable[], isDerived: boolean): string[] =>
    rows
      .filter(({ grp, flags }) => groups.has(grp) && flags.includes('added_by_star_ex') === isDerived)
      .map(comparable)
      .sort();
  expect(rowsOf(mine, false), `seed ${SEED}`).toEqual(rowsOf(kernel, false));
  // Those that it does not derive again when a member in EXCLUDE names a source no more: such a member would go without.
  expect(rowsOf(mine, true)).toEqual(expect.arrayContaining(rowsOf(kernel, true)));
});
