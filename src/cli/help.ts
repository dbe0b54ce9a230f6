/**
 * The longer help texts: the grammar of each command with subcommands, and examples. That of `link` is in `link-help.ts`. Text only.
 */

export const DOCTOR_HELP = `
One line per check: ok, WARN or FAIL, the subject, the finding and the remedy. Takes at most five seconds and changes
nothing. Run it on the switch's host, in the same network namespace, as root. The exit status is 1 after a FAIL,
otherwise 0. With --json: {"ok", "checks": [{"level", "subject", "finding", "remedy"}]}.

  host        capabilities, /dev/net/tun, kernel features, buffer limits, the control socket
  ports       links that are DOWN, missing NICs, MTUs of NICs and of the tunnel; local addresses, devices
  drops       counters of the switch that indicate a fault
  remotes     route; pings (a warning, since a VTEP need not answer them); path MTU, by pings of several sizes that must
              not be fragmented, compared with the MTU of the guests; the UDP port

VXLAN datagrams are never answered. The UDP port is tested with a datagram without the I flag, which every VTEP drops
(overtap counts it as vxlan_flag_missing): a closed port refuses it by ICMP, an open one does not answer.

With -c no switch is needed: the file is checked, and the host and the remotes for this file.

Examples:
  overtap doctor
  ok    rights: CAP_NET_ADMIN and CAP_NET_RAW
  ok    tap0 NIC eth0 in ns2: up, MTU 1450
  ok    vxlan0 192.0.2.2: answers pings, in 0.2 ms
  FAIL  vxlan0 192.0.2.2 path MTU: 1400, says 192.0.2.9; guests send 1450 bytes, which are 1500 in the
        tunnel: the largest that fits is 1350; raise the MTU on the way to 1500, or: overtap link set tap0 mtu 1350
  ok    vxlan0 192.0.2.2 UDP port 4789: open or filtered: a datagram without the I flag was not refused
  overtap doctor -c host1.yaml --json`;

export const FDB_HELP = `
  fdb show    [br BR] [dev PORT] [vlan VID] [vni VNI] [dst ADDRESS] [state STATE]
  fdb get     MAC [br BR] [dev PORT] [vlan VID] [vni VNI]
  fdb add     [to] MAC dev PORT [vlan VID] [src_vni VNI] [dst ADDRESS] [port UDP-PORT] [vni VNI] [via DEV]
              [permanent | static | dynamic] [sticky] [extern_learn]
  fdb append, fdb replace    as add
  fdb del     MAC dev PORT [vlan VID] [src_vni VNI] [dst ADDRESS] [port UDP-PORT] [vni VNI]
  fdb flush   [br BR] [dev PORT] [vlan VID] [vni VNI] [dst ADDRESS] [state STATE]

The grammar of "bridge fdb"; words in any order. brport is a synonym of dev. src_vni is the VNI of an entry, vni the
one that its frames are sent with. vni without src_vni means both, except on a port with a single VNI, which is then
the VNI of the entry. self and master are accepted and have no effect: there is one table.

via is accepted only if DEV is the port's own dev: entries have no devices, and frames follow the routes.

STATE is dynamic (learned), static, permanent or all; "state" may be omitted: "fdb show static". Several states
select entries of any of them. An entry added without a state is permanent, as with "bridge fdb".

add refuses an existing entry, replace changes it. append adds a destination to the all-zeros MAC, which is the flood
list, or to a multicast MAC. Without a VNI it is added to the flood list of each VNI of the port.

flush removes learned entries, or entries of the given states, and prints their number. "state all" includes the rows
of flood lists, "permanent" and "static" do not.

Frames to the MAC of a vxlan port's entry without dst are sent to the port's flood list. An entry of a bridge, dev BR,
is a MAC of the host: its frames are sent to the host port, and dropped without one (no_destination).

A row with MAC 00:00:00:00:00:00 is a remote of the flood list, which gets a copy of each broadcast, multicast and
unknown frame.

Examples:
  overtap fdb show dev vxlan0 vlan 2 dynamic
  overtap fdb show br br1 --json
  overtap fdb get 02:00:00:00:02:01 vlan 2
  overtap fdb add 02:00:00:00:02:01 dev tap1 vlan 10 master static sticky
  overtap fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.3 src_vni 2
  overtap fdb flush dev tap1`;

