/** Remotes in the subnet of a NIC of the switch itself: one warning each, and the file remains valid. */
import { describe, expect, it } from 'vitest';
import { checkDocument } from '../../src/config/load.js';
import { isInSubnet } from '../../src/wire/ip-address.js';

const deps = { hostname: () => 'h', netnsExists: () => true };

function warned(bridge: object, port: object, ports: object = {}): string[] {
  const vx = { type: 'vxlan', id: 42, local: '192.0.2.1', ...port };
  const { warnings } = checkDocument({ bridges: { br0: { ...bridge, ports: { vx, ...ports } } } }, deps);
  return warnings.filter(({ kind }) => kind === 'own_tunnel').map(({ path, message }) => `${path}: ${message}`);
}

const HOST = { host_port: true, addresses: ['192.0.2.1/24'] };

describe('a remote', () => {
  it('in the subnet of a host port is warned of, with what to do', () => {
    expect(warned(HOST, { remotes: ['192.0.2.2', '198.51.100.2'], peers: ['192.0.2.3'] })).toEqual([
      expect.stringMatching(
        /^bridges\.br0\.ports\.vx\.remotes\[0\]: 192\.0\.2\.2 is in the subnet of br0, 192\.0\.2\.1\/24, .* into bridge br0 .*another device$/,
      ),
      expect.stringMatching(/^bridges\.br0\.ports\.vx\.peers\[0\]: 192\.0\.2\.3 /),
    ]);
  });

  it.each<[string, object, object, object]>([
    ['elsewhere', HOST, { remotes: ['198.51.100.2'] }, {}],
    ['of another family', HOST, { local: '2001:db8::1', remotes: ['2001:db8::2'] }, {}],
    ['that a port with dev reaches', HOST, { dev: 'eth0', remotes: ['192.0.2.2'] }, {}],
    [
      'beside a guest of that subnet',
      {},
      { remotes: ['192.0.2.2'] },
      { t: { type: 'tap', netns: 'g', addresses: ['192.0.2.9/24'] } },
    ],
    ['that is the own address', HOST, { remotes: ['192.0.2.1'] }, {}],
  ])('%s is not', (_name, bridge, port, ports) => expect(warned(bridge, port, ports)).toEqual([]));

  it.each<[string, object, object]>([
    ['a vxlan port’s own host port', { host_port: true, addresses: ['192.0.2.9/29'], remotes: ['192.0.2.10'] }, {}],
    [
      'a TAP in the switch’s namespace',
      { remotes: ['192.0.2.2'] },
      { t: { type: 'tap', addresses: ['192.0.2.9/24'] } },
    ],
  ])('in the subnet of %s is', (_name, port, ports) => expect(warned({}, port, ports)).toHaveLength(1));

  it('over IPv6 is', () => {
    const bridge = { host_port: true, addresses: ['2001:db8::1/64'] };
    expect(warned(bridge, { local: '2001:db8::1', remotes: ['2001:db8::2', '2001:db8:0:1::2'] })).toHaveLength(1);
  });
});

it.each([
  ['192.0.2.2', '192.0.2.1', 24, true],
  ['192.0.3.2', '192.0.2.1', 24, false],
  ['192.0.2.2', '192.0.2.1', 32, false],
  ['192.0.2.1', '192.0.2.1', 32, true],
  ['10.0.0.1', '192.0.2.1', 0, true],
  ['200.0.0.1', '192.0.2.1', 1, true],
  ['2001:db8::ffff', '2001:db8::1', 112, true],
  ['2001:db8::1:ffff', '2001:db8::1', 112, false],
  ['2001:db8::1', '192.0.2.1', 0, false],
  ['fe80::1%eth0', 'fe80::2', 64, false],
])('isInSubnet %s %s/%s: %s', (address, of, prefix, expected) => {
  expect(isInSubnet(address, { address: of, prefix })).toBe(expected);
});
