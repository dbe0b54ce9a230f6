/**
 * The speaker beside FRR and GoBGP, each in a namespace: one session of each kind with each of them, routes both ways, and every end of a
 * session that the other side can bring about.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalMac, NeighborConfig, SpeakerConfig } from '../../src/evpn/contract.js';
import { Frr, GoBgp } from './bgp-peers.js';
import { eventually, SpeakerProcess } from './bgp-speaker.js';
import { World } from './host-testbed.js';

const OURS = '02:00:00:00:00:01';
const world = new World();
const frrs: Frr[] = [];

interface Place {
  netns: string;
  v4: string;
  v6: string;
}

let us: string;
const places: Record<string, Place> = {};
let speaker: SpeakerProcess;
let ibgpFrr: Frr;
let ebgpFrr: Frr;
let ibgpGo: GoBgp;
let ebgpGo: GoBgp;

function neighbor(address: string, local: string, change: Partial<NeighborConfig> = {}): NeighborConfig {
  return {
    address,
    local,
    port: 179,
    asn: 65001,
    passive: false,
    hold_time: 9,
    connect_retry: 2,
    max_routes: 100_000,
    graceful_restart: 60,
    long_lived_stale: 0,
    ...change,
  };
}

/** A cable between us and a peer, with addresses of both families. */
async function cable(label: string, number: number): Promise<Place> {
  const netns = await world.netns(label, { ipv6: true });
  await world.veth({ netns: us, ifname: `e-${label}` }, { netns, ifname: 'e0' });
  for (const [end, last] of [
    [{ netns: us, ifname: `e-${label}` }, 1],
    [{ netns, ifname: 'e0' }, 2],
  ] as const) {
    await world.address(end, `10.9.${number}.${last}/24`);
    await world.ip(end.netns, `addr add fd09:${number}::${last}/64 dev ${end.ifname} nodad`);
  }
  return { netns, v4: `10.9.${number}.`, v6: `fd09:${number}::` };
}

/** A bridge with a vxlan interface of the kernel, whose MACs FRR announces. */
async function vtep({ netns, v4 }: Place, local: string): Promise<void> {
  await world.ip(netns, `route add 192.0.2.1/32 via ${v4}1`);
  await world.ip(netns, `addr add ${local}/32 dev lo`);
  await world.ip(netns, 'link add br0 type bridge');
  await world.ip(netns, `link add vx100 type vxlan id 100 local ${local} dstport 4789 nolearning`);
  await world.ip(netns, 'link set vx100 master br0');
  await world.ip(netns, 'link set br0 up');
  await world.ip(netns, 'link set vx100 up');
  await world.ip(netns, 'link add p0 type veth peer name p1');
  await world.ip(netns, 'link set p0 master br0 up');
  await world.ip(netns, 'link set p1 up');
}

