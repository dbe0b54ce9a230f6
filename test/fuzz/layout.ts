/**
 * The fuzzed switch: every kind of port with every option, so that garbage reaches each branch, and bystanders among them.
 *
 *   calm   calm-a  calm-b  calm-c                          no VLAN filtering; bystanders only
 *   near   calm-d gw-d;  away   calm-e gw-e                bystanders of two subnets, in a VRF of their own
 *   br0    guest-c guest-d  - VLAN 77 -  tunnel            a VLAN and a VNI of the bystanders' own, ...
 *          access trunk locked stormy ...  gw2 gw3         ... noise in VLANs 1 to 3, two of which have gateways
 *   br1    plain quiet small  single strict                no VLAN filtering; proxy, rsc and misses
 *   br3    customer carrier  nni service                 ... 802.1ad, with tags of customers in VNIs
 *   br2    left right  six gnv                               snooping, suppression, IPv6 underlay
 */
import { L2MISS, L3MISS, NEIGH_SUPPRESS, PROXY, RSC } from '../../src/dataplane/state/forwarding.js';
import { FLAG_STATIC } from '../../src/fdb/table.js';
import { type BridgeSpec, NO_BRIDGE, type TapSpec, type VxlanSpec } from '../dataplane/support/control-model.js';
import { A, C, D, MULTICAST } from '../dataplane/support/frames.js';

/** The VLAN, VNI and VTEP of the bystanders. No noise comes from that address. */
export const CALM_VID = 77;
export const CALM_VNI = 0xa5a5a5;
export const CALM_VTEP = '192.0.2.200';
/** The bystander behind it. */
export const FAR_MAC = '02:aa:00:00:00:0f';

export const VTEPS = ['192.0.2.1', '192.0.2.2', '2001:db8:1::3', '198.51.100.9'];
export const FILTERING: ReadonlySet<string> = new Set(['br0', 'br3']);
/** Bridges of 802.1ad. */
export const SERVICE: ReadonlySet<string> = new Set(['br3']);
/** The one bridge where ports may have `rsc`. */
export const SHORT_CUTS: ReadonlySet<string> = new Set(['br1']);
/** Number of the bridges in their loop probes: the samples have it. */
export const PROBE_ID = [0x0badcafe, 0x5eed] as const;
/** The MAC of all gateways, and the addresses of those that noise reaches: the subnet of most samples is behind `gw3`. */
export const GATEWAY_MAC = '02:00:5e:00:00:01';
export const GATEWAY_ADDRESSES = ['198.18.1.1', '2001:db8:2::1'];
const gateway = (vid: number, ...addresses: string[]) =>
  ({ type: 'tap', vlans: [`${vid} pvid untagged`], gateway: { mac: GATEWAY_MAC, addresses } }) as const;
const calmGateway = (...addresses: string[]) =>
  ({ type: 'tap', mtu: 1500, gateway: { mac: GATEWAY_MAC, addresses, vrf: 1 } }) as const;

const SNOOPING = { snooping: true, ageingSeconds: 2, guard: PROBE_ID, stp: true };

