/**
 * Two engines on each host: one switch all the same. Transfers, accounts, FDB, flooding, the order of each flow, the end,
 * and a second switch that wants the same address and port.
 */
import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import { cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { sniff } from './sniffer.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { BROADCAST, experimentalFrame, inject, numbered, ping } from './traffic.js';
import { expectBalance, expectTransfer, MB, makeGuest, startPair, startSwitch, succeed, VNI } from './two-hosts.js';

const WORKERS = 'workers: 2\n';
const STREAMS = 4;
/** Of a stream, in MB. */
const LENGTH = long(40, 15);

describe('two engines on each host', () => {
  const world = new World();
  let hosts: [Host, Host];
  /** Two a host: 1 and 2 on the first, 3 and 4 on the second. */
  let guests: Guest[];
  let switches: RunningSwitch[];

  beforeAll(async () => {
    hosts = await twoHosts(world);
    guests = [];
    for (const number of [1, 2, 3, 4]) guests.push(await makeGuest(world, number));
    switches = await startPair(world, hosts, [guests.slice(0, 2), guests.slice(2)], [WORKERS, WORKERS]);
  });

  afterAll(() => world.cleanUp());

  test('have a queue of each TAP and a receiving socket of their own', async () => {
    for (const [index, sw] of switches.entries()) {
      expect(await sw.logged('what is used', ({ msg }) => msg === 'engine')).toMatchObject({ workers: 2 });
      const sockets = await succeed(world, hosts[index].netns, ['cat', '/proc/net/udp']);
      expect(sockets.match(/^ *\d+: [0-9A-F]{8}:12B5 /gm)).toHaveLength(2);
    }
    for (const { netns, ifname } of guests) {
      const queues = await succeed(world, netns, ['ls', `/sys/class/net/${ifname}/queues`]);
      expect(queues.match(/^tx-\d+$/gm)).toHaveLength(2);
    }
  });

  test('all guests ping each other', async () => {
    for (const from of guests)
      for (const to of guests.filter((guest) => guest !== from)) {
        const result = await ping(world, from.netns, to.address);
        expect(result, result.output).toMatchObject({ sent: 3, received: 3, duplicates: 0 });
      }
  });

  const ways = [
    {
      way: 'both ways at once',
      ends: [
        [0, 2],
        [3, 1],
      ],
    },
    { way: 'there', ends: [[0, 2]] },
    { way: 'back', ends: [[2, 0]] },
  ];
  test.each(cases(ways, 1))(
    '$way, 4 TCP transfers in parallel arrive with equal hashes, and the accounts balance',
    async ({ way, ends }) => {
      const transfers = ends.flatMap(([from, to]) =>
        Array.from({ length: STREAMS }, (_, number) =>
          expectTransfer(world, guests[from], guests[to], LENGTH * MB, `2 engines, ${way}, stream ${number + 1}`),
        ),
      );
      await Promise.all(transfers);
      await expectBalance(...switches);
    },
  );

  test('fdb show has each MAC once, where it is', async () => {
    for (const [index, sw] of switches.entries()) {
      const rows = (await sw.fdb()).filter(({ state }) => state === 'dynamic');
      const expected = guests.map(({ mac }, number) =>
        Math.floor(number / 2) === index
          ? { mac, ifname: `tap${number % 2}` }
          : { mac, ifname: 'vxlan0', dst: hosts[1 - index].address, vni: VNI },
      );
      const shown = rows.map(({ mac, ifname, dst, vni }) =>
        dst === undefined ? { mac, ifname } : { mac, ifname, dst, vni },
      );
      expect(shown.sort((a, b) => a.mac.localeCompare(b.mac))).toEqual(expected);
      const { fdb } = await settledStats(sw);
      expect(fdb).toMatchObject({ moved: 0, refused: 0 });
    }
  });

  test('a broadcast comes exactly once to each other guest, whichever engine takes it', async () => {
    const sniffers = await Promise.all(guests.map((guest) => sniff(world, guest, 'ether proto 0x88b5')));
    const texts: string[] = [];
    // Different sources, since a TAP's queue is chosen by the flow, and for these frames that is the addresses.
    for (const [number, guest] of guests.entries())
      for (let source = 0; source < 8; source++) {
        const text = `from guest ${number}, source ${source}`;
        texts.push(text);
        const mac = `02:00:00:0${number}:aa:0${source}`;
        await inject(world, guest, experimentalFrame({ destination: BROADCAST, source: mac, text }));
      }
    for (const sniffer of sniffers) {
      const all = (): boolean => texts.every((text) => sniffer.experimental(text).length > 0);
      await until('all broadcasts were seen', all);
    }
    await quietFor();
    for (const [number, sniffer] of sniffers.entries()) {
      // A guest that sends sees its own frame once, on its way out.
      for (const text of texts) expect(sniffer.experimental(text), `${text}, at guest ${number}`).toHaveLength(1);
      await sniffer.stop();
    }
    await expectBalance(...switches);
  });

  // The kernel itself would move a flow to the queue of the engine that writes the first answer (tun_flow_update).
  const answering = [
    { way: 'and answers on the way back', answers: 16 },
    { way: 'one way only', answers: 0 },
  ];
  test.each(cases(answering, 1))('8 flows of 2,000 numbered datagrams keep their order, $way', async ({ answers }) => {
    const [flows, count] = [8, 2000];
    const [from, , to] = guests;
    // Before a guest knows the other's MAC, its own kernel holds datagrams back and lets later ones overtake them.
    expect((await ping(world, from.netns, to.address)).received).toBe(3);
    const options = { flows, count, answers };
    const { sent, received } = await numbered(world, from.netns, to.netns, to.address, options);
    console.log(`numbered datagrams: ${JSON.stringify({ ...sent, ...received })}`);
    expect(received).toEqual({ received: flows * count, late: 0, twice: 0, flows });
    expect(sent).toEqual({ sent: flows * count, answers: answers === 0 ? 0 : (flows * count) / answers });
  });

  test('SIGTERM ends them cleanly, without a TAP or a socket left', async () => {
    for (const sw of switches) {
      const { ended, ms } = await sw.stop('SIGTERM');
      expect({ status: ended.status, signal: ended.signal }, ended.stderr).toEqual({ status: 0, signal: null });
      expect(ended.stderr).toBe('');
      expect(ms).toBeLessThan(3000);
      expect(existsSync(sw.control)).toBe(false);
    }
    for (const { netns } of guests) expect(await world.nics(netns)).toEqual([]);
    for (const { netns } of hosts) expect(await succeed(world, netns, ['cat', '/proc/net/udp'])).not.toMatch(/:12B5 /);
  });
});

describe('a second switch on the same address and port', () => {
  let world: World;

  afterEach(() => world.cleanUp());

  const numbers = [
    { first: 2, second: 1 },
    { first: 1, second: 2 },
    { first: 2, second: 2 },
  ];
  test.each(cases(numbers, 2))('is refused: $first engines running, $second wanted', async ({ first, second }) => {
    world = new World();
    const hosts = await twoHosts(world);
    const guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
    const remote = [hosts[1].address];
    const running = await startSwitch(world, hosts[0], remote, [guests[0]], `workers: ${first}\n`);
    const bridges = plainBridge(tapPort('tap0', guests[1]), singlePort(hosts[0].address, remote, VNI + 1));
    const ended = await world.refusedSwitch(hosts[0].netns, world.config('second', `${bridges}workers: ${second}\n`));
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain(`${hosts[0].address}, UDP port 4789`);
    expect(ended.stdout).not.toContain('ready');
    expect(await world.nics(guests[1].netns)).toEqual([]);
    expect(running.program.running).toBe(true);
    const sockets = await succeed(world, hosts[0].netns, ['cat', '/proc/net/udp']);
    expect(sockets.match(/^ *\d+: [0-9A-F]{8}:12B5 /gm)).toHaveLength(first);
  });
});
