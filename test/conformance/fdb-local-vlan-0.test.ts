/**
 * Translation of the kernel's forwarding/bridge_fdb_local_vlan_0.sh: the MAC of the host has one entry without a VLAN in place of one in
 * each VLAN, and frames to it arrive in each. Ports have no MACs of their own here, so that of the bridge's host port is the only one.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { frame } from '../dataplane/support/frames.js';
import { arpRequest } from '../dataplane/support/neigh-frames.js';
import { Console } from './support/console.js';

const H1 = '02:00:00:00:00:01';
const UNKNOWN = '00:11:22:33:44:88';
const MISLEADING = '00:11:22:33:44:77';
const VLANS = [{ vid: 1, pvid: true, untagged: true }, { vid: 2 }, { vid: 3 }];

let sw: Console;
afterEach(() => sw.stop());

async function start(filtering: boolean, shares: boolean): Promise<void> {
  const ports = { swp1: { type: 'tap', vlans: VLANS }, swp2: { type: 'tap', vlans: VLANS } };
  const br = {
    vlan_default_pvid: 0,
    vlan_filtering: filtering,
    fdb_local_vlan_0: shares,
    host_port: true,
    vlans: VLANS,
  };
  sw = await Console.start({ bridges: { br: { ...br, ports } } });
}

const macOfHost = (): string => sw.link('br').address as string;
/** VLANs of the host's entries; 0: none. */
const vlansOf = (mac: string): number[] =>
  sw.live
    .fdb()
    .flatMap((row) => (row.mac === mac && row.ifname === 'br' ? [row.vlan ?? 0] : []))
    .sort();
const arrives = (mac: string, vid?: number): string[] =>
  sw.put('swp1', frame({ source: H1, destination: mac, ...(vid === undefined ? {} : { tci: vid }) })).sort();

function expectHost(vlans: readonly number[], filtering: boolean): void {
  expect(vlansOf(macOfHost())).toEqual(vlans);
  expect(arrives(macOfHost())).toEqual(['br']);
  if (filtering) for (const vid of [2, 3]) expect(arrives(macOfHost(), vid)).toEqual(['br']);
}

describe.each([
  ['d', false],
  ['q', true],
] as const)('bridge_fdb_local_vlan_0.sh, 802.1%s', (_name, filtering) => {
  const byVlan = filtering ? [1, 2, 3] : [0];

  it(filtering ? 'test_q_no_sharing' : 'test_d_no_sharing', async () => {
    await start(filtering, false);
    expectHost(byVlan, filtering);
    await sw.run('link set br type bridge fdb_local_vlan_0 1');
    expectHost([0], filtering);
  });

  it(filtering ? 'test_q_sharing' : 'test_d_sharing', async () => {
    await start(filtering, true);
    expectHost([0], filtering);
    expect(arrives(UNKNOWN)).toEqual(['br', 'swp2']);
    // Only the host's own entries hold in all VLANs.
    if (!filtering) await sw.run(`fdb add ${MISLEADING} dev swp2 master`);
    expect(arrives(MISLEADING)).toEqual(filtering ? ['br', 'swp2'] : ['swp2']);
    await sw.run('link set br type bridge fdb_local_vlan_0 0');
    expectHost(byVlan, filtering);
  });
});

describe('fdb_local_vlan_0', () => {
  it('a VLAN that the host is not in does not lead there, and a new one does', async () => {
    await start(true, true);
    await sw.run('vlan del dev br vid 3');
    expect(arrives(macOfHost(), 3)).toEqual([]);
    expect(sw.live.stats().drops).toEqual({ vlan_not_allowed: 1 });
    await sw.run('vlan add dev br vid 3');
    expect(arrives(macOfHost(), 3)).toEqual(['br']);
    expect(vlansOf(macOfHost())).toEqual([0]);
  });

  it('no guest takes the MAC of the host, in whatever VLAN, nor does a command', async () => {
    await start(true, true);
    const mac = macOfHost();
    expect(sw.put('swp2', frame({ source: mac, destination: UNKNOWN, tci: 2 })).sort()).toEqual(['br', 'swp1']);
    expect(arrives(mac, 2)).toEqual(['br']);
    await sw.run('link set swp2 type bridge_slave locked on mab on');
    expect(sw.put('swp2', frame({ source: mac, destination: UNKNOWN, tci: 3 }))).toEqual([]);
    expect(arrives(mac, 3)).toEqual(['br']);
    expect(sw.live.fdb().filter((row) => row.mac === mac)).toHaveLength(1);
    await expect(sw.run(`fdb add ${mac} dev swp2 vlan 2 static`)).rejects.toThrow(/address of br itself/);
    await expect(sw.run(`fdb replace ${mac} dev swp2 vlan 2 static`)).rejects.toThrow(/address of br itself/);
  });

  it('a request to the host goes to it alone, with suppression elsewhere', async () => {
    await start(true, true);
    await sw.run('link set swp2 type bridge_slave neigh_suppress on');
    const ask = arpRequest(H1, '192.0.2.1', '192.0.2.3', { destination: macOfHost(), tci: 2 });
    expect(sw.put('swp1', ask)).toEqual(['br']);
  });
});
