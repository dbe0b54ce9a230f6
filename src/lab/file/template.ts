/** The example of a lab file: what `overtap lab new` writes, and the reference shows. */
export function templateOf(name: string): string {
  return `# A lab: hosts, each with one switch, and guests at their ports. All of it is namespaces on this machine.
#   overtap lab up ${name}.yaml        build it
#   overtap lab check ${name}.yaml     prove the checks below
#   overtap lab down ${name}.yaml      remove it
# Every key is in docs/lab-file.md.
lab: ${name}
summary: two hosts, two tenants, one tunnel

hosts:                     # without "switch" a host has a bridge br0, and vxlan0 to all other hosts
  h1: { address: 192.0.2.1 }
  h2: { address: 192.0.2.2 }

guests:                    # a guest with "vlan" is at an access port; VLAN n travels in VNI n
  alice: { host: h1, address: 10.0.10.1/24, vlan: 10 }
  bob: { host: h2, address: 10.0.10.2/24, vlan: 10 }
  carol: { host: h1, address: 10.0.20.1/24, vlan: 20 }
  dave: { host: h2, address: 10.0.20.2/24, vlan: 20 }

weather:                   # this cable may be slow and lossy; change it: overtap lab weather alice loss 10%
  - { link: alice, delay: 2ms, seed: 1 }

checks:
  - ping: { from: alice, to: bob }
  - ping: { from: carol, to: dave }
  - broadcast once: { from: alice, to: [bob], not: [carol, dave] }
  - not ping: { from: alice, to: dave }
  - wire carries: { at: h1, segments: [{ vni: 10, guests: [alice, bob] }, { vni: 20, guests: [carol, dave] }] }
  - tcp: { from: bob, to: alice, bytes: 1000000 }
`;
}
