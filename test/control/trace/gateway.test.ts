/** Traces of packets that a gateway routes: route, next hop, MACs, copies. The switch itself does what is told. */
import { afterEach, describe, expect, it } from 'vitest';
import type { TraceAnswer } from '../../../src/api/trace.js';
import type { Document } from '../../../src/config/edit/tree.js';
import { MemorySwitch } from '../../../src/control/memory/memory-switch.js';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';
const GW = '02:00:5e:00:00:01';
const access = (vid: number): unknown => [{ vid, pvid: true, untagged: true }];

const ROUTED: Document = {
  bridges: {
    br1: {
      vlan_filtering: true,
      ports: {
        tap1: { type: 'tap', mac: A, vlans: access(10) },
        tap2: { type: 'tap', mac: B, vlans: access(20) },
        gw10: { type: 'gateway', addresses: ['10.0.10.1/24', 'fd00:10::1/64'], vlans: access(10) },
        gw20: {
          ...{ type: 'gateway', addresses: ['10.0.20.1/24', 'fd00:20::1/64'], vlans: access(20) },
          routes: ['10.8.0.0/16 via 10.0.20.254', '10.9.0.0/16 via 10.0.20.7', '10.9.0.0/16 via 10.0.20.8'],
        },
        vxlan0: {
          ...{ type: 'vxlan', local: '192.0.2.1', remotes: ['192.0.2.2'], vlan_tunnel: true },
          vlans: [
            { vid: 10, tunnel_info: 1010 },
            { vid: 20, tunnel_info: 1020 },
          ],
        },
      },
    },
  },
};

let sw: MemorySwitch | undefined;
afterEach(() => sw?.stop());

async function start(): Promise<MemorySwitch> {
  sw = await MemorySwitch.start(ROUTED);
  return sw;
}

const texts = ({ steps }: TraceAnswer): string[] => steps.map(({ stage, code, text }) => `${stage}/${code}: ${text}`);
const packet = (rest: string): string => `src ${A} dst ${GW} ip 10.0.10.5 > ${rest}`;

/** Has the switch take in a frame. @returns what has left */
async function take(one: MemorySwitch, port: string, description: string): Promise<string[]> {
  const { frame } = one.trace({ port, description });
  one.put(port, Buffer.from(frame, 'hex'));
  return (await one.run()).map((left) => `${left.port} ${Buffer.from(left.frame).toString('hex')}`);
}

