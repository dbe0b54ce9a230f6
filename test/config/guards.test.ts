/** What frames from a port may claim: forms, bounds, and warnings of settings that contradict each other. */
import { describe, expect, it } from 'vitest';
import { checkDocument } from '../../src/config/load.js';

const deps = { hostname: () => 'h', netnsExists: () => true };

function check(ports: Record<string, object>, bridge: object = {}) {
  const taps = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, { type: 'tap', ...port }]));
  return checkDocument({ bridges: { br0: { ...bridge, ports: taps } } }, deps);
}

const warned = (...given: Parameters<typeof check>): string[] =>
  check(...given)
    .warnings.filter(({ kind }) => kind === 'contradiction')
    .map(({ path, message }) => `${path.replace('bridges.br0.', '')}: ${message}`);

describe('the addresses of arp_guard', () => {
  const read = (...arp_guard: unknown[]): unknown => check({ t: { arp_guard } }).config.bridges[0]?.ports[0]?.arp_guard;

  it('are addresses and prefixes of both families, in canonical text, each once', () => {
    expect(
      read('10.0.0.1', '10.0.0.1/32', 'FE80::0001', '::ffff:10.0.0.2', '10.1.0.0/16', '2001:DB8::/64', '::/0'),
    ).toEqual(['10.0.0.1', 'fe80::1', '10.0.0.2', '10.1.0.0/16', '2001:db8::/64', '::/0']);
  });

  it.each([
    '10.0.0.0/33',
    '10.0.0.1/-1',
    '10.0.0.1/24/24',
    'fe80::/129',
    'host',
    '224.0.0.1',
    '0.0.0.0',
    'fe80::1%eth0',
    7,
  ])('are not %s', (text) => expect(() => read(text)).toThrow(/arp_guard/));

  it('are 256 at most', () => {
    const many = Array.from({ length: 257 }, (_, n) => `10.0.${n >> 8}.${n & 255}`);
    expect(() => read(...many)).toThrow('has 257 items; a port has 256 at most');
    expect(read(...many.slice(1))).toHaveLength(256);
  });
});

describe('the limits of a port', () => {
  it('are in bits and packets, with a burst', () => {
    const [port] =
      check({ t: { police_in: { rate: 1000, burst: 20_000 }, police_out: { pkts_rate: 5 } } }).config.bridges[0]
        ?.ports ?? [];
    expect(port).toMatchObject({
      police_in: { rate: 1000, burst: 20_000, pkts_rate: 0, pkts_burst: 0 },
      police_out: { rate: 0, burst: 0, pkts_rate: 5, pkts_burst: 0 },
    });
  });

  it.each([
    [{ burst: 5 }, 'police_in.burst: is that of a rate, and there is none'],
    [{ pkts_burst: 5, rate: 9 }, 'police_in.pkts_burst: is that of a pkts_rate'],
    [{ rate: -1 }, 'police_in.rate'],
    [{ rate: 2_000_000_000_000 }, 'police_in.rate'],
    [{ rates: 1 }, 'did you mean "rate"'],
  ])('are not %o', (police_in, message) => expect(() => check({ t: { police_in } })).toThrow(message));
});

describe('a contradiction', () => {
  it('of the addresses and the MAC of a NIC with what its port may claim is warned of', () => {
    const nic = { addresses: ['10.0.0.5/24', '2001:db8::5/64'], mac: '02:00:00:00:00:05' };
    expect(warned({ t: { ...nic, arp_guard: ['10.0.0.5'], allowed_macs: ['02:00:00:00:00:06'] } })).toEqual([
      'ports.t.addresses[1]: 2001:db8::5 is not in arp_guard of the port, so nobody finds the guest there; add it there',
      'ports.t.mac: 02:00:00:00:00:05 is not in allowed_macs of the port, so no frame of the guest enters; add it there',
    ]);
    expect(warned({ t: { ...nic, arp_guard: ['10.0.0.0/24', '2001:db8::/32'], allowed_macs: [nic.mac] } })).toEqual([]);
  });

  it('of a static entry with allowed_macs is one', () => {
    const fdb = [{ mac: '02:00:00:00:00:07', state: 'static' }];
    expect(warned({ t: { fdb, allowed_macs: ['02:00:00:00:00:06'] } })).toEqual([
      'ports.t.fdb[0]: 02:00:00:00:00:07 is not in allowed_macs of the port, so no frame from it enters; add it there',
    ]);
  });

  it('is a guard without a trusted port, unless the host is on the bridge', () => {
    const guards = { dhcp_guard: true, ra_guard: true };
    expect(warned({ t: {} }, guards)).toEqual([
      'dhcp_guard: no port of br0 is trusted, so no DHCP server is heard; set trusted: true on its port',
      'ra_guard: no port of br0 is trusted, so no router is heard; set trusted: true on its port',
    ]);
    expect(warned({ t: {}, u: { trusted: true } }, guards)).toEqual([]);
    expect(warned({ t: {} }, { ...guards, host_port: true })).toEqual([]);
    expect(warned({}, guards)).toEqual([]);
  });

  it('is an instance of the spanning tree in which no port has a state', () => {
    const vlan_global = [{ vid: 2, msti: 1 }, { vid: '5-9', msti: 1 }, { vid: 3, msti: 2 }, { vid: 4 }];
    const bridge = { vlan_filtering: true, mst_enabled: true, vlan_global };
    expect(warned({ t: { mst: [{ msti: 2, state: 'forwarding' }] } }, bridge)).toEqual([
      'vlan_global[0].msti: instance 1 is disabled at every port of br0, so no frame of its VLANs passes; give ports a state there (mst)',
    ]);
    expect(warned({ t: {} }, { ...bridge, mst_enabled: false })).toEqual([]);
  });

  it('is one address of two ports of a domain', () => {
    const ports = { t: { arp_guard: ['10.0.0.5', '10.1.0.0/16'] }, u: { arp_guard: ['10.1.0.0/16', '10.0.0.5'] } };
    expect(warned(ports)).toEqual([
      'ports.u.arp_guard[1]: 10.0.0.5 is in arp_guard of bridges.br0.ports.t too, so either guest may take it from the other',
    ]);
    expect(warned(ports, { vlan_filtering: true })).toEqual([]);
  });
});
