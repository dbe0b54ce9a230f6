/** Link-local underlay addresses: the port's `dev` comes from the option or from a zone. */
import { describe, expect, it } from 'vitest';
import { checkEntry } from '../../src/config/edit/check-entry.js';
import { parseConfig } from '../../src/config/load.js';
import type { SwitchConfig, VxlanConfig } from '../../src/config/types.js';
import { inVxlan } from './fault-texts.js';

const load = (...lines: string[]): SwitchConfig =>
  parseConfig(inVxlan('id: 1', ...lines), 'f', { hostname: () => 'h', netnsExists: () => true });
const portOf = (config: SwitchConfig): VxlanConfig =>
  config.bridges[0].ports.find(({ type }) => type === 'vxlan') as VxlanConfig;

describe('a link-local underlay', () => {
  it.each([
    [['local: fe80::1', 'dev: eth0', 'remotes: ["fe80::2"]']],
    [['local: "fe80::1%eth0"', 'remotes: ["fe80::2"]']],
    [['local: "FE80:0::1%eth0"', 'dev: eth0', 'remotes: ["fe80::2%eth0"]']],
    [['local: fe80::1', 'remotes: ["fe80::2%eth0"]']],
  ])('%s means one thing', (lines) => {
    expect(portOf(load(...lines))).toMatchObject({ local: 'fe80::1', dev: 'eth0', remotes: ['fe80::2'], family: 6 });
  });

  it('has zones in peers and entries, too, and leaves its own address out', () => {
    const lines = ['local: "fe80::1%eth0"', 'remotes: ["fe80::1%eth0", "fe80::2%eth0"]', 'peers: ["fe80::3%eth0"]'];
    const port = portOf(load(...lines, 'fdb: [{ mac: 02:00:00:00:00:01, dst: "fe80::2%eth0" }]'));
    expect(port).toMatchObject({ remotes: ['fe80::2'], ownRemotes: ['fe80::1'], peers: ['fe80::3'] });
    expect(port.fdb).toMatchObject([{ dst: 'fe80::2' }]);
  });

  it.each(['ff02::15c', 'FF12::1'])('has a group of the link: %s', (group) => {
    expect(portOf(load(`group: "${group}"`, 'dev: eth0', 'remotes: ["fe80::2"]'))).toMatchObject({ dev: 'eth0' });
    expect(portOf(load(`group: "${group}"`, 'local: "fe80::1%eth0"'))).toMatchObject({ dev: 'eth0' });
  });

  it('takes entries at run time that are on its link', () => {
    const config = load('local: "fe80::1%eth0"', 'remotes: ["fe80::2"]');
    const { name } = portOf(config);
    const add = (dst: string) => checkEntry(config, { mac: '00:00:00:00:00:00', dev: name, dst });
    expect(add('fe80::3%eth0')).toMatchObject([{ dst: 'fe80::3' }]);
    expect(add('fe80::3')).toMatchObject([{ dst: 'fe80::3' }]);
    expect(() => add('fe80::3%eth1')).toThrow(/on another link than the port, which is on eth0/);
    expect(() => add('fe80::1%eth0')).toThrow(/own local address/);
    const wide = load('local: 2001:db8::1');
    expect(() => checkEntry(wide, { mac: '00:00:00:00:00:00', dev: name, dst: 'fe80::3' })).toThrow(/has no dev/);
    const group = load('local: 2001:db8::1', 'dev: eth0', 'group: "ff05::1"');
    expect(() => checkEntry(group, { mac: '00:00:00:00:00:00', dev: name, dst: 'fe80::3' })).toThrow(
      /group ff05::1 is not/,
    );
  });
});
