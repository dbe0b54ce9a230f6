import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import { readyLab } from '../../src/lab/file/ready.js';
import { labDown, labs, labUp } from '../../src/lab/index.js';
import type { Lab } from '../../src/lab/lab.js';
import { defaultPort8472 } from '../../src/lab/scenarios/default-port-8472.js';
import { dove } from '../../src/lab/scenarios/dove.js';
import { evpnReflector } from '../../src/lab/scenarios/evpn-reflector.js';
import { evpnTwoHostsFrr } from '../../src/lab/scenarios/evpn-two-hosts-frr.js';
import { multicastUnderlay } from '../../src/lab/scenarios/multicast-underlay.js';
import { routed } from '../../src/lab/scenarios/routed.js';
import { threeHostsUnicast } from '../../src/lab/scenarios/three-hosts-unicast.js';
import { twoBridges } from '../../src/lab/scenarios/two-bridges.js';
import { vlanTenants } from '../../src/lab/scenarios/vlan-tenants.js';
import { vmsAndContainers, vmsAndContainersUnicast } from '../../src/lab/scenarios/vms-and-containers.js';
import { switchFiles } from '../../src/lab/setup/state.js';
import { namespacesOf } from '../../src/lab/setup/topology.js';

const oneVxlanManyVlans = readyLab('one-vxlan-many-vlans');
const pointToPoint = readyLab('point-to-point');
const fullMesh = readyLab('full-mesh');
const anycastGateway = readyLab('anycast-gateway');

const ALL: readonly Lab[] = [
  oneVxlanManyVlans,
  threeHostsUnicast,
  multicastUnderlay,
  pointToPoint,
  defaultPort8472,
  dove,
  twoBridges,
  anycastGateway,
  vlanTenants,
  routed,
  fullMesh,
  evpnTwoHostsFrr,
  evpnReflector,
  vmsAndContainers,
  vmsAndContainersUnicast,
];

const configOf = (lab: Lab, host: number): string => {
  const of = lab.topology.hosts[host];
  if (!of) throw new RangeError('no such host');
  return lab.config(of, switchFiles('/run/overtap-lab', lab.name, of.name));
};

test('every lab is listed, with a description', () => {
  expect(labs.map(({ name }) => name)).toEqual(ALL.map(({ name }) => name));
  expect(labs.map(({ summary }) => summary)).toEqual(ALL.map(({ summary }) => summary));
  for (const { summary } of labs) expect(summary.length).toBeGreaterThan(20);
});

test('an unknown lab is refused with the names of all labs', async () => {
  for (const verb of [labUp, labDown]) {
    await expect(verb('nonsense', () => {})).rejects.toMatchObject({
      code: 'LAB_UNKNOWN',
      message: expect.stringContaining('point-to-point'),
    });
  }
});

describe.each(ALL.map((lab) => [lab.name, lab] as const))('%s', (_, lab) => {
  test('the configuration of every host is valid', () => {
    const namespaces = new Set(namespacesOf(lab.topology));
    for (const [index, host] of lab.topology.hosts.entries()) {
      const parsed = parseConfig(configOf(lab, index), `${host.name}.yaml`, {
        netnsExists: (name) => namespaces.has(name),
      });
      expect(parsed.name).toBe(host.name);
    }
  });

  test('names are short enough and unique', () => {
    const { hosts: own, plainHosts = [], stations, router, segment, machines = [] } = lab.topology;
    const hosts = [...own, ...plainHosts];
    for (const { ifname } of stations) expect(ifname.length).toBeLessThanOrEqual(15);
    for (const values of [
      hosts.map((host) => host.address),
      [...stations, ...machines].map(({ address }) => address),
      [...stations, ...machines].map(({ mac }) => mac),
      stations.map((station) => station.netns),
      [...hosts.map((host) => host.netns), ...(router ? [router.netns] : []), ...(segment ? [segment.netns] : [])],
    ]) {
      expect(new Set(values).size).toBe(values.length);
    }
  });

  test('every route starts at a NIC that a configuration creates', () => {
    const nics = lab.topology.hosts.flatMap((host, index) => {
      const parsed = parseConfig(configOf(lab, index), `${host.name}.yaml`, { netnsExists: () => true });
      const ports = parsed.bridges.flatMap((bridge) => bridge.ports);
      return ports.flatMap((port) => (port.type === 'tap' ? [`${port.netns} ${port.ifname}`] : []));
    });
    for (const { from } of lab.topology.routes ?? []) expect(nics).toContain(`${from.netns} ${from.ifname}`);
    for (const { netns } of lab.topology.overlayRouters ?? []) {
      expect(nics.filter((nic) => nic.startsWith(`${netns} `)).length).toBeGreaterThan(0);
    }
  });
});

test('no two labs share a namespace, so that all can be up at once', () => {
  const names = ALL.flatMap((lab) => namespacesOf(lab.topology));
  expect(new Set(names).size).toBe(names.length);
});

