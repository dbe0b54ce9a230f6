/**
 * The kernel's tests of entries of the host itself, and of many entries, each with the title that the script logs:
 * tools/testing/selftests/net/forwarding/bridge_mdb_host.sh, and bridge_mdb.sh (fwd_test_host, cfg_test_dump). The host is behind the host
 * port of the bridge. Entries that do not say are permanent here, so `temp` is said.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatMdb } from '../../src/cli/format/mdb.js';
import { encodeEthernet } from '../../src/wire/ethernet.js';
import { LiveSwitch } from '../control/live/live-switch.js';
import { long } from '../long.js';
import { LiveGroups } from './support/live-groups.js';

describe('bridge_mdb_host.sh', () => {
  let net: LiveGroups;

  beforeEach(async () => {
    net = await LiveGroups.start({ host_port: true, ports: { swp1: { type: 'tap' } } });
  });

  afterEach(() => net.stop());

  async function addAndDelete(group: string, flag: string): Promise<void> {
    await net.run(`mdb add dev br0 port br0 grp ${group} ${flag}`);
    const shown = formatMdb({ mdb: net.rows(group), router: [] }, false);
    expect(shown).toMatch(new RegExp(`^dev br0 port br0 grp ${group} ${flag}`, 'm'));
    await net.run(`mdb del dev br0 port br0 grp ${group}`);
    expect(net.rows(group)).toEqual([]);
  }

  it('MDB add/del group 01:00:01:c0:ff:ee to bridge port br0', () => addAndDelete('01:00:01:c0:ff:ee', 'permanent'));

  it('MDB add/del group 225.1.2.3 to bridge port br0', () => addAndDelete('225.1.2.3', 'temp'));

  it('MDB add/del group ff02::42 to bridge port br0', () => addAndDelete('ff02::42', 'temp'));
});

describe('fwd_test_host', () => {
  let net: LiveGroups;

  beforeEach(async () => {
    const vlans = [{ vid: 10 }, { vid: 20 }];
    const options = { vlan_filtering: true, vlan_default_pvid: 0, mcast_igmp_version: 3, mcast_mld_version: 2 };
    const ports = { swp1: { type: 'tap', vlans }, swp2: { type: 'tap', vlans } };
    net = await LiveGroups.start({ ...options, mcast_querier: true, host_port: true, vlans, ports });
    // The response time of its first query.
    await net.wait(10_000);
  });

  afterEach(() => net.stop());

  async function ipHost(group: string): Promise<void> {
    const goes = (): Promise<string[]> => net.datagram('swp1', group, 10);
    expect(await goes()).toEqual([]);
    await net.run(`mdb add dev br0 port swp2 grp ${group} temp vid 10`);
    expect(await goes()).toEqual(['swp2']);
    await net.run(`mdb add dev br0 port br0 grp ${group} temp vid 10`);
    expect((await goes()).sort()).toEqual(['br0', 'swp2']);
    await net.run(`mdb del dev br0 port br0 grp ${group} vid 10`);
    expect(await goes()).toEqual(['swp2']);
    // The host's own reports do the same.
    await net.old('br0', 'join', group, 10);
    expect((await goes()).sort()).toEqual(['br0', 'swp2']);
  }

  it('IPv4 host entries forwarding tests', () => ipHost('239.1.1.1'));

  it('IPv6 host entries forwarding tests', () => ipHost('ff0e::1'));

  it('L2 host entries forwarding tests', async () => {
    const destination = '01:02:03:04:05:06';
    const payload = Uint8Array.from([0, 10, 0x88, 0xb5, ...new Uint8Array(46)]);
    const frame = encodeEthernet({ destination, source: '02:00:00:00:00:0b', etherType: 0x8100, payload });
    const goes = async (): Promise<string[]> => (await net.send('swp1', frame)).sort();
    expect(await goes()).toEqual(['br0', 'swp2']);
    await net.run(`mdb add dev br0 port swp2 grp ${destination} permanent vid 10`);
    expect(await goes()).toEqual(['swp2']);
    await net.run(`mdb add dev br0 port br0 grp ${destination} permanent vid 10`);
    expect(await goes()).toEqual(['br0', 'swp2']);
    await net.run(`mdb del dev br0 port br0 grp ${destination} permanent vid 10`);
    expect(await goes()).toEqual(['swp2']);
  });
});

describe('cfg_test_dump', () => {
  const PORTS = 32;
  /** As many as the script has, in the long form. */
  const GROUPS = long(256, 32);
  let live: LiveSwitch;

  beforeEach(async () => {
    const ports = (bridge: number): object =>
      Object.fromEntries(Array.from({ length: PORTS }, (_, i) => [`b${bridge}-du${i}`, { type: 'tap' }]));
    const bridge = (number: number): object => ({ vlan_filtering: true, ports: ports(number) });
    live = await LiveSwitch.start({ name: 'live', fdb_size: 128, bridges: { br1: bridge(1), br2: bridge(2) } });
  });

  afterEach(() => live.stop());

  async function fill(groupOf: (number: number) => string): Promise<void> {
    for (const bridge of [1, 2]) {
      for (let port = 0; port < PORTS; port++) {
        for (let i = 0; i < GROUPS; i++) {
          const at = { dev: `br${bridge}`, port: `b${bridge}-du${port}`, vid: 1 };
          await live.controls.mdb({ op: 'add', ...at, grp: groupOf(i), state: 'permanent' });
        }
      }
    }
    const rows = live.groups().mdb.filter(({ state }) => state === 'permanent');
    for (const bridge of ['br1', 'br2']) expect(rows.filter(({ dev }) => dev === bridge)).toHaveLength(GROUPS * PORTS);
    const lines = formatMdb({ mdb: rows, router: [] }, false).trimEnd().split('\n');
    expect(new Set(lines).size).toBe(2 * GROUPS * PORTS);
  }

  const hex = (number: number): string => number.toString(16).padStart(2, '0');

  it('IPv4 large scale dump tests', () => fill((i) => `239.1.1.${i}`));

  it('IPv6 large scale dump tests', () => fill((i) => `ff0e::${i.toString(16)}`));

  it('L2 large scale dump tests', () => fill((i) => `01:00:00:00:00:${hex(i)}`));
});
