/**
 * Known flows that the kernel carries (`offloads.flow`): between the ends of veth pairs, as the switch has decided them, counted as
 * if they had passed an engine.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { clientOf, expectReach, give, startWith } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { filteringBridge, type Guest, type Host, plainBridge, tapPort, twoHosts } from './topologies.js';
import { numbered, ping, tool } from './traffic.js';
import { cabledGuest, expectBalance, expectTransfer, MB, makeGuest, succeed, VNI } from './two-hosts.js';

const BYTES = long(100, 10) * MB;
const FLOW = 'offloads: { flow: auto }\n';

let world: World;
let host: string;

beforeEach(async () => {
  world = new World();
  host = await world.netns('host');
});

afterEach(() => world.cleanUp());

const cabled = (number: number, port: string): Promise<Guest> => cabledGuest(world, host, number, port);

const netdevPort = (port: string, more = ''): string => `      ${port}: { type: netdev${more} }\n`;

/** Two guests at the ports p1 and p2 of a bridge whose known flows the kernel may carry. */
async function pair(): Promise<{ a: Guest; b: Guest; sw: RunningSwitch }> {
  const [a, b] = [await cabled(1, 'p1'), await cabled(2, 'p2')];
  const ports = plainBridge(netdevPort('p1'), netdevPort('p2'));
  return { a, b, sw: await startWith(world, host, 'flow', `${FLOW}bridges:\n${ports}`) };
}

async function offloaded(sw: RunningSwitch, port: string): Promise<{ rx: number; tx: number }> {
  const { offloaded: carried } = (await settledStats(sw)).links[port];
  return { rx: carried?.rx_packets ?? 0, tx: carried?.tx_packets ?? 0 };
}

