/**
 * The kernel's test_vxlan_vnifiltering.sh: a vxlan device that takes configured VNIs only is a vxlan port with `vlan_tunnel`, whose VNIs
 * are those of its VLANs. Two such ports, over IPv4 and IPv6, with VLANs 10 and 20 each; the other hypervisor is played.
 */
import { describe, expect, it } from 'vitest';
import { A, B, BROADCAST, frame } from '../dataplane/support/frames.js';
import { TestSwitch, type VxlanSpec } from '../dataplane/support/harness.js';

const [HV2, HV2_6] = ['172.16.0.2', '2002:fee1::2'];
const VIDS = [10, 20];

/** `reach` gives a port its way to the other hypervisor. */
function make(reach: (address: string) => Partial<VxlanSpec>, further: Record<string, object> = {}): TestSwitch {
  const bridge = (number: number, address: string) => ({
    filtering: true,
    ports: {
      [`veth${number}1`]: { type: 'tap' as const, vlans: ['10', '20'] },
      [`vxlan${number}`]: {
        type: 'vxlan' as const,
        vlans: ['10', '20'],
        tunnel: { 10: 10 + number, 20: 20 + number },
        ...reach(address),
      },
    },
  });
  return new TestSwitch({ br1: bridge(1, HV2), br2: bridge(2, HV2_6), ...further } as never);
}

/** Each VLAN in its own VNI, there and back; a VNI of the other port is taken by neither. */
function expectConnectivity(sw: TestSwitch, number: number, to: string, from = to): void {
  const [guest, port] = [`veth${number}1`, `vxlan${number}`];
  for (const vid of VIDS) {
    const { out } = sw.send(guest, frame({ source: A, destination: BROADCAST, tci: vid }));
    expect(out.map((copy) => copy.to)).toEqual([`${port}>${to}`]);
    expect(out[0].header[6]).toBe(vid + number);
    const back = sw.tunnel(port, from, vid + number, frame({ source: B, destination: A }));
    expect(back.to).toEqual([guest]);
    expect(sw.send(guest, frame({ source: A, destination: B, tci: vid })).to).toEqual([`${port}>${from}`]);
  }
  expect(sw.tunnel(port, from, 99, frame({ source: B, destination: A })).drops).toEqual([`${port} vni_unknown`]);
}

describe('test_vxlan_vnifiltering.sh', () => {
  it('vxlan_vnifilter_datapath: the remote of the port', () => {
    const sw = make((address) => ({ remotes: [address] }));
    expectConnectivity(sw, 1, HV2);
    expectConnectivity(sw, 2, HV2_6);
  });

  it('vxlan_vnifilter_datapath_pervni: a remote of each VNI', () => {
    const sw = make((address) => ({ own: { 10: [address], 20: [address] } }));
    expectConnectivity(sw, 1, HV2);
    expectConnectivity(sw, 2, HV2_6);
  });

  it('vxlan_vnifilter_datapath_mgroup: the group of the port', () => {
    const group = (address: string): string => (address.includes(':') ? 'ff07::1' : '239.1.1.100');
    const sw = make((address) => ({ remotes: [group(address)], acceptAny: true }));
    expectConnectivity(sw, 1, '239.1.1.100', HV2);
    expectConnectivity(sw, 2, 'ff07::1', HV2_6);
  });

  it('vxlan_vnifilter_metadata_and_traditional_mix: beside ports of one VNI, and of many at another UDP port', () => {
    const sw = make((address) => ({ remotes: [address] }), {
      br3: {
        filtering: true,
        ports: {
          veth31: { type: 'tap', vlans: ['30', '40', '50'] },
          vxlan30: { type: 'vxlan', vlans: ['30 pvid untagged'], vni: 30, dstport: 4790, remotes: [HV2] },
          vxlan40: { type: 'vxlan', vlans: ['40 pvid untagged'], vni: 40, dstport: 4790, remotes: [HV2_6] },
          vxlan3: { type: 'vxlan', vlans: ['50'], tunnel: { 50: 50 }, dstport: 4791, remotes: [HV2] },
        },
      },
    });
    expectConnectivity(sw, 1, HV2);
    expectConnectivity(sw, 2, HV2_6);
    for (const [vid, port, remote] of [
      [30, 'vxlan30', HV2],
      [40, 'vxlan40', HV2_6],
      [50, 'vxlan3', HV2],
    ] as const) {
      expect(sw.send('veth31', frame({ source: A, destination: BROADCAST, tci: vid })).to).toEqual([
        `${port}>${remote}`,
      ]);
      expect(sw.tunnel(port, remote, vid, frame({ source: B, destination: A })).to).toEqual(['veth31']);
    }
  });
});
