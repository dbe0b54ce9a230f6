/**
 * Random configurations for the comparison of traces with what happens: a bridge with TAPs, a layer-3 port and a tunnel, joined by a
 * patch pair with a second bridge, and a cross-connect. Each host has a home, so that most of its frames come where it lives, and
 * most answers to it are forwarded.
 */
import fc from 'fast-check';
import type { Document } from '../../../../src/config/edit/tree.js';

export const TAPS = ['t1', 't2', 't3', 't4'];
export const LOCALS = [...TAPS, 'o1', 'p1', 'p2', 'n1', 'x1', 'x2'];
export const SWITCHES = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
export const VIDS = [10, 20, 30];
/** VNI of a tunnel with an `id`, which is also that of VLAN 10 elsewhere. */
export const VNI = 1010;
/** MAC of the host port of some tunnels: a frame from it is an echo. */
export const ECHO = '02:00:00:00:00:ee';
/** Hosts 1 to 8, and where each lives: behind a TAP, the second bridge, or another switch. */
export const HOSTS = [1, 2, 3, 4, 5, 6, 7, 8];
const HOMES = ['t1', 't2', 't3', 't4', 'o1', '192.0.2.2', '192.0.2.3', '192.0.2.2'];
/** Host of the layer-3 port. */
export const PACKET_HOST = '10.0.0.20';

export const homeOf = (host: number): string => HOMES[(host - 1) % HOMES.length];
export const macOf = (host: number): string => `02:00:00:00:00:0${host}`;
export const addressOf = (host: number): string => `10.0.0.${host}`;
/** The router whose MAC short-circuits (rsc) know. */
export const ROUTER = 6;

/** `value` in `share` of a hundred cases, else nothing. */
const at = (share: number, value: object): fc.Arbitrary<object> =>
  fc.oneof({ weight: share, arbitrary: fc.constant(value) }, { weight: 100 - share, arbitrary: fc.constant({}) });

const merged = (...parts: fc.Arbitrary<object>[]): fc.Arbitrary<object> =>
  fc.tuple(...parts).map((list) => Object.assign({}, ...list) as object);

const COMMON = [
  at(8, { learning: false }),
  at(8, { flood: false }),
  at(8, { mcast_flood: false }),
  at(8, { bcast_flood: false }),
  at(18, { isolated: true }),
  at(6, { locked: true }),
  at(6, { locked: true, mab: true, learning: true }),
  at(10, { group_fwd_mask: 0xffff }),
  at(1, { up: false }),
  at(25, { storm_limit: { broadcast: 10, unknown_unicast: 20, multicast: 5 } }),
  at(15, { mcast_router: 2 }),
  at(12, { arp_guard: [1, 2, 3, 4].map(addressOf) }),
  at(8, { allowed_macs: [1, 2, 3, 5, 6].map(macOf) }),
];

/** The VLANs of a local port: mostly its untagged one and a tagged one. */
const LOCAL_VLANS = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .constantFrom(10, 10, 10, 10, 10, 10, 20)
      .map((pvid) => VIDS.map((vid) => ({ vid, ...(vid === pvid ? { pvid: true, untagged: true } : {}) }))),
  },
  { weight: 1, arbitrary: fc.constant([{ vid: 10, pvid: true, untagged: true }]) },
  { weight: 1, arbitrary: fc.constant([{ vid: 10 }, { vid: 20, untagged: true }]) },
);

const vlansIf = (filtering: boolean): fc.Arbitrary<object> =>
  filtering ? LOCAL_VLANS.map((vlans) => ({ vlans })) : fc.constant({});

const stated = (filtering: boolean, host: number): object => ({
  mac: macOf(host),
  ...(filtering ? { vlan: 10 } : {}),
  state: 'static',
});

/** @param host whose MAC some have as a static entry */
const tap = (filtering: boolean, host: number): fc.Arbitrary<object> =>
  merged(
    fc.constant({ type: 'tap' }),
    vlansIf(filtering),
    ...COMMON,
    at(12, { mtu: 1000 }),
    at(10, { neigh_suppress: true }),
    at(10, { hairpin: true }),
    filtering ? fc.constant({}) : at(15, { fdb: [stated(filtering, host)] }),
  );

