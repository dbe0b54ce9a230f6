/** Traces of single frames: every step, in the words that users see. */
import { afterEach, describe, expect, it } from 'vitest';
import type { TraceAnswer, TraceRequest } from '../../../src/api/trace.js';
import type { Document } from '../../../src/config/edit/tree.js';
import { MemorySwitch } from '../../../src/control/memory/memory-switch.js';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';
const tap = (rest: Record<string, unknown> = {}): Record<string, unknown> => ({ type: 'tap', mac: A, ...rest });

const PLAIN: Document = {
  bridges: {
    br1: {
      ports: {
        tap1: tap(),
        tap2: tap({ mac: B }),
        vxlan0: { type: 'vxlan', local: '192.0.2.1', id: 100, remotes: ['192.0.2.2', '192.0.2.3'] },
      },
    },
  },
};

let sw: MemorySwitch | undefined;
afterEach(() => sw?.stop());

async function start(document: Document): Promise<MemorySwitch> {
  sw = await MemorySwitch.start(document);
  return sw;
}

const texts = ({ steps }: TraceAnswer): string[] => steps.map(({ stage, code, text }) => `${stage}/${code}: ${text}`);
const trace = (one: MemorySwitch, port: string, description: string, rest: Partial<TraceRequest> = {}): TraceAnswer =>
  one.trace({ port, description, ...rest });