export const BRIDGES: Record<string, BridgeSpec> = {
  calm: {
    ageingSeconds: 10,
    ports: { 'calm-a': { type: 'tap' }, 'calm-b': { type: 'tap' }, 'calm-c': { type: 'tap' } },
  },
  near: { ports: { 'calm-d': { type: 'tap' }, 'gw-d': calmGateway('10.9.4.1/24', 'fd00:4::1/64') } },
  away: { ports: { 'calm-e': { type: 'tap' }, 'gw-e': calmGateway('10.9.5.1/24', 'fd00:5::1/64') } },
  br0: {
    ...SNOOPING,
    filtering: true,
    maxLearned: 120,
    groupFwdMask: 1 << 14,
    ports: {
      'guest-c': { type: 'tap', vlans: ['77 pvid untagged'] },
      'guest-d': { type: 'tap', vlans: ['77'] },
      access: { type: 'tap', vlans: ['2 pvid untagged'], fdb: [{ mac: D, vlan: 2, flags: FLAG_STATIC }] },
      trunk: { type: 'tap', vlans: ['1 pvid untagged', '2', '3'] },
      'no-pvid': { type: 'tap', vlans: ['3'], isolated: true },
      apart: { type: 'tap', vlans: ['3 pvid untagged'], isolated: true },
      locked: { type: 'tap', vlans: ['2 pvid'], locked: true },
      deaf: { type: 'tap', vlans: ['2 pvid untagged'], off: ['learning', 'flood'] },
      stormy: {
        type: 'tap',
        vlans: ['2 pvid untagged', '3'],
        storm: { broadcast: 40, unknownUnicast: 200, multicast: 60 },
      },
      narrow: { type: 'tap', vlans: ['2 pvid untagged', '3'], mtu: 600 },
      down: { type: 'tap', vlans: ['2 pvid untagged'], off: ['up'] },
      gw2: gateway(2, `${GATEWAY_ADDRESSES[0]}/24`, `${GATEWAY_ADDRESSES[1]}/64`, 'fe80::1/64'),
      gw3: gateway(3, '198.18.0.14/28', '2001:db8::e/64', 'fe80::1/64'),
      tunnel: {
        type: 'vxlan',
        vlans: ['2', '3', '77'],
        tunnel: { 2: 200, 3: 300, [CALM_VID]: CALM_VNI },
        own: { 2: VTEPS.slice(0, 2), 3: VTEPS.slice(1, 3), [CALM_VID]: [CALM_VTEP] },
        pins: [{ mac: MULTICAST, vlan: 2, dst: [VTEPS[2]] }],
        // The bystander shares this port with noise, which would push its entry out if it were a learned one.
        fdb: [
          { mac: C, vlan: 2, dst: VTEPS[0] },
          { mac: FAR_MAC, vlan: CALM_VID, dst: CALM_VTEP },
        ],
        mac: D,
        tos: -1,
        dfInherit: true,
      },
      wide: {
        type: 'vxlan',
        vlans: ['2', '3'],
        tunnel: { 2: 201, 3: 301 },
        keepInnerVlan: true,
        dropReserved: true,
        acceptAny: true,
        maxLearned: 20,
      },
    },
  },
  br1: {
    ageingSeconds: 2,
    ports: {
      plain: { type: 'tap', mtu: 1280, guard: { addresses: ['198.18.0.1', '2001:db8::/126'], dhcp: true, ra: true } },
      quiet: { type: 'tap', off: ['bcast_flood', 'mcast_flood'], isolated: true },
      small: {
        type: 'tap',
        mtu: 200,
        isolated: true,
        police: { input: { rate: 20_000_000, burst: 100_000 }, output: { pktsRate: 2000, pktsBurst: 20 } },
      },
      single: { type: 'vxlan', vni: 42, remotes: VTEPS.slice(0, 1), acceptAny: true, tos: -1, mac: C },
      strict: { type: 'vxlan', vni: 43, shares: 'single', remotes: VTEPS.slice(0, 3), dropReserved: true, tos: 0xb8 },
      empty: { type: 'vxlan', vni: 45, shares: 'single', peers: VTEPS.slice(0, 2) },
    },
  },
  br2: {
    ...SNOOPING,
    ports: {
      left: { type: 'tap', guard: { macs: [A, C, D], addresses: ['198.18.0.0/16', '::/0'] } },
      right: { type: 'tap', mtu: 9000 },
      gnv: {
        type: 'vxlan',
        geneve: true,
        vni: 47,
        dstport: 6081,
        remotes: VTEPS.slice(0, 2),
        acceptAny: true,
        fdb: [{ mac: C, dst: VTEPS[0] }],
      },
      six: { type: 'vxlan', vni: 44, remotes: [VTEPS[2], '2001:db8:1::4'], acceptAny: true },
    },
  },
  br3: {
    ...SNOOPING,
    filtering: true,
    serviceTags: true,
    ports: {
      customer: { type: 'tap', vlans: ['2 pvid untagged'] },
      carrier: { type: 'tap', vlans: ['2', '3'], mtu: 1500 },
      nni: {
        type: 'vxlan',
        vlans: ['2', '3'],
        tunnel: { 2: 202, 3: 302 },
        remotes: VTEPS.slice(0, 2),
        fdb: [{ mac: C, vlan: 2, dst: VTEPS[0] }],
        keepInnerVlan: true,
      },
      service: { type: 'vxlan', vni: 48, vlans: ['3 pvid untagged'], remotes: VTEPS.slice(1, 2), acceptAny: true },
    },
  },
  [NO_BRIDGE]: { ports: { loose: { type: 'tap' } } },
};

/** Flags that the short descriptions have no words for. */
export const FURTHER_FLAGS: Readonly<Record<string, number>> = {
  tunnel: NEIGH_SUPPRESS | L2MISS | L3MISS,
  wide: L2MISS | L3MISS,
  single: PROXY | RSC | L2MISS | L3MISS,
  strict: RSC | NEIGH_SUPPRESS,
  empty: L2MISS,
  six: NEIGH_SUPPRESS | L3MISS,
};

export const GUARDED = ['calm-a', 'calm-b', 'calm-c', 'calm-d', 'calm-e', 'guest-c', 'guest-d'];
export const GATEWAYS = ['gw-d', 'gw-e', 'gw2', 'gw3'];

/** Ports that come and go while it runs; they have nothing of the bystanders'. */
export const PASSING: Readonly<Record<string, { bridge: string; spec: TapSpec | VxlanSpec }>> = {
  'passing-tap': { bridge: 'br0', spec: { type: 'tap', vlans: ['2 pvid untagged', '3'] } },
  'passing-tunnel': { bridge: 'br2', spec: { type: 'vxlan', vni: 46, remotes: VTEPS.slice(0, 2), acceptAny: true } },
};
