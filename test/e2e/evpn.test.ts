/**
 * EVPN against FRR: zebra and bgpd over the kernel's bridge and vxlan device in a namespace. No file names a remote: what either side knows of the
 * other, it knows by BGP.
 */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvpnNeighborRow, EvpnRouteRow } from '../../src/api/api.js';
import { must } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { Frr } from './bgp-peers.js';
import {
  edgeFile,
  entriesOf,
  FLOODS,
  frrEdge,
  type Guest,
  guest,
  kernelVtep,
  reaches,
  startEdge,
  VNI,
} from './evpn-support.js';
import { World } from './host-testbed.js';
import { sniff } from './sniffer.js';
import { command, type RunningSwitch } from './switch.js';
import { transfer } from './traffic.js';

const [LOCAL, PEER] = ['192.0.2.1', '192.0.2.2'];
const world = new World();

describe.skipIf(!existsSync('/usr/lib/frr/bgpd'))('EVPN beside FRR', () => {
  let [host, far] = ['', ''];
  let mine: Guest;
  let hers: Guest;
  /** One guest at two places: it is at the one whose NIC is up. */
  let here: Guest;
  let there: Guest;
  let frr: Frr;
  let sw: RunningSwitch;
  const edge = (evpn: string) => ({ name: 'sw', netns: host, local: LOCAL, guests: [mine, here], evpn });

  beforeAll(async () => {
    [host, far] = await Promise.all(['h', 'f'].map((label) => world.netns(label)));
    mine = await guest(world, 'mine', 1);
    hers = await guest(world, 'hers', 2);
    here = await guest(world, 'here', 3);
    there = { ...(await guest(world, 'there', 3)) };
    await world.veth({ netns: host, ifname: 'u0' }, { netns: far, ifname: 'u0' });
    await world.address({ netns: host, ifname: 'u0' }, `${LOCAL}/24`);
    await world.address({ netns: far, ifname: 'u0' }, `${PEER}/24`);
    await kernelVtep(world, far, PEER, [hers, there]);
    await world.ip(there.netns, 'link set eth0 down');
    frr = new Frr(world, far);
    const evpn = `listen: 0, neighbors: [{ address: ${PEER}, connect_retry: 1 }]`;
    [sw] = await Promise.all([startEdge(world, edge(evpn)), frr.start(frrEdge(PEER, LOCAL, 'passive'))]);
    await world.ip(here.netns, 'link set eth0 down');
  }, 60_000);

  afterAll(async () => {
    await world.cleanUp();
    frr?.remove();
  });

  const state = async (): Promise<string | undefined> => (await sw.json<EvpnNeighborRow[]>('evpn neighbors'))[0]?.state;
  const established = (): Promise<true> => until('the session is up', async () => (await state()) === 'established');
  const ends = async (): Promise<string> => (await world.exec(host, ['ss', '-Htn', 'state', 'established'])).stdout;
  const kernelFdb = (): Promise<string> => must(['bridge', '-n', far, 'fdb', 'show', 'dev', 'vx0']);

  it('dials, and carries frames both ways without any remote in a file', async () => {
    await established();
    expect(await ends()).toContain(`${PEER}:179`);
    await until('the guests reach each other', () => reaches(world, mine.netns, hers.address));
    await until('her MAC is an entry here', async () => (await entriesOf(sw, hers.mac)).length > 0);
    expect(await entriesOf(sw, hers.mac)).toEqual([`vx0 ${PEER} extern_learn bgp`]);
    expect(await entriesOf(sw, FLOODS)).toEqual([`vx0 ${PEER} self extern_learn bgp`]);
    await until('mine is in her kernel', async () => (await kernelFdb()).includes(`${mine.mac} dst ${LOCAL}`));
    expect(await kernelFdb()).toMatch(new RegExp(`${mine.mac} dst ${LOCAL} self extern_learn`));
    expect(await kernelFdb()).toMatch(new RegExp(`${FLOODS} dst ${LOCAL} self`));
    for (const [from, to] of [
      [mine, hers],
      [hers, mine],
    ] as const) {
      const { sent, received } = await transfer(world, from.netns, to.netns, to.address, 2_000_000);
      expect(received).toEqual({ bytes: 2_000_000, sha256: sent.sha256 });
    }
  });

  it('shows the routes: its own and those of FRR', async () => {
    const rows = await sw.json<EvpnRouteRow[]>('evpn routes');
    const keys = rows.map(({ type, mac, ip, neighbor, next_hop }) =>
      [type, mac ?? ip, neighbor ?? 'own', next_hop].join(' '),
    );
    for (const key of [
      `3 ${PEER} ${PEER} ${PEER}`,
      `2 ${hers.mac} ${PEER} ${PEER}`,
      `3 ${LOCAL} own ${LOCAL}`,
      `2 ${mine.mac} own ${LOCAL}`,
    ])
      expect(keys).toContain(key);
    const { stdout } = await command('-s', sw.control, 'evpn', 'routes', 'type', '2');
    console.log(stdout);
    expect(stdout).toContain(`[2]:[0]:[48]:[${hers.mac}]`);
    console.log((await command('-s', sw.control, 'evpn', 'show')).stdout);
    console.log((await command('-s', sw.control, 'evpn', 'neighbors')).stdout);
    const vnis = (await command('-s', sw.control, 'evpn', 'vni', String(VNI))).stdout;
    console.log(vnis);
    expect(vnis).toContain(`other VTEPs: ${PEER}`);
  });

  it('answers ARP for each other: no request passes the tunnel', async () => {
    // FRR tells the address of a guest once its own bridge has talked with it.
    await until('she talks with her bridge', () => reaches(world, hers.netns, '198.18.0.254'));
    await until('her address is a binding here', async () =>
      (await sw.json<{ ip: string; mac: string }[]>('neigh show')).some((row) =>
        JSON.stringify(row).includes(hers.mac),
      ),
    );
    await until('my address is in her kernel', async () =>
      (await must(['ip', '-n', far, 'neigh', 'show', 'dev', 'br0'])).includes(
        `${mine.address} lladdr ${mine.mac} extern_learn`,
      ),
    );
    const sniffers = [];
    for (const { netns } of [mine, hers]) sniffers.push(await sniff(world, { netns, ifname: 'eth0' }, 'arp[6:2] = 1'));
    for (const [from, to] of [
      [mine, hers],
      [hers, mine],
    ] as const) {
      await world.ip(from.netns, 'neigh flush all');
      expect(await reaches(world, from.netns, to.address)).toBe(true);
    }
    const requests = [];
    for (const sniffer of sniffers) {
      await sniffer.rests(1);
      requests.push(sniffer.packets.map(({ hex }) => hex.slice(12, 24)));
    }
    const source = ({ mac }: Guest): string => mac.replaceAll(':', '');
    for (const [at, [own, other]] of (
      [
        [mine, hers],
        [hers, mine],
      ] as const
    ).entries()) {
      expect(requests[at]).toContain(source(own));
      expect(requests[at]).not.toContain(source(other));
    }
  });

  /** Takes the guest from one place to the other. @returns milliseconds until it is reached there */
  async function move(from: Guest, to: Guest, asker: Guest): Promise<number> {
    await world.ip(from.netns, 'link set eth0 down');
    const began = performance.now();
    await world.ip(to.netns, 'link set eth0 up');
    // It speaks at once, as virtual machines do after a migration.
    const own = world.exec(to.netns, ['ping', '-n', '-q', '-c', '5', '-i', '0.05', '-W', '1', asker.address]);
    while (
      !(await world.exec(asker.netns, ['ping', '-n', '-c', '1', '-W', '0.05', to.address])).stdout.includes(
        ' 0% packet loss',
      )
    )
      if (performance.now() - began > 10_000) throw new Error('it is not reached');
    const ms = performance.now() - began;
    await own;
    return ms;
  }

  it('follows a guest that moves to this host and back, within 500 ms', async () => {
    await world.ip(there.netns, 'link set eth0 up');
    await until('it is reached there', () => reaches(world, mine.netns, there.address));
    await until('it is an entry here', async () =>
      (await entriesOf(sw, there.mac)).includes(`vx0 ${PEER} extern_learn bgp`),
    );
    const times: number[] = [];
    times.push(await move(there, here, hers));
    await until('her kernel has it here', async () => (await kernelFdb()).includes(`${here.mac} dst ${LOCAL}`));
    times.push(await move(here, there, mine));
    await until('it is an entry again', async () =>
      (await entriesOf(sw, there.mac)).includes(`vx0 ${PEER} extern_learn bgp`),
    );
    console.log(`reached again after ${times.map((ms) => Math.round(ms)).join(' and ')} ms`);
    for (const ms of times) expect(ms).toBeLessThan(500);
  });

  it('is dialled as well, at port 179 without the rights of root', async () => {
    edgeFile(world, edge(`neighbors: [{ address: ${PEER}, passive: true }]`));
    sw.program.signal('SIGHUP');
    await sw.logged('the file is applied', ({ by, msg }) => by === 'SIGHUP' && msg === 'changed');
    await frr.vtysh('configure terminal', 'router bgp 65000', `no neighbor ${LOCAL} passive`);
    await until('the session is at our port', async () => (await ends()).includes(`${LOCAL}:179`));
    await established();
    await until('the guests reach each other', () => reaches(world, mine.netns, hers.address));
  });

  it('goes on without its speaker, and recovers', async () => {
    const arrived = await sniff(world, { netns: hers.netns, ifname: 'eth0' }, 'icmp[icmptype] = icmp-echo');
    const pings = world.exec(mine.netns, ['ping', '-n', '-q', '-c', '60', '-i', '0.05', '-W', '1', hers.address]);
    sw.program.signal('SIGPWR');
    await sw.logged('the speaker has failed', ({ msg }) => msg.includes('speaker'));
    expect(await entriesOf(sw, hers.mac)).toEqual([`vx0 ${PEER} extern_learn bgp`]);
    await until('the speaker answers again', async () => (await state().catch(() => undefined)) === 'established');
    // FRR 8.4 has no graceful restart of EVPN: its own kernel forgets this host for the time, so that answers are lost there.
    const { stdout } = await pings;
    await arrived.rests(60);
    console.log(
      `while the speaker was away ${arrived.packets.length} of 60 came; answers: ${/\d+ received/.exec(stdout)?.[0]}`,
    );
    expect(arrived.packets.length).toBe(60);
    await until('mine is told again', async () => (await frr.vtysh('show bgp l2vpn evpn')).includes(`[${mine.mac}]`));
    await until('hers is heard again', async () =>
      (await sw.json<EvpnRouteRow[]>('evpn routes')).some(({ mac }) => mac === hers.mac),
    );
  });

  it('loses what came from a neighbour with its session', async () => {
    await frr.kill('bgpd');
    await until('its entries are gone', async () => (await entriesOf(sw, hers.mac)).length === 0);
    expect(await entriesOf(sw, FLOODS)).toEqual([]);
    await sw.logged('the session is down', ({ msg }) => msg === 'BGP session down');
  });
});