describe('a trace through a gateway', () => {
  it('says the route, the next hop, the MACs that are written, and the copy', async () => {
    const one = await start();
    await take(one, 'tap2', `src ${B} arp who-has 10.0.20.1 tell 10.0.20.5`);
    const answer = one.trace({ port: 'tap1', description: packet('10.0.20.5 udp 1 > 2'), frames: true });
    expect(texts(answer)).toMatchInlineSnapshot(`
      [
        "receive/local: tap1 takes in src 02:00:00:00:00:0a dst 02:00:5e:00:00:01 ip 10.0.10.5 > 10.0.20.5 udp 1 > 2 len 0 (42 bytes).",
        "vlan/pvid: The frame has no tag: the PVID of tap1 puts it into VLAN 10 of br1.",
        "learn/learned: 02:00:00:00:00:0a was unknown in VLAN 10: it is learned behind tap1.",
        "lookup/known: The FDB has 02:00:5e:00:00:01 in VLAN 10 behind gw10.",
        "route/route: gw10 routes: 10.0.20.5 is in 10.0.20.0/24, on the link of gw20.",
        "neigh/known: 10.0.20.5 is known to be at 02:00:00:00:00:0b.",
        "route/rewritten: The packet goes on as a frame of gw20: to 02:00:00:00:00:0b, from 02:00:5e:00:00:01, with TTL 63.",
        "lookup/known: The FDB has 02:00:00:00:00:0b in VLAN 20 behind tap2.",
        "send/local: A copy leaves by tap2, without a tag (42 bytes).",
      ]
    `);
    expect(answer).toMatchObject({ vlan: 10, verdict: 'forwarded', copies: [{ port: 'tap2', verdict: 'sent' }] });
    expect(answer.decided_by).toContain('route 10.0.20.0/24 dev gw20');
    expect(await take(one, 'tap1', packet('10.0.20.5 udp 1 > 2'))).toEqual([`tap2 ${answer.frames?.[0]}`]);
    expect(answer.frames?.[0]).toMatch(new RegExp(`^${`${B}${GW}`.replaceAll(':', '')}`));
  });

  it('knows a static neighbour of a gateway, and asks for it no more', async () => {
    const one = await start();
    const asked = await take(one, 'tap1', packet('10.0.20.9 udp 1 > 2'));
    expect(asked.map((line) => line.slice(0, 17))).toContain('tap2 ffffffffffff');
    await one.controls.neigh({ op: 'add', dst: '10.0.20.9', lladdr: '02:00:00:00:20:09', dev: 'gw20' });
    const answer = one.trace({ port: 'tap1', description: packet('10.0.20.9 udp 1 > 2') });
    expect(texts(answer)).toContain('neigh/known: 10.0.20.9 is known to be at 02:00:00:00:20:09.');
    const left = await take(one, 'tap1', packet('10.0.20.9 udp 1 > 2'));
    expect(left.map((line) => line.slice(0, 29))).toContain('tap2 02000000200902005e000001');
    expect(left.map((line) => line.slice(0, 17))).not.toContain('tap2 ffffffffffff');
  });

  it('does not answer for a static neighbour by its link-local address', async () => {
    const one = await start();
    const dst = 'fe80::99';
    await one.controls.neigh({ op: 'add', dst, lladdr: '02:00:00:00:20:09', dev: 'gw20' });
    const ask = `src ${B} nd who-has ${dst} tell fe80::5`;
    const left = await take(one, 'tap2', ask);
    expect(left.filter((line) => line.startsWith(`tap2 ${B.replaceAll(':', '')}`))).toEqual([]);
  });

  it('says that a packet waits for the MAC of the next router', async () => {
    const one = await start();
    const answer = one.trace({ port: 'tap1', description: packet('10.8.0.1 udp 1 > 2') });
    expect(texts(answer).slice(-3)).toMatchInlineSnapshot(`
      [
        "route/route: gw10 routes: 10.8.0.1 is in 10.8.0.0/16, by gw20 to the router 10.0.20.254.",
        "neigh/unknown: No MAC is known for 10.0.20.254.",
        "neigh/held: The packet waits while the switch asks for the MAC of its next hop.",
      ]
    `);
    expect(answer).toMatchObject({ verdict: 'held', copies: [] });
    // The same again: nothing waits in the shadow.
    expect(one.trace({ port: 'tap1', description: packet('10.8.0.1 udp 1 > 2') })).toEqual(answer);
  });

  it('names the way that a flow takes, of several, and the packet takes it', async () => {
    const one = await start();
    const routers = { '10.0.20.7': '02:00:00:00:20:07', '10.0.20.8': '02:00:00:00:20:08' };
    for (const [address, mac] of Object.entries(routers))
      await take(one, 'tap2', `src ${mac} arp who-has 10.0.20.1 tell ${address}`);
    const taken = new Set<string>();
    for (let port = 1; port <= 32; port++) {
      const description = packet(`10.9.0.1 udp ${port} > 2`);
      const [text = ''] = texts(one.trace({ port: 'tap1', description })).filter((line) =>
        line.startsWith('route/route'),
      );
      const [, chosen = '', number, other] =
        /^route\/route: gw10 routes: 10\.9\.0\.1 is in 10\.9\.0\.0\/16, by gw20 to the router ([\d.]+), way ([12]) of 2 by the hash of its flow; beside it are: by gw20 to the router ([\d.]+)\.$/.exec(
          text,
        ) ?? [];
      expect([chosen, number, other], text).toEqual(
        chosen === '10.0.20.7' ? [chosen, '1', '10.0.20.8'] : ['10.0.20.8', '2', '10.0.20.7'],
      );
      const [left = ''] = await take(one, 'tap1', description);
      expect(left.slice(0, 17)).toBe(`tap2 ${routers[chosen as keyof typeof routers].replaceAll(':', '')}`);
      taken.add(chosen);
    }
    expect(taken.size).toBe(2);
  });

  it('says that there is no route, and that the gateway tells the sender', async () => {
    const one = await start();
    await take(one, 'tap1', `src ${A} arp who-has 10.0.10.1 tell 10.0.10.5`);
    const answer = one.trace({ port: 'tap1', description: packet('198.51.100.1 udp 1 > 2') });
    expect(texts(answer).slice(3)).toMatchInlineSnapshot(`
      [
        "lookup/known: The FDB has 02:00:5e:00:00:01 in VLAN 10 behind gw10.",
        "route/no_route: gw10 routes: there is no route to 198.51.100.1.",
        "drop/no_route: Dropped at gw10: there is no route to its destination: a layer-3 port has no gateway, or the VRF of a gateway no prefix for it.",
        "neigh/known: 10.0.10.5 is known to be at 02:00:00:00:00:0a.",
        "route/own: The gateway says something itself as a frame of gw10: to 02:00:00:00:00:0a, from 02:00:5e:00:00:01, with TTL 64.",
        "lookup/known: The FDB has 02:00:00:00:00:0a in VLAN 10 behind tap1.",
        "send/local: The answer of the switch itself leaves by tap1, without a tag (70 bytes).",
      ]
    `);
    expect(answer).toMatchObject({ verdict: 'dropped', reason: 'no_route', copies: [{ port: 'tap1', answer: true }] });
  });

  it('says that the gateway answers a ping', async () => {
    const one = await start();
    await take(one, 'tap1', `src ${A} arp who-has 10.0.10.1 tell 10.0.10.5`);
    const answer = one.trace({ port: 'tap1', description: packet('10.0.20.1 icmp echo') });
    expect(answer).toMatchObject({ verdict: 'answered', copies: [{ port: 'tap1', answer: true }] });
    expect(answer.decided_by).toContain('route local 10.0.20.1/32 dev gw10');
  });

  it('leaves nothing behind, however often', async () => {
    const one = await start();
    const first = one.trace({ port: 'tap1', description: packet('10.8.0.1 udp 1 > 2') });
    for (let count = 0; count < 600; count++) one.trace({ port: 'tap1', description: packet('10.8.0.1 udp 1 > 2') });
    expect(one.trace({ port: 'tap1', description: packet('10.8.0.1 udp 1 > 2') })).toEqual(first);
  });
});