describe('trace', () => {
  it('tells a flood, step by step, and changes nothing', async () => {
    const one = await start(PLAIN);
    const first = trace(one, 'tap1', 'arp who-has 10.0.0.2 tell 10.0.0.1');
    expect(texts(first)).toEqual([
      `receive/local: tap1 takes in src ${A} dst broadcast arp who-has 10.0.0.2 tell 10.0.0.1 (42 bytes).`,
      'vlan/none: br1 does not filter VLANs: all its ports are one domain.',
      `learn/learned: ${A} was unknown: it is learned behind tap1.`,
      'flood/broadcast: A broadcast is flooded to every port of br1 that may have it.',
      'send/local: A copy leaves by tap2, without a tag (42 bytes).',
      'send/encapsulate: A copy leaves by vxlan0 in VXLAN to 192.0.2.2, UDP port 4789, with VNI 100, without a tag inside (42 bytes).',
      'send/encapsulate: A copy leaves by vxlan0 in VXLAN to 192.0.2.3, UDP port 4789, with VNI 100, without a tag inside (42 bytes).',
    ]);
    expect(first).toMatchObject({ port: 'tap1', verdict: 'flooded', decided_by: ['vni 100'] });
    expect(first.copies[1]).toEqual({
      ...{ port: 'vxlan0', remote: '192.0.2.2', udp_port: 4789, vni: 100, tos: 0, local: '192.0.2.1' },
      ...{ verdict: 'sent', length: 42 },
    });
    // The same again: nothing was learned.
    expect(trace(one, 'tap1', 'arp who-has 10.0.0.2 tell 10.0.0.1')).toEqual(first);
    expect(one.engines.fdb.counters().entries).toBe(0);
  });

  it('says which MACs it has made, from which addresses', async () => {
    const one = await start(PLAIN);
    const made = "is made from the address, and the host's may be another.";
    expect(texts(trace(one, 'tap1', 'ip 10.0.0.1 > 10.0.0.2 udp')).slice(0, 3)).toEqual([
      expect.stringMatching(`^receive/local: tap1 takes in src ${A} dst 02:00:0a:00:00:02 ip`),
      `receive/mac_made: No MAC of 10.0.0.2 is said or known: 02:00:0a:00:00:02 ${made}`,
      expect.stringMatching('^vlan/none'),
    ]);
    expect(texts(trace(one, 'vxlan0', 'icmp', { from: '192.0.2.2' })).filter((text) => text.includes(made))).toEqual([
      `receive/mac_made: No MAC of 10.0.0.1 is said or known: 02:00:0a:00:00:01 ${made}`,
      `receive/mac_made: No MAC of 10.0.0.2 is said or known: 02:00:0a:00:00:02 ${made}`,
    ]);
    expect(JSON.stringify(trace(one, 'tap1', `dst ${B} icmp`))).not.toContain('mac_made');
  });

  it('names the entry that decided, with its age', async () => {
    const one = await start(PLAIN);
    const from = { from: '192.0.2.2', vni: 100 };
    one.trace({ port: 'vxlan0', description: `src ${B} dst broadcast type 0x88b5`, ...from });
    expect(one.putDatagram('vxlan0', from, frameOf(`${'ff'.repeat(6)}02000000000b88b500`))).toBe(true);
    await one.run();
    await one.advance(3000);
    const answer = trace(one, 'tap1', `dst ${B} ip 10.0.0.1 > 10.0.0.2 udp 5000 > 53 len 100`);
    const entry = {
      ...{ table: 'fdb', mac: B, ifname: 'vxlan0', master: 'br1', vni: 100, dst: '192.0.2.2' },
      ...{ state: 'dynamic', flags: [], updated: 3, moves: 0 },
    };
    expect(answer.steps.find(({ stage }) => stage === 'lookup')).toEqual({
      ...{ stage: 'lookup', code: 'known' },
      text: `The FDB has ${B} behind 192.0.2.2 by vxlan0.`,
      entry,
    });
    expect(answer.verdict).toBe('forwarded');
    expect(answer.copies).toHaveLength(1);
    expect(answer.decided_by).toEqual([`fdb ${B} dev vxlan0 dst 192.0.2.2 dynamic`, 'vni 100']);
  });

  it('names VLAN, tag and the ports that get no copy', async () => {
    const one = await start({
      bridges: {
        br1: {
          vlan_filtering: true,
          vlan_default_pvid: 0,
          ports: {
            tap1: tap({ vlans: [{ vid: 10, pvid: true, untagged: true }] }),
            tap2: tap({ vlans: [{ vid: 20, pvid: true, untagged: true }] }),
            tap3: tap({ vlans: [{ vid: 10 }], bcast_flood: false }),
            trunk: tap({ vlans: [{ vid: '10-20' }] }),
          },
        },
      },
    });
    const answer = trace(one, 'tap1', 'arp who-has 10.0.0.2');
    expect(texts(answer).slice(1)).toEqual([
      'vlan/pvid: The frame has no tag: the PVID of tap1 puts it into VLAN 10 of br1.',
      `learn/learned: ${A} was unknown in VLAN 10: it is learned behind tap1.`,
      'flood/broadcast: A broadcast is flooded to every port of br1 in VLAN 10 that may have it.',
      'flood/vlan_not_allowed: tap2 gets no copy: the port is no member of its VLAN.',
      'flood/flood_off: tap3 gets no copy: it has bcast_flood off.',
      'send/local: A copy leaves by trunk, with the tag of VLAN 10 (46 bytes).',
    ]);
    expect(answer).toMatchObject({ vlan: 10, copies: [{ port: 'trunk', tag: 10 }], decided_by: ['vlan 10 dev tap1'] });
    const refused = trace(one, 'tap2', 'vlan 10 arp who-has 10.0.0.2');
    expect(refused).toMatchObject({ verdict: 'dropped', reason: 'vlan_not_allowed', copies: [] });
    expect(trace(one, 'trunk', 'arp who-has 10.0.0.2')).toMatchObject({ verdict: 'dropped', reason: 'no_pvid' });
  });

  it('tells an answer in the name of a host, and that its request stays here', async () => {
    const document = structuredClone(PLAIN) as { bridges: { br1: { ports: Record<string, object> } } };
    Object.assign(document.bridges.br1.ports.vxlan0, {
      neigh_suppress: true,
      fdb: [{ mac: B, dst: '192.0.2.2', state: 'static' }],
    });
    Object.assign(document.bridges.br1.ports.vxlan0, { neigh: [{ dst: '10.0.0.2', lladdr: B }] });
    const one = await start(document as Document);
    const answer = trace(one, 'tap1', 'arp who-has 10.0.0.2 tell 10.0.0.1');
    expect(answer.verdict).toBe('answered');
    expect(answer.copies.map(({ port, verdict, reason, answer: own }) => [port, verdict, reason, own])).toEqual([
      ['tap1', 'sent', undefined, true],
      ['tap2', 'sent', undefined, undefined],
      ['vxlan0', 'dropped', 'suppressed', undefined],
    ]);
    expect(answer.decided_by).toContain(`neigh 10.0.0.2 lladdr ${B}`);
  });

  it('tells what is too big, with the ICMP error for its sender', async () => {
    const document = structuredClone(PLAIN) as { bridges: { br1: { ports: Record<string, object> } } };
    Object.assign(document.bridges.br1.ports.vxlan0, { fdb: [{ mac: B, dst: '192.0.2.2', state: 'static' }] });
    const one = await start(document as Document);
    const answer = trace(one, 'tap1', `dst ${B} ip 10.0.0.1 > 10.0.0.2 df udp len 1473`);
    expect(answer).toMatchObject({ verdict: 'dropped', reason: 'mtu_exceeded' });
    expect(answer.copies).toMatchObject([
      { port: 'vxlan0', verdict: 'dropped', reason: 'mtu_exceeded' },
      { port: 'tap1', verdict: 'sent', answer: true },
    ]);
  });

  it('tells of a superframe, and of a storm limit', async () => {
    const document = structuredClone(PLAIN) as { bridges: { br1: { ports: Record<string, object> } } };
    Object.assign(document.bridges.br1.ports.tap1, { storm_limit: { broadcast: 10 } });
    const one = await start(document as Document);
    const big = trace(one, 'tap1', `dst ${B} tcp len 20000 gso 1400`);
    expect(big.steps[0].text).toContain('(20054 bytes, to be segmented by 1400)');
    for (let count = 0; count < 10; count++) one.put('tap1', frameOf(`${'ff'.repeat(6)}02000000000a88b500`));
    expect(trace(one, 'tap1', 'arp who-has 10.0.0.9').verdict).toBe('flooded');
    await one.run();
    expect(trace(one, 'tap1', 'arp who-has 10.0.0.9')).toMatchObject({ verdict: 'dropped', reason: 'storm_limited' });
  });

  it('tells what a guard refuses: the claim, and what the port may', async () => {
    const document = structuredClone(PLAIN) as {
      bridges: { br1: { dhcp_guard?: boolean; ports: Record<string, object> } };
    };
    document.bridges.br1.dhcp_guard = true;
    Object.assign(document.bridges.br1.ports.tap1, { arp_guard: ['10.0.0.1', 'fe80::a'], allowed_macs: [A] });
    const one = await start(document as Document);
    const refused = (frame: string): unknown[] => {
      const { reason, steps } = trace(one, 'tap1', frame);
      return [reason, steps.find(({ stage }) => stage === 'guard')?.text];
    };
    expect(refused(`src ${A} arp reply 10.0.0.9 is-at ${A}`)).toEqual([
      'arp_guard',
      'The frame claims 10.0.0.9; tap1 may claim 10.0.0.1, fe80::a only (arp_guard).',
    ]);
    expect(refused(`src ${B} udp`)).toEqual([
      'mac_not_allowed',
      `The frame is from ${B}; tap1 may send from ${A} only.`,
    ]);
    expect(refused(`src ${A} ip 10.0.0.1 > 10.0.0.2 udp 67 > 68`)).toEqual([
      'dhcp_guard',
      'The frame is a message of a DHCP server, and tap1 is not trusted (dhcp_guard).',
    ]);
    expect(refused(`src ${A} arp reply 10.0.0.1 is-at ${B}`)[1]).toMatch(`at ${B}, which is not its source`);
    expect(trace(one, 'tap1', `src ${A} arp who-has 10.0.0.9 tell 10.0.0.1`).verdict).toBe('flooded');
  });

  it('tells of a limit of a port, which a trace takes nothing from', async () => {
    const document = structuredClone(PLAIN) as { bridges: { br1: { ports: Record<string, object> } } };
    Object.assign(document.bridges.br1.ports.tap1, { police_in: { pkts_rate: 1, pkts_burst: 1 } });
    const one = await start(document as Document);
    for (let count = 0; count < 3; count++) expect(trace(one, 'tap1', 'arp who-has 10.0.0.9').verdict).toBe('flooded');
    one.put('tap1', frameOf(`${'ff'.repeat(6)}02000000000a88b500`));
    await one.run();
    const answer = trace(one, 'tap1', 'arp who-has 10.0.0.9');
    expect(answer).toMatchObject({ verdict: 'dropped', reason: 'policed' });
    expect(answer.steps.map(({ text }) => text)).toContain(
      'tap1 has police_in: the frame, 42 bytes, finds it used up.',
    );
  });

  it('refuses what it cannot trace, and says what to do', async () => {
    const one = await start(PLAIN);
    expect(() => trace(one, 'tap9', 'icmp')).toThrow('tap9');
    expect(() => trace(one, 'tap1', 'imcp')).toThrow('did you mean "icmp"?');
    expect(() => trace(one, 'vxlan0', 'icmp')).toThrow('has 2 remotes; say with "from" whose datagram it is');
    expect(() => one.trace({ port: 'tap1' })).toThrow('either as a description or as hex digits');
  });
});

function frameOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
