/** Each remote that comes to the multicast database of a tunnel, and each that goes, is told once (`monitor mdb`). */
import { afterEach, expect, it } from 'vitest';
import type { SwitchEvent } from '../../../src/api/api.js';
import { mdbChange } from '../../../src/cli/requests/mdb.js';
import { Console } from '../../conformance/support/console.js';

let host: Console;
afterEach(() => host.stop());

it('entries are told by port, group, source, remote and VNI', async () => {
  const vx0 = { type: 'vxlan', local: '192.0.2.1', vlan_tunnel: true, vlans: [{ vid: 10, tunnel_info: 10010 }] };
  host = await Console.start({ bridges: { br0: { vlan_filtering: true, ports: { vx0 } } } });
  const told: SwitchEvent[] = [];
  const stop = host.live.controls.subscribe((event) => event.event === 'mdb' && told.push(event));
  const after = async (line: string): Promise<object[]> => {
    told.length = 0;
    const [object, verb, ...words] = line.split(' ');
    if (object === 'link') await host.run(line);
    else if (verb === 'del') await host.live.controls.mdb(mdbChange('del', words));
    else await host.live.controls.mdb(mdbChange('add', words));
    host.live.drainEvents();
    return told.map((event) => event);
  };
  const of = { event: 'mdb', dev: 'vx0', port: 'vx0', grp: '239.1.1.1', src_vni: 10010 };
  const entry = 'dev vx0 port vx0 grp 239.1.1.1';
  const first = { ...of, dst: '198.51.100.1' };
  expect(await after(`mdb add ${entry} permanent dst 198.51.100.1 src_vni 10010`)).toEqual([
    { ...first, change: 'added' },
  ]);
  const list = 'filter_mode include source_list 192.0.2.129,192.0.2.130';
  const second = { ...of, dst: '198.51.100.2' };
  const pairs = ['192.0.2.129', '192.0.2.130'].map((src) => ({ ...second, src }));
  expect(await after(`mdb add ${entry} permanent ${list} dst 198.51.100.2 src_vni 10010`)).toEqual(
    [second, ...pairs].map((one) => ({ ...one, change: 'added' })),
  );
  expect(await after(`mdb del ${entry} dst 198.51.100.9 src_vni 10010`).catch(() => told)).toEqual([]);
  expect(await after(`mdb del ${entry} dst 198.51.100.1 src_vni 10010`)).toEqual([{ ...first, change: 'deleted' }]);
  expect(await after('link del vx0')).toEqual([second, ...pairs].map((one) => ({ ...one, change: 'deleted' })));
  stop();
});