describe('between two interfaces', () => {
  test('TCP is carried by the kernel, counted, and shown', async () => {
    const { a, b, sw } = await pair();
    await expectReach(world, a, b);
    await expectTransfer(world, a, b, BYTES, 'carried by the kernel');
    const stats = await settledStats(sw);
    const carried = stats.links.p1.offloaded;
    expect(carried?.rx_bytes).toBeGreaterThan(BYTES * 0.9);
    expect(stats.links.p2.offloaded).toMatchObject({ tx_packets: carried?.rx_packets, tx_bytes: carried?.rx_bytes });
    await expectBalance(sw);
    const rows = JSON.parse(await give(sw, '-j fdb show'));
    for (const { mac } of [a, b])
      expect(rows).toContainEqual(expect.objectContaining({ mac, flags: expect.arrayContaining(['offload']) }));
    const trace = await give(sw, `trace p1 src ${a.mac} dst ${b.mac} type 0800`);
    expect(trace).toContain('The kernel carries this flow');
  });

  test('in VLANs, with a tag on one cable', async () => {
    const a = await cabled(1, 'p1');
    const b = await cabled(2, 'p2');
    const trunk = ', vlans: [{ vid: 10 }]';
    const access = '[{ vid: 10, pvid: true, untagged: true }]';
    const ports = [netdevPort('p1', trunk), netdevPort('p2', `, vlans: ${access}`)];
    const sw = await startWith(world, host, 'flow', `${FLOW}bridges:\n${filteringBridge(...ports)}`);
    // The tag is put on by a switch of the guest's own.
    const inside = await makeGuest(world, 5);
    const within = filteringBridge(netdevPort('eth0', trunk), tapPort('tap5', inside, access));
    const inner = await startWith(world, a.netns, 'inner', `bridges:\n${within}`);
    await expectTransfer(world, inside, b, BYTES, 'tagged to untagged, carried by the kernel');
    await expectTransfer(world, b, inside, BYTES, 'untagged to tagged, carried by the kernel');
    const { links } = await settledStats(sw);
    expect(links.p1.offloaded?.rx_bytes).toBeGreaterThan(BYTES * 0.9);
    expect(links.p1.offloaded?.tx_bytes).toBeGreaterThan(BYTES * 0.9);
    expect(links.p1.vlans?.[10].rx_packets).toBeGreaterThanOrEqual(links.p1.offloaded?.rx_packets ?? 0);
    // Four bytes of tag on one side.
    const { offloaded: near } = links.p1;
    const { offloaded: far } = links.p2;
    expect((near?.rx_bytes ?? 0) - (far?.tx_bytes ?? 0)).toBe(4 * (near?.rx_packets ?? 0));
    await expectBalance(sw, inner);
  });

  test('several engines share the table', async () => {
    const a = await cabled(1, 'p1');
    const b = await cabled(2, 'p2');
    const lines = `workers: 2\n${FLOW}bridges:\n${plainBridge(netdevPort('p1'), netdevPort('p2'))}`;
    const sw = await startWith(world, host, 'flow', lines);
    await expectReach(world, a, b);
    await expectTransfer(world, a, b, BYTES, 'two workers, carried by the kernel');
    expect((await offloaded(sw, 'p1')).rx).toBeGreaterThan(0);
    await expectBalance(sw);
  });

  test('a capture takes the flows back', async () => {
    const { a, b, sw } = await pair();
    await expectReach(world, a, b);
    await until('the flow is carried', async () => {
      await ping(world, a.netns, b.address, { count: 5 });
      return (await offloaded(sw, 'p1')).rx > 0;
    });
    const ended = new AbortController();
    const capture = clientOf(sw).capture(ended.signal);
    const first = await capture.next();
    expect(first.done).toBe(false);
    const before = await offloaded(sw, 'p1');
    const { received } = await ping(world, a.netns, b.address, { count: 20 });
    expect(received).toBe(20);
    expect(await offloaded(sw, 'p1')).toEqual(before);
    ended.abort();
    await capture.return(undefined).catch(() => undefined);
    await expectBalance(sw);
  });

  test('a mirror takes the flows back, until it is off', async () => {
    const [a, b] = [await cabled(1, 'p1'), await cabled(2, 'p2')];
    const analyser = await makeGuest(world, 3);
    const ports = plainBridge(netdevPort('p1'), netdevPort('p2'), tapPort('span', analyser));
    const sw = await startWith(world, host, 'flow', `${FLOW}bridges:\n${ports}`);
    await expectReach(world, a, b);
    const becomesCarried = async (): Promise<void> => {
      const { rx } = await offloaded(sw, 'p1');
      await until('the flow is carried', async () => {
        await ping(world, a.netns, b.address, { count: 5 });
        return (await offloaded(sw, 'p1')).rx > rx;
      });
    };
    await becomesCarried();
    await give(sw, 'link set span type bridge_slave mirror both mirror_ports p1');
    const before = await settledStats(sw);
    expect((await ping(world, a.netns, b.address, { count: 20 })).received).toBe(20);
    const after = await settledStats(sw);
    expect(after.links.p1.offloaded).toEqual(before.links.p1.offloaded);
    // Each request and each answer.
    expect(after.links.span.tx_packets - before.links.span.tx_packets).toBeGreaterThanOrEqual(40);
    await give(sw, 'link set span type bridge_slave mirror off');
    await becomesCarried();
    await expectBalance(sw);
  });

  test('an upgrade goes on, without the rows of the process before', async () => {
    const { a, b, sw } = await pair();
    await expectTransfer(world, a, b, BYTES, 'before the upgrade');
    const before = await offloaded(sw, 'p1');
    expect(before.rx).toBeGreaterThan(0);
    await give(sw, 'upgrade');
    expect((await offloaded(sw, 'p1')).rx).toBeGreaterThanOrEqual(before.rx);
    await expectTransfer(world, a, b, BYTES, 'after the upgrade');
    expect((await offloaded(sw, 'p1')).rx).toBeGreaterThan(before.rx);
    await expectBalance(sw);
  });
});

