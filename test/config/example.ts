/** The example file of the documentation, for tests. */
export const EXAMPLE = `name: host1                              # default: the host's name
control: /run/overtap/host1.sock         # default: /run/overtap/overtap.sock; mode 0600
bridges:
  br1:
    vlan_filtering: true                 # default false: one flooding domain, tags carried untouched
    vlan_default_pvid: 1                 # 0: none
    ageing_time: 300                     # seconds; 0 switches learning off
    fdb_max_learned: 0                   # 0: no limit beyond the table's size
    host_port: false                     # true: also a TAP named br1 in the switch's own netns, the host's own port
    ports:
      tap1_0:
        type: tap
        netns: ns2                       # an existing one, by name (ip netns) or path; default: the switch's own
        ifname: tap1_1                   # the NIC's name there; default: the port's name
        mac: 02:00:00:00:02:01           # default: the kernel's choice
        addresses: [100.0.1.2/24]        # put on the NIC, which is set up
        mtu: auto                        # auto: the largest that the underlay carries unfragmented
        persist: false                   # true: the NIC outlives a clean shutdown
        vlans: [{ vid: 2, pvid: true, untagged: true }]     # replaces the default PVID
        learning: true                   # and: flood, mcast_flood, bcast_flood, isolated, locked, neigh_suppress
        fdb: [{ mac: 02:00:00:00:02:01, vlan: 2, state: static }]
      vxlan0:
        type: vxlan
        local: 192.0.2.1                 # IPv4 or IPv6; the outer source address
        dev: eth0                        # needed with group
        dstport: 4789
        vlan_tunnel: true                # VLAN -> VNI by the table below (iproute2: external + vlan_tunnel on)
        vlans:
          - { vid: 2, tunnel_info: 2 }
          - { vid: 3, tunnel_info: 3, remotes: [192.0.2.3] }   # a flood list of this VNI's own, beside the port's
          - { vid: 100-199, tunnel_info: 10100-10199 }
        remotes: [192.0.2.2]             # flood list of every VNI on this port
        fdb: [{ mac: 02:00:00:00:09:01, vni: 2, dst: 192.0.2.2, state: static }]
`;