const frrConfig = (asn: number, routerId: string, remote: string, remoteAs: number, words: string[]) =>
  [
    `router bgp ${asn}`,
    ` bgp router-id ${routerId}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp default ipv4-unicast',
    ' bgp graceful-restart',
    ' bgp graceful-restart preserve-fw-state',
    ' bgp graceful-restart restart-time 20',
    ' timers bgp 1 3',
    ` neighbor ${remote} remote-as ${remoteAs}`,
    ` neighbor ${remote} timers connect 2`,
    ...words.map((word) => ` neighbor ${remote} ${word}`),
    ' address-family l2vpn evpn',
    `  neighbor ${remote} activate`,
    '  advertise-all-vni',
    '  vni 100',
    '   route-target import 65001:100',
    '   route-target export 65001:100',
    '  exit-vni',
    ' exit-address-family',
  ].join('\n');

const goConfig = (asn: number, routerId: string, remote: string, local: string) => `
[global.config]
  as = ${asn}
  router-id = "${routerId}"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${remote}"
    peer-as = 65001
  [neighbors.timers.config]
    connect-retry = 2
    hold-time = 9
    keepalive-interval = 3
    idle-hold-time-after-reset = 1
  [neighbors.transport.config]
    local-address = "${local}"
  [neighbors.graceful-restart.config]
    enabled = true
    restart-time = 20
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "l2vpn-evpn"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true
`;

function config(change: Partial<Record<string, Partial<NeighborConfig>>> = {}): SpeakerConfig {
  const { f, h, g, k } = places as Record<'f' | 'h' | 'g' | 'k', Place>;
  return {
    asn: 65001,
    routerId: '10.9.0.1',
    listen: 179,
    neighbors: [
      neighbor(`${f.v4}2`, `${f.v4}1`, { password: 'secret', ...change.f }),
      neighbor(`${h.v6}2`, `${h.v6}1`, { asn: 4_200_000_003, ttl_security: 1, ...change.h }),
      neighbor(`${g.v6}2`, `${g.v6}1`, change.g),
      neighbor(`${k.v4}2`, `${k.v4}1`, { asn: 65004, ...change.k }),
    ],
    vnis: [
      {
        vni: 100,
        kind: 'l2',
        owner: 'vx100',
        local: '192.0.2.1',
        rd: '10.9.0.1:100',
        imports: ['65001:100'],
        exports: ['65001:100'],
        floods: true,
      },
    ],
    duplicates: { moves: 5, seconds: 180, hold: 0 },
  };
}

const own: LocalMac = { vni: 100, mac: OURS, sticky: false, isGateway: false, isRouter: false };

beforeAll(async () => {
  us = await world.netns('us', { ipv6: true });
  for (const [at, label] of ['f', 'h', 'g', 'k'].entries()) places[label] = await cable(label, at + 1);
  const { f, h, g, k } = places as Record<'f' | 'h' | 'g' | 'k', Place>;
  await vtep(f, '192.0.2.2');
  await vtep(h, '192.0.2.3');
  ibgpFrr = new Frr(world, f.netns);
  ebgpFrr = new Frr(world, h.netns);
  frrs.push(ibgpFrr, ebgpFrr);
  ibgpGo = new GoBgp(world, g.netns, 'g');
  ebgpGo = new GoBgp(world, k.netns, 'k');
  speaker = new SpeakerProcess(world, us);
  await Promise.all([
    ibgpFrr.start(frrConfig(65001, '10.9.1.2', `${f.v4}1`, 65001, ['password secret'])),
    ebgpFrr.start(frrConfig(4_200_000_003, '10.9.2.2', `${h.v6}1`, 65001, ['ttl-security hops 1'])),
    ibgpGo.start(goConfig(65001, '10.9.3.2', `${g.v6}1`, `${g.v6}2`)),
    ebgpGo.start(goConfig(65004, '10.9.4.2', `${k.v4}1`, `${k.v4}2`)),
    speaker.start(config()),
  ]);
  speaker.say({ do: 'announce', macs: [own, { ...own, ip: '10.1.0.1' }] });
}, 90_000);

afterAll(async () => {
  await world.cleanUp();
  for (const frr of frrs) frr.remove();
});

const address = (label: string): string => {
  const { v4, v6 } = places[label] as Place;
  return label === 'f' || label === 'k' ? `${v4}2` : `${v6}2`;
};
const ALL = ['f', 'h', 'g', 'k'];
const frrRoutes = (frr: Frr): Promise<string> => frr.vtysh('show bgp l2vpn evpn');

describe('beside FRR 8.4 and GoBGP 3.10', () => {
  test('iBGP and eBGP, IPv4 and IPv6, with MD5 and with TTL security: all are established', async () => {
    for (const label of ALL) await speaker.until(address(label), 'established');
    expect((await speaker.neighbor(address('h'))).routerId).toBe('10.9.2.2');
    expect(speaker.faults()).toEqual([]);
  });

  test('our routes are at each of them, with next hop and AS path', async () => {
    for (const frr of [ibgpFrr, ebgpFrr]) {
      await eventually('ours at FRR', async () => {
        const text = await frrRoutes(frr);
        return text.includes(`[2]:[0]:[48]:[${OURS}]:[32]:[10.1.0.1]`) && text.includes('[3]:[0]:[32]:[192.0.2.1]');
      });
    }
    for (const go of [ibgpGo, ebgpGo]) {
      await eventually('ours at GoBGP', async () => (await go.gobgp('global rib -a evpn')).includes(OURS));
    }
    expect(await frrRoutes(ebgpFrr)).toMatch(/192\.0\.2\.1 .* 65001 i/);
    // FRR has put it into the kernel.
    const { netns } = places.f as Place;
    await eventually('ours in the FDB', async () => {
      const { stdout } = await world.exec(netns, ['bridge', 'fdb', 'show', 'dev', 'vx100']);
      return stdout.includes(`${OURS} dst 192.0.2.1`);
    });
  });

  // Before GoBGP has routes of its own: 3.10 crashes when a neighbour restarts then (handleMacMobility, a nil pointer).
  test('we restart: GoBGP keeps our routes as stale ones, and has them fresh afterwards; so has FRR, which knows no restarts of EVPN', async () => {
    const routes = (): Promise<string> => ebgpGo.gobgp('global rib -a evpn');
    speaker.say({ do: 'stop', restarts: true });
    await eventually('GoBGP has seen it', async () => !/Estab/.test(await ebgpGo.gobgp('neighbor')));
    const stale = new RegExp(`^S.*${OURS}`, 'm');
    expect(await routes()).toMatch(stale);
    speaker.say({ do: 'configure', config: config() });
    speaker.say({ do: 'announce', macs: [own, { ...own, ip: '10.1.0.1' }] });
    for (const label of ALL) await speaker.until(address(label), 'established');
    await eventually('fresh', async () => {
      const text = await routes();
      return text.includes(OURS) && !stale.test(text);
    });
    await eventually('FRR has it again', async () => (await frrRoutes(ibgpFrr)).includes(OURS));
  });

  test('theirs are with us: type 3 and type 2 of FRR, type 2 with an address of GoBGP', async () => {
    const { f, h } = places as Record<'f' | 'h', Place>;
    await world.exec(f.netns, ['bridge', 'fdb', 'replace', '02:00:00:00:00:02', 'dev', 'p0', 'master', 'dynamic']);
    await world.exec(h.netns, ['bridge', 'fdb', 'replace', '02:00:00:00:00:03', 'dev', 'p0', 'master', 'dynamic']);
    const add = (at: number, mac: string) =>
      `global rib add -a evpn macadv ${mac} 10.1.0.${at} etag 0 label 100 rd 10.9.${at}.2:100 rt 65001:100 encap vxlan nexthop 192.0.2.${at}`;
    expect(await ibgpGo.gobgp(add(4, '02:00:00:00:00:04'))).toBe('');
    expect(await ebgpGo.gobgp(add(5, '02:00:00:00:00:05'))).toBe('');
    await eventually('theirs', () => [2, 3, 4, 5].every((at) => speaker.macs.has(`100 02:00:00:00:00:0${at}`)));
    expect(speaker.macs.get('100 02:00:00:00:00:05 10.1.0.5')?.remote).toBe('192.0.2.5');
    expect(speaker.macs.get('100 02:00:00:00:00:02')?.remote).toBe('192.0.2.2');
    expect([...speaker.floods].sort()).toEqual(['100 192.0.2.2', '100 192.0.2.3']);
  });

  test('a withdrawn route is gone, in both directions', async () => {
    const { f } = places as Record<'f', Place>;
    await world.exec(f.netns, ['bridge', 'fdb', 'del', '02:00:00:00:00:02', 'dev', 'p0', 'master']);
    await eventually('gone here', () => !speaker.macs.has('100 02:00:00:00:00:02'));
    speaker.say({ do: 'withdraw', macs: [{ ...own, ip: '10.1.0.1' }] });
    await eventually('gone there', async () => !(await frrRoutes(ibgpFrr)).includes('10.1.0.1]'));
    expect(await frrRoutes(ibgpFrr)).toContain(OURS);
  });

  test('refreshes, asked for by FRR and by us, end no session and lose nothing', async () => {
    const before = await speaker.neighbor(address('f'));
    await ibgpFrr.vtysh('clear bgp l2vpn evpn * soft in');
    speaker.say({ do: 'refresh' });
    await eventually('answers', async () => {
      const { messages } = await speaker.neighbor(address('f'));
      return messages.out >= before.messages.out + 3 && messages.in >= before.messages.in + 2;
    });
    for (const label of ALL) expect((await speaker.neighbor(address(label))).state).toBe('established');
    expect(speaker.macs.size).toBeGreaterThanOrEqual(3);
    expect(await frrRoutes(ibgpFrr)).toContain(OURS);
  });

  test('FRR resets the session: we know why, and it comes back', async () => {
    await ibgpFrr.vtysh('clear bgp *');
    await eventually('the reason', async () =>
      /administrative reset/.test((await speaker.neighbor(address('f'))).lastEnd ?? ''),
    );
    await speaker.until(address('f'), 'established');
  });

  test('a cut cable: the hold time ends the session, and it comes back', async () => {
    await world.ip(us, 'link set e-f down');
    const reason = async () => (await speaker.neighbor(address('f'))).lastEnd ?? '';
    await eventually('the reason', async () => /nothing was heard for 3 s/.test(await reason()));
    for (const label of ['h', 'g', 'k']) expect((await speaker.neighbor(address(label))).state).toBe('established');
    await world.ip(us, 'link set e-f up');
    await speaker.until(address('f'), 'established');
  });

  test('another password: no session; the right one again: a session', async () => {
    const wrong = config({ f: { password: 'another' } });
    speaker.say({ do: 'configure', config: wrong });
    await eventually('ended', async () => (await speaker.neighbor(address('f'))).state !== 'established');
    const seen = speaker.told.length;
    await new Promise((resolve) => setTimeout(resolve, 4000));
    const states = speaker.told
      .slice(seen)
      .flatMap((one) => (one.tell === 'neighbor' && one.address === address('f') ? [one.state] : []));
    expect(states).not.toContain('opensent');
    speaker.say({ do: 'configure', config: config() });
    await speaker.until(address('f'), 'established');
  });
});

describe('restarts', () => {
  test('GoBGP dies and comes back: its routes stay until it has sent them again', async () => {
    await eventually('there', () => speaker.macs.has('100 02:00:00:00:00:04'));
    await ibgpGo.kill();
    await eventually('down', async () => (await speaker.neighbor(address('g'))).state !== 'established');
    expect(speaker.macs.has('100 02:00:00:00:00:04')).toBe(true);
    expect((await speaker.neighbor(address('g'))).stale).toBeGreaterThan(0);
    const { g } = places as Record<'g', Place>;
    await ibgpGo.start(goConfig(65001, '10.9.3.2', `${g.v6}1`, `${g.v6}2`), '-r');
    await speaker.until(address('g'), 'established');
    // It has nothing any more, and says so by End-of-RIB.
    await eventually('swept', () => !speaker.macs.has('100 02:00:00:00:00:04'));
    expect((await speaker.neighbor(address('g'))).stale).toBe(0);
  });

  test('we end: the neighbours know, and our routes are gone', async () => {
    speaker.say({ do: 'stop', restarts: false });
    for (const frr of [ibgpFrr, ebgpFrr]) await eventually('gone', async () => !(await frrRoutes(frr)).includes(OURS));
    expect(await ibgpFrr.vtysh('show bgp neighbors')).toMatch(
      /Last reset .*Notification received \(Cease\/Administrative Shutdown/,
    );
  });
});