interface Far {
  a: Guest;
  b: Guest;
  hosts: [Host, Host];
  switches: [RunningSwitch, RunningSwitch];
}

/** Two hosts with a guest each, and a tunnel between them. @param settings of the vxlan port @param ports of the bridge, with that port */
async function farGuests(
  settings: string,
  local: (host: Host) => string = ({ address }) => address,
  isIpv6 = false,
  floods = true,
): Promise<Far> {
  const hosts = await twoHosts(world);
  for (const own of isIpv6 ? hosts : []) {
    await succeed(world, own.netns, ['sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=0']);
    await world.ip(own.netns, `address add ${local(own)}/64 dev eth0 nodad`);
  }
  const guests: Guest[] = [];
  const switches: RunningSwitch[] = [];
  for (const [at, { netns }] of hosts.entries()) {
    host = netns;
    guests.push(await cabled(at + 1, `p${at + 1}`));
    await world.ip(guests[at].netns, `link set ${guests[at].ifname} mtu 1400`);
  }
  for (const [at, own] of hosts.entries()) {
    const far = hosts[1 - at];
    // One that does not flood knows its remote as a sender all the same.
    const remote = floods || at === 1 ? `, remotes: ["${local(far)}"]` : '';
    const ends = `local: "${local(own)}"${remote}`;
    const tunnel = `      vxlan0: { type: vxlan, id: ${VNI}, ${ends}, ${settings} }\n`;
    const lines = `${FLOW}bridges:\n${plainBridge(netdevPort(`p${at + 1}`), tunnel)}`;
    switches.push(await startWith(world, own.netns, `host${at}`, lines));
  }
  return { a: guests[0], b: guests[1], hosts, switches: switches as [RunningSwitch, RunningSwitch] };
}

describe('through a tunnel without UDP checksums', () => {
  const ADDRESSES = [
    { over: 'IPv4', local: ({ address }: Host) => address },
    { over: 'IPv6', local: ({ address }: Host) => `2001:db8::${address.slice(-1)}` },
  ];

  test.each(ADDRESSES)(
    'over $over: datagrams are carried both ways, counted by remote and VNI',
    async ({ over, local }) => {
      const { a, b, switches } = await farGuests('udpcsum: false', local, over === 'IPv6');
      await expectReach(world, a, b);
      const count = long(20_000, 4000);
      for (const [from, to] of [
        [a, b],
        [b, a],
      ]) {
        const { sent, received } = await numbered(world, from.netns, to.netns, to.address, { flows: 16, count });
        expect(received).toMatchObject({ received: sent.sent, twice: 0, flows: 16 });
      }
      await expectBalance(...switches);
      for (const [at, sw] of switches.entries()) {
        const { links, remotes, vnis } = await settledStats(sw);
        const carried = links[`p${at + 1}`].offloaded;
        expect(carried?.rx_packets).toBeGreaterThan(count / 2);
        expect(carried?.tx_packets).toBeGreaterThan(count / 2);
        expect(links.vxlan0.offloaded).toMatchObject({
          tx_packets: carried?.rx_packets,
          rx_packets: carried?.tx_packets,
        });
        const [remote] = Object.values(remotes);
        expect(remote.tx_packets).toBe(links.vxlan0.tx_packets);
        expect(remote.rx_packets).toBe(links.vxlan0.rx_packets);
        expect(vnis[VNI].tx_packets).toBe(links.vxlan0.tx_packets);
      }
    },
  );
});

