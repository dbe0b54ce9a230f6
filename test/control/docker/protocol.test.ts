/**
 * What Docker asks, and what somebody else could: requests are read into checked values or refused with a ProtocolError.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProtocolError } from '../../../src/control/containers/contract.js';
import { readNetworkOptions } from '../../../src/control/docker/network-options.js';
import {
  readEndpoint,
  readEndpointId,
  readJoin,
  readNetwork,
  readNetworkId,
} from '../../../src/control/docker/protocol.js';

const NETWORK = 'a'.repeat(64);
const ENDPOINT = 'b'.repeat(64);
const ids = { NetworkID: NETWORK, EndpointID: ENDPOINT };

describe('requests of dockerd 20.10', () => {
  test('CreateNetwork', () => {
    const body = {
      NetworkID: NETWORK,
      Options: {
        'com.docker.network.enable_ipv6': false,
        'com.docker.network.generic': { vni: '100', remotes: '192.0.2.2, 192.0.2.3' },
      },
      IPv4Data: [{ AddressSpace: 'LocalDefault', Gateway: '10.7.0.1/24', Pool: '10.7.0.0/24' }],
      IPv6Data: [],
    };
    const { options, ...rest } = readNetwork(body);
    expect(rest).toEqual({ network: NETWORK, isInternal: false, gateway: '10.7.0.1' });
    expect(readNetworkOptions(options)).toEqual({ vni: 100, remotes: ['192.0.2.2', '192.0.2.3'] });
    const internal = { ...body, Options: { 'com.docker.network.internal': true }, IPv4Data: null };
    expect(readNetwork(internal)).toMatchObject({ isInternal: true });
  });

  test('CreateEndpoint, with what the user has chosen and without', () => {
    const Interface = { Address: '10.7.0.9/24', AddressIPv6: '', MacAddress: '02:42:00:00:00:09' };
    expect(readEndpoint({ ...ids, Options: {}, Interface })).toEqual({
      network: NETWORK,
      endpoint: ENDPOINT,
      mac: '02:42:00:00:00:09',
      address: '10.7.0.9/24',
    });
    expect(readEndpoint({ ...ids, Interface: null })).toEqual({ network: NETWORK, endpoint: ENDPOINT });
  });

  test('Join', () => {
    const join = { ...ids, SandboxKey: '/var/run/docker/netns/0123456789ab', Options: null };
    expect(readJoin(join)).toEqual({ network: NETWORK, endpoint: ENDPOINT, sandbox: join.SandboxKey });
  });
});

test.each([
  ['a path of a folder above', () => readJoin({ ...ids, SandboxKey: '/run/docker/../../etc/passwd' })],
  ['a relative path', () => readJoin({ ...ids, SandboxKey: 'netns/1' })],
  ['a path with a line feed', () => readJoin({ ...ids, SandboxKey: '/run/a\n' })],
  ['a long path', () => readJoin({ ...ids, SandboxKey: `/${'a'.repeat(300)}` })],
  ['an ID that is a path', () => readNetworkId({ NetworkID: '../../../../etc/passwd' })],
  ['an ID that is a prototype', () => readNetworkId({ NetworkID: '__proto__________' })],
  ['an ID in capitals', () => readEndpointId({ NetworkID: NETWORK, EndpointID: 'B'.repeat(64) })],
  ['a MAC of a group', () => readEndpoint({ ...ids, Interface: { MacAddress: '01:00:5e:00:00:01' } })],
  ['an address without prefix', () => readEndpoint({ ...ids, Interface: { Address: '10.7.0.9' } })],
  ['a gateway that is none', () => readNetwork({ NetworkID: NETWORK, IPv4Data: [{ Gateway: '$(id)/24' }] })],
  ['too many pools', () => readNetwork({ NetworkID: NETWORK, IPv4Data: Array(17).fill({}) })],
  ['an option that is a list', () => readNetwork(withOptions({ vni: [1] }))],
  [
    'too many options',
    () => readNetwork(withOptions(Object.fromEntries(Array.from({ length: 65 }, (_, at) => [at, ''])))),
  ],
  ['a VNI of words', () => readNetworkOptions(new Map([['vni', '1e2']]))],
  ['a VNI of 25 bits', () => readNetworkOptions(new Map([['vni', '16777216']]))],
  ['remotes without a VNI', () => readNetworkOptions(new Map([['remotes', '192.0.2.2']]))],
  [
    'a remote that is a name',
    () =>
      readNetworkOptions(
        new Map([
          ['vni', '1'],
          ['remotes', 'localhost'],
        ]),
      ),
  ],
  ['an option of Object', () => readNetworkOptions(new Map([['constructor', '1']]))],
])('refused: %s', (_what, read) => {
  expect(read).toThrow(ProtocolError);
});

function withOptions(generic: object): object {
  return { NetworkID: NETWORK, Options: { 'com.docker.network.generic': generic } };
}

test('no body makes a reader fail otherwise', () => {
  const anything = fc.oneof(
    fc.anything(),
    fc.record({
      NetworkID: fc.constantFrom(NETWORK, '', 'x'),
      EndpointID: fc.constantFrom(ENDPOINT, '', null),
      SandboxKey: fc.oneof(fc.string(), fc.constant('/run/docker/netns/1')),
      Options: fc.oneof(fc.anything(), fc.record({ 'com.docker.network.generic': fc.anything() })),
      Interface: fc.oneof(fc.anything(), fc.record({ Address: fc.string(), MacAddress: fc.string() })),
      IPv4Data: fc.oneof(fc.anything(), fc.array(fc.record({ Gateway: fc.string() }))),
    }),
  );
  const readers = [readNetwork, readNetworkId, readEndpoint, readEndpointId, readJoin];
  fc.assert(
    fc.property(anything, fc.constantFrom(...readers), (body, reader) => {
      try {
        const read = reader(body);
        if (typeof read === 'object' && 'options' in read) readNetworkOptions(read.options);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});
