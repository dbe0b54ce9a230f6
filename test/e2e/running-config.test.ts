/**
 * What a running switch prints as its configuration, after changes of every kind: a file that `apply` finds equal, that
 * another switch can be started with, and that the control socket gives in the same words.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LinkRow } from '../../src/api/api.js';
import { World } from './host-testbed.js';
import { clientOf, give, startWith } from './live-support.js';
import { OVERTAP, type RunningSwitch } from './switch.js';
import { type Host, twoHosts } from './topologies.js';

const MAC = '02:00:00:00:09:01';
const NOTHING = 'nothing to do: the switch has this configuration\n';

let world: World;
let hosts: [Host, Host];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
});

afterEach(() => world.cleanUp());

function start(name: string): Promise<RunningSwitch> {
  const vxlan = `{ type: vxlan, local: ${hosts[0].address}, vlan_tunnel: true, vlans: [{ vid: 2, tunnel_info: 2 }] }`;
  const bridge = `  br1:\n    vlan_filtering: true # comments are lost\n    ports:\n      vxlan0: ${vxlan}\n`;
  return startWith(world, hosts[0].netns, name, `bridges:\n${bridge}`);
}

/** `overtap WORDS` with something on standard input. */
function fed(sw: RunningSwitch, words: string, input: string): string {
  const argv = [OVERTAP, '-s', sw.control, ...words.split(' ')];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { input, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

test('config show prints a file that apply finds equal, run-time entries among it', async () => {
  const sw = await start('host1');
  await give(
    sw,
    'link add tap9 master br1 type tap',
    'link set tap9 type bridge_slave learning off storm_limit broadcast 100',
    'link set br1 type bridge ageing_time 60',
    'vlan add dev tap9 vid 2 pvid untagged',
    'vlan add dev vxlan0 vid 4 tunnel_info id 4',
    `fdb append 00:00:00:00:00:00 dev vxlan0 dst ${hosts[1].address} src_vni 4`,
    `fdb append 00:00:00:00:00:00 dev vxlan0 dst ${hosts[1].address} port 8472`,
    `fdb add ${MAC} dev vxlan0 dst ${hosts[1].address} src_vni 2 master static`,
    `fdb add 02:00:00:00:09:02 dev tap9 vlan 2 master static sticky`,
  );
  const shown = await give(sw, 'config show');
  expect(fed(sw, 'apply -c - --dry-run', shown)).toBe(NOTHING);
  const file = world.file('shown.yaml', shown);
  expect(await give(sw, `apply -c ${file}`)).toBe(NOTHING);
  expect(await give(sw, 'config show')).toBe(shown);
  expect(await clientOf(sw).get('/v1/config')).toMatchObject({
    bridges: {
      br1: {
        vlan_filtering: true,
        ageing_time: 60,
        ports: {
          tap9: { type: 'tap', learning: false, storm_limit: { broadcast: 100 } },
          vxlan0: { vlan_tunnel: true, fdb: expect.arrayContaining([expect.objectContaining({ mac: MAC, vni: 2 })]) },
        },
      },
    },
  });

  // The file leads back, and says what was taken out too.
  await give(sw, `fdb del ${MAC} dev vxlan0 src_vni 2`, 'vlan del dev tap9 vid 2');
  expect(await give(sw, 'config show')).not.toContain(MAC);
  writeFileSync(file, shown);
  await give(sw, `apply -c ${file}`);
  expect(await give(sw, 'config show')).toBe(shown);
});

test('-batch runs the commands that apply --dry-run prints, and a thousand others', async () => {
  const sw = await start('host1');
  await give(sw, 'link add tap9 master br1 type tap', 'vlan add dev tap9 vid 2 pvid untagged');
  const shown = await give(sw, 'config show');
  const file = world.file('shown.yaml', shown);
  await give(sw, 'link del tap9', 'vlan del dev vxlan0 vid 2');
  expect(fed(sw, '-batch -', await give(sw, `apply -c ${file} --dry-run`))).toBe('');
  expect(await give(sw, 'config show')).toBe(shown);

  const macs = Array.from(
    { length: 1000 },
    (_, at) => `02:00:00:01:${Buffer.of(at >> 8, at).toString('hex', 0, 1)}:${Buffer.of(at).toString('hex')}`,
  );
  expect(fed(sw, '-batch -', macs.map((mac) => `fdb add ${mac} dev tap9 vlan 2 master static\n`).join(''))).toBe('');
  const held = new Set((await sw.fdb('dev tap9')).map(({ mac }) => mac));
  expect(macs.filter((mac) => !held.has(mac))).toEqual([]);
});

test('link show -d tells every option in force, under the keys of the file', async () => {
  const sw = await start('host2');
  const rows = (await sw.json('link show -d')) as LinkRow[];
  const rowOf = (name: string): LinkRow | undefined => rows.find(({ ifname }) => ifname === name);
  expect(rowOf('br1')).toMatchObject({ vlan_filtering: true, ageing_time: 300, mcast_snooping: true, up: true });
  expect(rowOf('vxlan0')).toMatchObject({
    ...{ type: 'vxlan', dstport: 4789, udpcsum: true, ttl: 0, df: 'unset', srcport: [32768, 61000], ageing: 300 },
    ...{ accept_vteps: 'known', inner_vlan: 'drop', reserved_bits: 'ignore', learning: true, mcast_router: 1 },
  });
  expect((await sw.json('link show')) as LinkRow[]).not.toContainEqual(expect.objectContaining({ df: 'unset' }));
  expect(await give(sw, '-d link show vxlan0')).toMatch(/ dstport 4789 .* ttl auto .* df unset fragment off udpcsum /);
});