test.each(['udpcsum: false', 'udpcsum: true', 'udpcsum: false, tos: inherit, ttl: 9, df: set'])(
  'TCP through a tunnel with %s has an equal hash',
  async (settings) => {
    const { a, b, switches } = await farGuests(settings);
    await expectReach(world, a, b);
    await expectTransfer(world, a, b, BYTES, `tunnel with ${settings}`);
    await expectTransfer(world, b, a, BYTES, `tunnel with ${settings}, back`);
    await expectBalance(...switches);
    const { links } = await settledStats(switches[0]);
    // With checksums nothing goes in.
    if (settings === 'udpcsum: true') expect(links.vxlan0.offloaded?.tx_packets ?? 0).toBe(0);
    else {
      // The path MTU may have become known after the transfers.
      await until('the tunnel is carried', async () => {
        await ping(world, a.netns, b.address, { count: 5 });
        return (await offloaded(switches[0], 'vxlan0')).tx > 0;
      });
    }
  },
);

/** The kernel marks frames of a tunnel, and puts no second header before such a frame. */
test.each(
  cases(
    [
      { over: 'IPv4', local: ({ address }: Host) => address, kind: 'vxlan id 7 dstport 8472 noudpcsum' },
      { over: 'IPv6', local: ({ address }: Host) => `2001:db8::${address.slice(-1)}`, kind: 'vxlan id 7 dstport 8472' },
    ],
    1,
  ),
)("a tunnel of the guests' own goes through one over $over", async ({ over, local, kind }) => {
  const { a, b, switches } = await farGuests('udpcsum: false', local, over === 'IPv6');
  const ends: Guest[] = [];
  for (const [at, guest] of [a, b].entries()) {
    const own = { ...guest, ifname: 'own', address: `198.19.0.${at + 1}` };
    const [near, far] = at === 0 ? [a, b] : [b, a];
    await world.ip(guest.netns, `link add own mtu 1300 type ${kind} local ${near.address} remote ${far.address}`);
    await world.ip(guest.netns, 'link set own up');
    await world.address(own, `${own.address}/24`);
    ends.push(own);
  }
  const [one, other] = ends;
  await expectReach(world, one, other);
  const { sent, received } = await numbered(world, one.netns, other.netns, other.address, { flows: 4, count: 2000 });
  expect(received).toMatchObject({ received: sent.sent, twice: 0 });
  await expectTransfer(world, one, other, BYTES, `a tunnel of the guests' own over ${over}`);
  await expectBalance(...switches);
});

test('superframes come out of a tunnel whole; what that takes goes with the process', async () => {
  const { a, b, hosts, switches } = await farGuests('udpcsum: false');
  await expectReach(world, a, b);
  await until('the tunnel is carried both ways', async () => {
    await ping(world, a.netns, b.address, { count: 5 });
    const { rx, tx } = await offloaded(switches[1], 'vxlan0');
    return rx > 0 && tx > 0;
  });
  const before = (await settledStats(switches[1])).links.vxlan0.offloaded;
  await expectTransfer(world, a, b, BYTES, 'superframes out of a tunnel');
  const after = (await settledStats(switches[1])).links.vxlan0.offloaded;
  const bytes = (after?.rx_bytes ?? 0) - (before?.rx_bytes ?? 0);
  const frames = (after?.rx_packets ?? 0) - (before?.rx_packets ?? 0);
  expect(bytes).toBeGreaterThan(BYTES * 0.9);
  // The guests have an MTU of 1,400.
  expect(bytes / frames).toBeGreaterThan(2800);
  await expectBalance(...switches);
  const links = (): Promise<string> => succeed(world, hosts[1].netns, ['ip', '-o', 'link']);
  expect(await links()).toMatch(/otdecap0@.*otvxlan0@/s);
  await switches[1].stop('SIGKILL');
  await until('the devices are gone', async () => !/otdecap|otvxlan/.test(await links()));
});