export const VLAN_HELP = `
  vlan show | tunnelshow    [dev PORT] [vid VID]
  vlan add    dev PORT vid VID[-VID] [pvid] [untagged] [tunnel_info id VNI[-VNI]]
  vlan del    dev PORT vid VID[-VID] [tunnel_info id VNI[-VNI]]
  vlan set    dev PORT vid VID[-VID] neigh_suppress on|off

The grammar of "bridge vlan". PORT may be a bridge, for its host port. self and master are accepted and have no effect.

  show          the VLANs of each port; PVID: the VLAN of received untagged frames;
                Egress Untagged: the tag is removed before transmission
  tunnelshow    the VNI of each VLAN
  del           with tunnel_info, removes only the mapping and keeps the VLAN
  set           turns ARP/ND suppression of a VLAN on or off, on a port with neigh_vlan_suppress. If that was never set,
                it is turned on, and other VLANs keep the port's neigh_suppress

Per-VLAN counters: "overtap stats LINK".

Examples:
  overtap vlan show dev tap1_0
  overtap vlan add vid 2 dev tap1_0 pvid untagged
  overtap vlan add dev vxlan0 vid 100-199 tunnel_info id 10100-10199
  overtap vlan set dev vxlan0 vid 10 neigh_suppress off
  overtap vlan del dev tap1_0 vid 2`;

export const NEIGH_HELP = `
  neigh show    [ADDRESS] [dev PORT] [vlan VID] [vni VNI] [nud STATE]
  neigh add     ADDRESS lladdr MAC dev PORT [vlan VID] [vni VNI] [router] [nud STATE]
  neigh replace    as add
  neigh del     ADDRESS dev PORT [vlan VID] [vni VNI]

The grammar of "ip neigh", with vlan or vni (synonym: src_vni) for the VLAN of the binding. STATE is permanent,
reachable, stale or noarp. add refuses an existing binding, replace changes it.

Examples:
  overtap neigh show dev vxlan0
  overtap neigh add 198.18.0.3 lladdr 02:00:00:00:00:03 dev vxlan0 vlan 10
  overtap neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev vxlan0 vlan 10 router
  overtap neigh del 198.18.0.3 dev vxlan0 vlan 10`;

export const MDB_HELP = `
  mdb show    [dev BR] [port PORT] [grp GROUP] [vid VID]
  mdb add     dev BR port PORT grp GROUP [vid VID] [dst ADDRESS] [permanent]
  mdb del     dev BR port PORT grp GROUP [vid VID] [dst ADDRESS]

The grammar of "bridge mdb". dst is the remote, on a vxlan port: only remotes that joined get a copy. Without vid, an
entry is added in each VLAN of which the port is a member. Added entries are permanent: their group is sent only to
members and routers, even without a querier. Entries learned from reports are temp, with the seconds until they
expire. A line that begins with "router" is a port that leads to a multicast router.

Examples:
  overtap mdb show dev br0
  overtap mdb add dev br0 port tap1 grp 239.1.1.1 vid 10
  overtap mdb add dev br0 port vxlan0 grp 239.1.1.1 dst 192.0.2.2
  overtap mdb del dev br0 port tap1 grp 239.1.1.1 vid 10`;

export const MONITOR_HELP = `
Prints one line per event, until Ctrl-C; the exit status is then 0, and 3 when the switch ends. Words select events:
  fdb     learned, moved, aged, added, changed, deleted, mac_moves (a MAC that moves too often)
  link    links added, deleted and changed, going up and down
  mdb     multicast groups joined and left
  miss    l2miss (no entry for a MAC), l3miss (no binding for an address)
  neigh   neigh_conflict (several MACs claim an address)
  vtep    vtep_unknown (datagrams dropped because their sender is no remote; limited per address)
  all     all of these, the default
A kind, such as "learned", is also a word. The number of lost events is always printed.
With --json: one JSON object per line.

Examples:
  overtap monitor fdb
  overtap monitor learned moved --timestamp
  overtap monitor miss --json`;