const REMOTES = (local: string): fc.Arbitrary<string[]> => {
  const others = SWITCHES.filter((one) => one !== local);
  return fc.oneof({ weight: 4, arbitrary: fc.constant(others) }, { weight: 1, arbitrary: fc.subarray(others) });
};

/** Bindings of hosts that live behind tunnels. */
const bindings = (filtering: boolean): object[] =>
  [ROUTER, 7, 8].map((host) => ({
    dst: addressOf(host),
    lladdr: macOf(host),
    ...(filtering ? { vlan: 10 } : {}),
    ...(host === ROUTER ? { router: true } : {}),
  }));

const carried = (filtering: boolean): fc.Arbitrary<object> => {
  const mapped = fc
    .constantFrom([10, 20, 30], [10, 20])
    .map((vids) => ({ vlan_tunnel: true, vlans: vids.map((vid) => ({ vid, tunnel_info: 1000 + vid })) }));
  const one = filtering ? { id: VNI, vlans: [{ vid: 10, pvid: true, untagged: true }, { vid: 20 }] } : { id: VNI };
  return filtering
    ? fc.oneof({ weight: 2, arbitrary: mapped }, { weight: 1, arbitrary: fc.constant(one) })
    : fc.constant(one);
};

function tunnel(filtering: boolean, local: string): fc.Arbitrary<object> {
  // Host 8 lives elsewhere.
  const other = SWITCHES.find((one) => one !== local && one !== homeOf(8));
  return merged(
    fc.constant({ type: 'vxlan', local }),
    REMOTES(local).map((remotes) => ({ remotes })),
    carried(filtering),
    ...COMMON,
    at(50, { neigh_suppress: true }),
    at(25, { proxy: true }),
    at(25, { rsc: true }),
    at(15, { l2miss: true, l3miss: true }),
    at(25, { accept_vteps: 'any' }),
    at(20, { host_port: true, mac: ECHO }),
    at(70, { neigh: bindings(filtering) }),
    at(30, { fdb: [{ ...stated(filtering, 8), dst: other }] }),
  ).chain((given) =>
    'vlan_tunnel' in given ? merged(fc.constant(given), at(25, { inner_vlan: 'keep' })) : fc.constant(given),
  );
}

const layer3 = (filtering: boolean): fc.Arbitrary<object> =>
  merged(
    fc.constant({ type: 'tun', mac: '02:00:00:00:00:20', addresses: [`${PACKET_HOST}/24`] }),
    fc.constant(filtering ? { vlans: [{ vid: 10, pvid: true, untagged: true }] } : {}),
    at(50, { gateway: addressOf(1) }),
    at(15, { isolated: true }),
  );

const patch = (filtering: boolean, peer: string): fc.Arbitrary<object> =>
  merged(fc.constant({ type: 'patch', peer }), vlansIf(filtering), ...COMMON);

function bridge(filtering: boolean, local: string): fc.Arbitrary<object> {
  const grp = { grp: '239.1.2.3', ...(filtering ? { vid: 10 } : {}) };
  return fc
    .tuple(
      fc.tuple(...TAPS.map((_, n) => tap(filtering, n + 1))),
      tunnel(filtering, local),
      patch(filtering, 'p2'),
      layer3(filtering),
      merged(
        at(30, { mcast_snooping: false }),
        at(20, { fdb_max_learned: 2 }),
        at(20, { fdb_local_vlan_0: true }),
        at(60, {
          mdb: [
            { port: 't2', ...grp },
            { port: 'v1', ...grp },
          ],
        }),
        at(20, { group_fwd_mask: 0x4000 }),
      ),
    )
    .map(([taps, v1, p1, n1, own]) => ({
      vlan_filtering: filtering,
      ...own,
      ports: { ...Object.fromEntries(taps.map((one, n) => [TAPS[n], one])), v1, p1, n1 },
    }));
}

/** The switch with the address `local`. */
export function world(local: string): fc.Arbitrary<Document> {
  return fc
    .boolean()
    .chain((filtering) => fc.tuple(bridge(filtering, local), patch(false, 'p1'), tap(false, 5)))
    .map(([br1, p2, o1]) => ({
      name: `at ${local}`,
      fdb_size: 64,
      bridges: {
        br1,
        br2: { ports: { p2, o1 } },
        br3: { xconnect: true, ports: { x1: { type: 'tap' }, x2: { type: 'tap' } } },
      },
    }));
}
