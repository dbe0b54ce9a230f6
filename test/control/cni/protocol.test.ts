/**
 * What a runtime passes, and what somebody else could: calls and results of IPAM are read into checked values, or refused with a
 * code of the specification.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CniError, readAddressing, readCall } from '../../../src/control/cni/protocol.js';
import { addResult } from '../../../src/control/cni/result.js';

const CONFIG = { cniVersion: '1.0.0', name: 'blue', type: 'overtap-cni', vni: 100 };
const CALL = {
  command: 'ADD',
  container: '0123abc',
  netns: '/run/netns/netns-1',
  ifname: 'eth0',
  args: 'IgnoreUnknown=1;K8S_POD_NAME=a;MAC=02:00:00:00:00:05',
  config: JSON.stringify(CONFIG),
};

test('a call of podman', () => {
  const { config, ...rest } = readCall(CALL);
  expect(rest).toEqual({
    command: 'ADD',
    container: '0123abc',
    netns: '/run/netns/netns-1',
    ifname: 'eth0',
    mac: '02:00:00:00:00:05',
  });
  expect(config).toMatchObject({ name: 'blue', vni: 100, remotes: [] });
});

test('a result of host-local: routes without a gateway take that of their family', () => {
  const result = {
    cniVersion: '1.0.0',
    ips: [
      { address: '10.9.0.5/24', gateway: '10.9.0.254' },
      { address: '2001:DB8::5/64', gateway: '2001:db8::1' },
    ],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }, { dst: '198.51.100.0/24', gw: '10.9.0.7' }],
    dns: { nameservers: ['192.0.2.53'] },
  };
  const read = readAddressing(JSON.stringify(result));
  expect(read).toEqual({
    ips: [
      { address: '10.9.0.5/24', gateway: '10.9.0.254' },
      { address: '2001:db8::5/64', gateway: '2001:db8::1' },
    ],
    routes: [
      { dst: '0.0.0.0/0', gw: '10.9.0.254' },
      { dst: '::/0', gw: '2001:db8::1' },
      { dst: '198.51.100.0/24', gw: '10.9.0.7' },
    ],
    dns: { nameservers: ['192.0.2.53'] },
  });
  const call = readCall({ ...CALL, config: JSON.stringify({ ...CONFIG, cniVersion: '1.1.0' }) });
  expect(JSON.parse(addResult(call, read, '02:00:00:00:00:05', 1450))).toEqual({
    cniVersion: '1.1.0',
    interfaces: [{ name: 'eth0', mac: '02:00:00:00:00:05', sandbox: '/run/netns/netns-1', mtu: 1450 }],
    ips: read.ips.map((ip) => ({ interface: 0, ...ip })),
    routes: read.routes,
    dns: read.dns,
  });
});

test.each([
  [4, { command: 'EXEC' }],
  [4, { container: '../a' }],
  [4, { container: '' }],
  [4, { ifname: 'a/b' }],
  [4, { ifname: '..' }],
  [4, { ifname: 'sixteen-letters-' }],
  [4, { netns: '' }],
  [4, { netns: 'run/netns/a' }],
  [4, { netns: '/run/../etc/passwd' }],
  [4, { netns: '/run/netns/a\nb' }],
  [4, { more: 1 }],
  [7, { args: 'MAC=01:00:5e:00:00:01' }],
  [6, { config: '{' }],
  [7, { config: '[]' }],
  [7, { config: '{"name":"../x"}' }],
  [7, { config: '{"name":"a","ipam":{"type":"../../bin/sh"}}' }],
  [7, { config: '{"name":"a","ipam":{"type":"a/b"}}' }],
  [7, { config: '{"name":"a","vni":16777216}' }],
  [1, { config: '{"name":"a","cniVersion":"2.0.0"}' }],
  [7, { config: `{"name":"a","ipam":{"type":"${'x'.repeat(64)}"}}` }],
  [6, { config: `{"name":"a","prevResult":{"dns":{"a":${'['.repeat(100)}${']'.repeat(100)}}}}` }],
  [7, { command: 'GC', config: '{"name":"a"}' }],
])('refused with code %i: %j', (code, part) => {
  const refused = expect(() => readCall({ ...CALL, ...part }));
  refused.toThrow(CniError);
  refused.toThrow(expect.objectContaining({ code }));
});

test.each([
  '',
  'null',
  '{"ips":[{"address":"10.0.0.1"}]}',
  '{"routes":[{"dst":"10.0.0.0/33"}]}',
  '{"routes":[{"dst":"a b/1"}]}',
  `{"dns":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`,
])('a result of IPAM that is none is refused: %s', (output) => {
  expect(() => readAddressing(output)).toThrow(CniError);
});

test('an empty list of GC is a list: nothing is kept', () => {
  const config = JSON.stringify({ ...CONFIG, 'cni.dev/valid-attachments': [] });
  expect(readCall({ ...CALL, command: 'GC', config }).config['cni.dev/valid-attachments']).toEqual([]);
});

test('nothing makes the readers fail otherwise, and no route has a line feed', () => {
  const part = fc.oneof(fc.string(), fc.constantFrom('10.9.0.0/24', '10.9.0.1', '::/0', '\n', '0.0.0.0/0\nend 0'));
  const output = fc.oneof(
    fc.json(),
    fc
      .record({ ips: fc.array(fc.record({ address: part })), routes: fc.array(fc.record({ dst: part, gw: part })) })
      .map((it) => JSON.stringify(it)),
  );
  fc.assert(
    fc.property(output, fc.anything(), (text, body) => {
      for (const read of [() => readAddressing(text), () => readCall(body), () => readCall({ ...CALL, config: text })])
        try {
          const value = read();
          if ('routes' in value)
            for (const { dst, gw = '::' } of value.routes)
              expect(`${dst} ${gw}`).toMatch(/^[0-9a-f:.]+\/\d+ [0-9a-f:.]+$/);
        } catch (error) {
          expect(error).toBeInstanceOf(CniError);
        }
    }),
  );
});

test.each([
  [{ netns: '' }, 'CNI_NETNS: it is not set; give the path of a network namespace, such as /run/netns/NAME'],
  [{ netns: 'blue' }, 'CNI_NETNS: "blue" is not valid; give the path of a network namespace, such as /run/netns/NAME'],
  [{ container: '' }, /^CNI_CONTAINERID: it is not set; give letters/],
  [{ ifname: 'eth0/1' }, /^CNI_IFNAME: "eth0\/1" is not valid; give the name/],
  [{ command: 'FOO' }, /^CNI_COMMAND: "FOO" is not valid; give ADD, /],
])('%j: a variable that is wrong says what to give', (wrong, text) => {
  expect(() => readCall({ ...CALL, ...wrong })).toThrow(text);
});
