/** A gateway is in one VLAN, or in none between two commands: what is printed is always what a switch starts with. */
import { afterEach, expect, it } from 'vitest';
import { checkDocument } from '../../../src/config/load.js';
import { Console } from '../../conformance/support/console.js';

let sw: Console | undefined;

afterEach(() => {
  sw?.stop();
  sw = undefined;
});

it('leaves its VLAN before it comes into another one', async () => {
  const started = await Console.start({ bridges: { br0: { vlan_filtering: true, ports: { t1: { type: 'tap' } } } } });
  sw = started;
  const stated = async (): Promise<unknown> => {
    const document = await started.live.controls.stated();
    return (document as { bridges: { br0: { ports: { gw: { vlans?: unknown } } } } }).bridges.br0.ports.gw.vlans;
  };
  await started.run('link add gw master br0 type gateway addresses 10.0.30.1/24');
  await expect(started.run('vlan add vid 30 dev gw pvid untagged')).rejects.toThrow(
    '"vlan del" comes before "vlan add"',
  );
  await expect(started.run('vlan add vid 30-31 dev gw')).rejects.toThrow('a gateway is in one VLAN');
  await started.run('vlan del vid 1 dev gw');
  await expect(started.run('vlan add vid 30-31 dev gw')).rejects.toThrow('a gateway is in one VLAN');
  await started.run('vlan add vid 30 dev gw pvid untagged');
  expect(await stated()).toEqual([{ vid: 30, pvid: true, untagged: true }]);
  expect(checkDocument(await started.live.controls.stated()).config.bridges).toHaveLength(1);
});
