/** The keys of EVPN: defaults, values that depend on others, and faults with their remedy. */
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import type { SwitchConfig } from '../../src/config/types.js';
import type { LocalVrf } from '../../src/control/peers/route-contract.js';
import { speakerConfigOf } from '../../src/control/evpn/speaker-config.js';
import type { SwitchModel } from '../../src/control/model/model.js';

const parse = (evpn: string, port = 'local: 192.0.2.1, evpn: true, id: 10010'): SwitchConfig =>
  parseConfig(`${evpn}\nbridges: { br0: { ports: { vx0: { type: vxlan, ${port} } } } }`, 'f.yaml', {
    hostname: () => 'h',
  });
const NEIGHBOR = 'address: 192.0.2.254';

it('has defaults, and an identifier out of the ports', () => {
  const { evpn, bridges } = parse(`evpn: { asn: 65000, neighbors: [{ ${NEIGHBOR} }] }`);
  expect(evpn).toEqual({
    asn: 65000,
    router_id: '192.0.2.1',
    listen: 179,
    duplicates: { moves: 5, seconds: 180, hold: 0 },
    vnis: [],
    neighbors: [
      {
        address: '192.0.2.254',
        asn: 65000,
        port: 179,
        passive: false,
        hold_time: 90,
        connect_retry: 5,
        max_routes: 200_000,
        graceful_restart: 120,
        long_lived_stale: 0,
      },
    ],
  });
  expect(bridges[0]?.ports[0]).toMatchObject({ evpn: true, learning: false });
  const learning = parse('evpn: { asn: 65000 }', 'local: 192.0.2.1, evpn: true, id: 10010, learning: true');
  expect(learning.bridges[0]?.ports[0]).toMatchObject({ evpn: true, learning: true });
  expect(parse('', 'id: 10010')).not.toHaveProperty('evpn');
});

it('gives the speaker distinguishers and targets, automatic ones and its own', () => {
  const { evpn } = parse(
    'evpn: { asn: 4200000001, vnis: [{ vni: 10010, rd: "65001:1", import: ["65001:1", "65002:1"] }] }',
  );
  const vnis = [{ vni: 10010 }, { vni: 20 }, { vni: 65556 }];
  const vxlan = { kind: 'vxlan', name: 'vx0', config: { type: 'vxlan', evpn: true, local: '192.0.2.1' }, vnis };
  const model = { ports: new Map([['vx0', vxlan]]) } as unknown as SwitchModel;
  const made = speakerConfigOf(evpn as NonNullable<typeof evpn>, model, () => '');
  const low = 4_200_000_001 & 0xffff;
  expect(made.vnis.map(({ rd, imports, exports }) => [rd, imports, exports])).toEqual([
    ['65001:1', ['65001:1', '65002:1'], [`${low}:10010`]],
    ['192.0.2.1:20', [`${low}:20`], [`${low}:20`]],
    // 65556 shares its lower bits with 20.
    ['192.0.2.1:21', [`${low}:65556`], [`${low}:65556`]],
  ]);
});

it('gives MAC/IP routes of VNIs behind a gateway the VNI of its VRF, while that has a door', () => {
  const { evpn } = parse('evpn: { asn: 65000 }');
  const vnis = [{ vni: 1010 }, { vni: 1020 }, { vni: 5050 }];
  const vxlan = { kind: 'vxlan', name: 'vx0', config: { type: 'vxlan', evpn: true, local: '192.0.2.1' }, vnis };
  const model = { ports: new Map([['vx0', vxlan]]) } as unknown as SwitchModel;
  const door = { port: 'vx0', l3vni: 5050, routerMac: '02:00:00:00:50:01' };
  const made = (...vrfs: LocalVrf[]) =>
    speakerConfigOf(evpn as NonNullable<typeof evpn>, model, () => '', vrfs).vnis.map(
      ({ vni, kind, l3vni, routerMac }) => [vni, kind, l3vni, routerMac],
    );
  const red = { vrf: 'red', door, vnis: [1010], prefixes: [] };
  expect(made(red, { vrf: 'blue', door: null, vnis: [1020], prefixes: [] })).toEqual([
    [1010, 'l2', 5050, undefined],
    [1020, 'l2', undefined, undefined],
    [5050, 'l3', undefined, '02:00:00:00:50:01'],
  ]);
  expect(made({ ...red, door: null }).map(([, kind, l3vni]) => [kind, l3vni])).toEqual([
    ['l2', undefined],
    ['l2', undefined],
    ['l2', undefined],
  ]);
});

describe('faults', () => {
  it.each([
    ['evpn: { asn: 0 }', undefined, /asn: expected an AS number from 1/],
    ['evpn: {}', undefined, /asn/],
    ['evpn: { asn: 65000 }', 'id: 10010, evpn: true', /local/],
    ['evpn: { asn: 65000 }', 'id: 10010', /router_id: 192\.0\.2\.1/],
    ['', undefined, /needs a speaker; give "evpn:/],
    [`evpn: { asn: 65000, neighbors: [{ ${NEIGHBOR} }, { ${NEIGHBOR} }] }`, undefined, /is a neighbour already/],
    [`evpn: { asn: 65000, neighbors: [{ ${NEIGHBOR}, local: "2001:db8::1" }] }`, undefined, /not of the family/],
    [`evpn: { asn: 65000, neighbors: [{ ${NEIGHBOR}, hold_time: 2 }] }`, undefined, /hold_time/],
    [`evpn: { asn: 65000, neighbors: [{ ${NEIGHBOR}, password: x }] }`, undefined, /password_file/],
    ['evpn: { asn: 65000, vnis: [{ vni: 5 }] }', undefined, /no vxlan port with "evpn: true" carries VNI 5/],
    ['evpn: { asn: 65000, vnis: [{ vni: 10010, rd: x }] }', undefined, /route distinguisher such as 65001:100/],
    ['evpn: { asn: 65000, vnis: [{ vni: 10010, import: ["x"] }] }', undefined, /route target such as 65001:100/],
    ['evpn: { asn: 65000, router_id: "::1" }', undefined, /IPv4 address such as 192\.0\.2\.1/],
  ])('%s %s', (evpn, port, fault) => {
    expect(() => parse(evpn, port)).toThrow(fault);
  });
});