test('a peer with a device of the kernel', async () => {
  const hosts = await twoHosts(world);
  host = hosts[0].netns;
  const a = await cabled(1, 'p1');
  await world.ip(a.netns, 'link set eth0 mtu 1400');
  const tunnel = `      vxlan0: { type: vxlan, id: ${VNI}, local: ${hosts[0].address}, remotes: [${hosts[1].address}], udpcsum: false }\n`;
  const sw = await startWith(world, host, 'flow', `${FLOW}bridges:\n${plainBridge(netdevPort('p1'), tunnel)}`);
  const ends = `local ${hosts[1].address} remote ${hosts[0].address} dstport 4789 noudpcsum`;
  await world.ip(hosts[1].netns, `link add vx0 mtu 1400 type vxlan id ${VNI} ${ends}`);
  await world.ip(hosts[1].netns, 'link set vx0 up');
  const far = { netns: hosts[1].netns, ifname: 'vx0', address: '198.18.0.99', mac: '' };
  await world.address(far, '198.18.0.99/24');
  await expectReach(world, a, far);
  const { sent, received } = await numbered(world, a.netns, far.netns, far.address, {
    flows: 16,
    count: 4000,
    answers: 1,
  });
  expect(received).toMatchObject({ received: sent.sent, twice: 0 });
  expect(sent.answers).toBe(sent.sent);
  await expectTransfer(world, a, far, BYTES, 'to a device of the kernel');
  await expectTransfer(world, far, a, BYTES, 'from a device of the kernel');
  const { links } = await settledStats(sw);
  expect(links.vxlan0.offloaded?.tx_packets).toBeGreaterThan(2000);
  expect(links.vxlan0.offloaded?.rx_packets).toBeGreaterThan(2000);
  await expectBalance(sw);
});

/** Cables g1-p1 and so on within the host, and an underlay. */
async function bareCables(numbers: readonly number[]): Promise<void> {
  for (const number of numbers) {
    await world.ip(host, `link add g${number} mtu 9000 type veth peer name p${number} mtu 9000`);
    for (const end of ['g', 'p']) await world.ip(host, `link set ${end}${number} up`);
  }
  // The underlay, whose other end is read and written as a wire.
  await world.ip(host, 'link add u0 mtu 9000 type veth peer name u1 mtu 9000');
  for (const end of ['u0', 'u1']) await world.ip(host, `link set ${end} up`);
  await world.ip(host, 'address add 192.0.2.1/24 dev u0');
  await world.ip(host, 'neigh add 192.0.2.2 lladdr 02:00:00:00:09:01 dev u0 nud permanent');
}

/** `tools/flow-churn.ts` */
test('a frame goes where its own row leads, while rows come and go', async () => {
  await bareCables([1, 2, 3]);
  const ended = await world.exec(host, tool('flow-churn', long(60_000, 4000)), { limitMs: 120_000 });
  expect(ended.status, ended.stderr).toBe(0);
  const answer = JSON.parse(ended.stdout);
  console.log(ended.stdout);
  expect(answer.vnis).toEqual([42, null, 43]);
  expect(answer.carried).toBeGreaterThan(1000);
  expect(answer.astray).toBe(0);
});

/** Random changes and frames, with and without: `tools/flow-model.ts`. OVERTAP_SEED: others. */
test('the same frames, counters and entries as without', { timeout: 3_600_000 }, async () => {
  await bareCables([1, 2, 3, 4]);
  const seed = Number(process.env.OVERTAP_SEED ?? 1);
  const count = long(10_000, 200);
  const ended = await world.exec(host, tool('flow-model', seed, count), { limitMs: 3_500_000 });
  const answer = JSON.parse(ended.stdout);
  expect(answer.fault, `seed ${answer.fault?.seed}`).toBeUndefined();
  console.log(ended.stdout);
  expect(answer.sequences).toBe(count);
  expect(answer.carried).toBeGreaterThan(count);
  expect(answer.into).toBeGreaterThan(count / 10);
  expect(answer.outOf).toBeGreaterThan(count / 10);
});