test('the configuration of one port for all VNIs', () => {
  expect(configOf(oneVxlanManyVlans, 0)).toMatchInlineSnapshot(`
    "# Lab one-vxlan-many-vlans, host h1.
    name: h1
    control: /run/overtap-lab/one-vxlan-many-vlans/h1.sock
    bridges:
      br1:
        vlan_filtering: true
        ports:
          tap1_0:                          # the port of guest h1-ns2
            type: tap
            netns: ovt-1vmv-h1-ns2
            ifname: tap1_1
            mac: 02:00:00:00:02:01
            addresses: [100.0.1.1/24]
            vlans: [{ vid: 2, pvid: true, untagged: true }]
          tap2_0:                          # the port of guest h1-ns3
            type: tap
            netns: ovt-1vmv-h1-ns3
            ifname: tap2_1
            mac: 02:00:00:00:03:01
            addresses: [100.0.2.1/24]
            vlans: [{ vid: 3, pvid: true, untagged: true }]
          vxlan0:                          # one port for all VNIs
            type: vxlan
            local: 192.0.2.1
            dstport: 4789
            vlan_tunnel: true
            vlans:
              - { vid: 2, tunnel_info: 2 }
              - { vid: 3, tunnel_info: 3 }
            remotes: [192.0.2.2]
    "
  `);
});

test('the configuration of a trunk with inner tags in one VNI', () => {
  expect(configOf(vlanTenants, 1)).toMatchInlineSnapshot(`
    "# Lab vlan-tenants, host host2.
    name: host2
    control: /run/overtap-lab/vlan-tenants/host2.sock
    bridges:
      bridge2:
        vlan_filtering: true
        ports:
          h3:
            type: tap
            netns: ovt-vten-h3
            ifname: eth0
            mac: 02:00:00:00:00:02
            addresses: [10.0.0.2/24]
            vlans: [{ vid: 10, pvid: true, untagged: true }]
          h4:
            type: tap
            netns: ovt-vten-h4
            ifname: eth0
            mac: 02:00:00:00:01:02
            addresses: [10.0.1.2/24]
            vlans: [{ vid: 20, pvid: true, untagged: true }]
          vxlan0:                            # the cable to the other bridge
            type: vxlan
            id: 100
            local: 192.0.2.2
            dstport: 4789
            remotes: [192.0.2.1]
            vlans:                           # a trunk: both VLANs, each frame with its tag
              - { vid: 10 }
              - { vid: 20 }
    "
  `);
});

test('the configuration of two bridges on one switch, one of them with a tunnel', () => {
  expect(configOf(routed, 1)).toMatchInlineSnapshot(`
    "# Lab routed, host host2.
    name: host2
    control: /run/overtap-lab/routed/host2.sock
    bridges:
      bridge2:                         # the guests and one NIC of the router; no tunnel
        ports:
          h3:
            type: tap
            netns: ovt-rtd-h3
            ifname: eth0
            mac: 02:00:00:00:01:01
            addresses: [10.0.1.1/24]
          h4:
            type: tap
            netns: ovt-rtd-h4
            ifname: eth0
            mac: 02:00:00:00:01:02
            addresses: [10.0.1.2/24]
          r2-lan:
            type: tap
            netns: ovt-rtd-r2
            ifname: lan
            mac: 02:00:00:00:fe:02
            addresses: [10.0.1.254/24]
      transit2:                        # the router's other NIC and the tunnel to the other router
        ports:
          r2-transit:
            type: tap
            netns: ovt-rtd-r2
            ifname: transit
            mac: 02:00:00:00:02:02
            addresses: [10.0.2.2/24]
          vxlan0:
            type: vxlan
            id: 100
            local: 192.0.2.2
            dstport: 4789
            remotes: [192.0.2.1]
    "
  `);
});

test('the configuration of a tunnel without remotes', () => {
  expect(configOf(defaultPort8472, 0)).toMatchInlineSnapshot(`
    "# Lab default-port-8472, host host1.
    name: host1
    control: /run/overtap-lab/default-port-8472/host1.sock
    bridges:
      br0:
        ports:
          g1:
            type: tap
            netns: ovt-8472-g1
            ifname: eth0
            mac: 02:00:00:00:21:01
            addresses: [10.0.21.1/24]
          # No remotes here. This command adds one to the running switch:
          # overtap -s /run/overtap-lab/default-port-8472/host1.sock fdb append 00:00:00:00:00:00 dev vxlan21 dst 192.0.2.2
          vxlan21:
            type: vxlan
            id: 100
            local: 192.0.2.1
            dstport: 8472
    "
  `);
});

test('the configuration of a virtual machine, by its socket and by a macvtap', () => {
  const own = (lab: Lab, host: number): string => /vm\d:[\s\S]*?vxlan0:[\s\S]*/.exec(configOf(lab, host))?.[0] ?? '';
  expect(own(vmsAndContainers, 1)).toMatchInlineSnapshot(`
    "vm2:
            type: qemu
            connect: /run/overtap-lab/vms-and-containers/vm2/net    # QEMU listens there
          vxlan0:
            type: vxlan
            id: 100
            local: 192.0.2.2
            dstport: 4789
            group: 239.0.0.1
            dev: eth0
    "
  `);
  expect(own(vmsAndContainersUnicast, 1)).toMatchInlineSnapshot(`
    "vm2:
            type: tap
            mac: 52:54:00:00:01:02          # the machine's: its NIC is a macvtap on this TAP
            persist: true
          vxlan0:
            type: vxlan
            id: 100
            local: 192.0.2.2
            dstport: 4789
            remotes: [192.0.2.1]
    "
  `);
});

test('the machines of both forms have a socket, and one has a macvtap on its TAP', () => {
  const attachments = [vmsAndContainers, vmsAndContainersUnicast].map(({ topology }) =>
    topology.machines?.map(({ attachment }) => attachment),
  );
  expect(attachments).toEqual([
    ['socket', 'socket'],
    ['socket', 'macvtap'],
  ]);
});