describe('what is taken back under load does not come any more when the command has returned', () => {
  const TIMES = long(1000, 20);

  interface Withdrawn {
    late: number;
    frames: number;
    elsewhere: number;
    offloaded: number;
    longest: number;
  }

  async function withdraw(
    sw: RunningSwitch,
    guests: readonly Guest[],
    change: unknown,
    undo: unknown,
  ): Promise<Withdrawn> {
    const ends = guests.map(({ netns, ifname }) => `${netns}/${ifname}`);
    const head = `${guests[1].mac}${guests[0].mac}`.replaceAll(':', '') + '0800';
    const words = [sw.control, ...ends, TIMES, JSON.stringify(change), JSON.stringify(undo), head];
    const ended = await run(tool('flow-load', ...words), { limitMs: 3_500_000 });
    expect(ended.status, ended.stderr).toBe(0);
    const answer = JSON.parse(ended.stdout) as Withdrawn;
    console.log(JSON.stringify(answer));
    expect(answer.late).toBe(0);
    expect(answer.offloaded).toBeGreaterThan(TIMES * 1000);
    await expectBalance(sw);
    return answer;
  }

  async function start(ports: (more: string) => string): Promise<{ sw: RunningSwitch; guests: Guest[] }> {
    const guests = [await cabled(1, 'p1'), await cabled(2, 'p2'), await cabled(3, 'p3')];
    const sw = await startWith(world, host, 'flow', `${FLOW}bridges:\n${ports('')}`);
    return { sw, guests };
  }

  const plain = (): string => plainBridge(netdevPort('p1', ', isolated: true'), netdevPort('p2'), netdevPort('p3'));

  test('a VLAN', { timeout: 3_600_000 }, async () => {
    const access = ', vlans: [{ vid: 10, pvid: true, untagged: true }]';
    const { sw, guests } = await start(() =>
      filteringBridge(...['p1', 'p2', 'p3'].map((port) => netdevPort(port, access))),
    );
    const entry = ['/v1/fdb', { op: 'add', mac: guests[1].mac, dev: 'p2', vlan: 10, state: 'static' }];
    await give(sw, `fdb add ${guests[1].mac} dev p2 master vlan 10 static`);
    const add = ['/v1/vlans', { op: 'add', dev: 'p2', vid: 10, pvid: true, untagged: true }];
    await withdraw(sw, guests, ['/v1/vlans', { op: 'del', dev: 'p2', vid: 10 }], [add, entry]);
  });

  test('a port that is isolated', { timeout: 3_600_000 }, async () => {
    const { sw, guests } = await start(plain);
    await give(sw, `fdb add ${guests[1].mac} dev p2 master static`);
    const set = (isolated: boolean): unknown => ['/v1/links', { op: 'set', name: 'p2', options: { isolated } }];
    const { elsewhere } = await withdraw(sw, guests, set(true), [set(false)]);
    expect(elsewhere).toBe(0);
  });

  test('a MAC that moves', { timeout: 3_600_000 }, async () => {
    const { sw, guests } = await start(plain);
    const at = (dev: string): unknown => ['/v1/fdb', { op: 'replace', mac: guests[1].mac, dev, state: 'static' }];
    await give(sw, `fdb add ${guests[1].mac} dev p2 master static`);
    const { elsewhere } = await withdraw(sw, guests, at('p3'), [at('p2')]);
    expect(elsewhere).toBeGreaterThan(TIMES * 100);
  });

  test('a remote', { timeout: 3_600_000 }, async () => {
    const { a, b, hosts, switches } = await farGuests('udpcsum: false', undefined, false, false);
    const [near, far] = switches;
    host = hosts[0].netns;
    const c = await cabled(3, 'p3');
    await give(far, `fdb add ${b.mac} dev p2 master static`);
    const entry = { mac: b.mac, dev: 'vxlan0', dst: hosts[1].address };
    const add = ['/v1/fdb', { op: 'add', ...entry, state: 'static' }];
    await give(near, `fdb add ${b.mac} dev vxlan0 dst ${hosts[1].address} static`);
    const { elsewhere } = await withdraw(near, [a, b, c], ['/v1/fdb', { op: 'del', ...entry }], [add]);
    expect(elsewhere).toBe(0);
  });
});
