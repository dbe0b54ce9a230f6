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
  fdb add     [to] MAC dev PORT [vlan VID] [src_vni VNI] [dst ADDRESS] [port UDP-PORT] [vni VNI] [via DEV] [nhid ID]
              [permanent | static | dynamic] [sticky] [extern_learn] [router] [proto PROTO]
              [activity_notify [inactive]] [norefresh] [use]
  fdb append, fdb replace    as add
  fdb del     MAC dev PORT [vlan VID] [src_vni VNI] [dst ADDRESS] [port UDP-PORT] [vni VNI]
  fdb flush   [br BR] [dev PORT] [vlan VID] [src_vni VNI] [vni VNI] [dst ADDRESS] [port UDP-PORT] [via DEV] [nhid ID]
              [state STATE] [[no]permanent] [[no]static] [[no]dynamic] [[no]added_by_user] [[no]extern_learn]
              [[no]sticky] [[no]router] [[no]offloaded]

The grammar of "bridge fdb"; words in any order. brport is a synonym of dev. src_vni is the VNI of an entry, vni the
one that its frames are sent with. vni without src_vni means both, except on a port with a single VNI, which is then
the VNI of the entry. self and master are accepted and have no effect: there is one table.

via is accepted only if DEV is the port's own dev: entries have no devices, and frames follow the routes.

STATE is dynamic (learned), static, permanent or all; "state" may be omitted: "fdb show static". Several states
select entries of any of them. An entry added without a state is permanent, as with "bridge fdb".

add refuses an existing entry, replace changes it. append adds a destination to the all-zeros MAC, which is the flood
list, or to a multicast MAC. Without a VNI it is added to the flood list of each VNI of the port.

nhid is a group of nexthops in place of dst: see "overtap nexthop". router and proto are shown only. activity_notify is
for an entry that does not age: events "changed" tell when it has had no frame for the ageing time (inactive), and when
it has one again. norefresh keeps the age of an entry that is replaced. use is as if a frame from the MAC had come by
the port: the MAC is learned, moves or is refreshed.

An entry with the flag locked waits for its authentication on a port with mab: nobody is let in by it. replace lets the
MAC in ("fdb replace MAC dev PORT static"), del refuses it until it asks again.

flush removes the entries that fit all words, and prints their number. Without a word about what they are (state, flags,
nhid) these are the learned ones. "state all" includes the rows of flood lists, no other word does. no before a word
means all others. added_by_user are entries that were not learned; offloaded selects none, listed with offload or not.
"dev BR brport PORT" is dev PORT.

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
  vlan set    dev PORT vid VID[-VID] [neigh_suppress on|off] [isolated on|off] [state STATE] [mcast_router 0|1|2]
              [mcast_max_groups N]
  vlan global show    [dev BR] [vid VID]
  vlan global set     dev BR vid VID[-VID] OPTION VALUE...

The grammar of "bridge vlan". PORT may be a bridge, for its host port. self and master are accepted and have no effect.

  show          the VLANs of each port; PVID: the VLAN of received untagged frames;
                Egress Untagged: the tag is removed before transmission
  tunnelshow    the VNI of each VLAN
  del           with tunnel_info, removes only the mapping and keeps the VLAN
  set           turns ARP/ND suppression of a VLAN on or off, on a port with neigh_vlan_suppress. If that was never set,
                it is turned on, and other VLANs keep the port's neigh_suppress; isolated: no frame of the VLAN passes
                between the port and other isolated ports; state: disabled, listening, learning, forwarding or blocking,
                for a spanning tree for each VLAN that another program runs (for groups of VLANs: "overtap mst");
                mcast_router and mcast_max_groups are for
                bridges with mcast_vlan_snooping
  global        how VLANs of a bridge with mcast_vlan_snooping snoop: mcast_snooping, mcast_querier, mcast_igmp_version,
                mcast_mld_version, mcast_last_member_count, mcast_last_member_interval, mcast_startup_query_count,
                mcast_startup_query_interval, mcast_membership_interval, mcast_querier_interval, mcast_query_interval,
                mcast_query_response_interval, as for "link set BR type bridge"; the defaults are the same. msti: the
                instance of the spanning tree that the VLAN belongs to, on a bridge with mst_enabled ("overtap mst")

Per-VLAN counters: "overtap stats LINK".

Examples:
  overtap vlan show dev tap1_0
  overtap vlan add vid 2 dev tap1_0 pvid untagged
  overtap vlan add dev vxlan0 vid 100-199 tunnel_info id 10100-10199
  overtap vlan set dev vxlan0 vid 10 neigh_suppress off
  overtap vlan global set dev br1 vid 10-19 mcast_querier 1
  overtap vlan del dev tap1_0 vid 2`;

export const MST_HELP = `
  mst show    [dev PORT]
  mst set     dev PORT msti MSTI state STATE

The grammar of "bridge mst", for a program of its own that speaks MSTP, on a bridge with mst_enabled. Each VLAN belongs
to an instance ("vlan global set dev BR vid VID msti MSTI", 0 at first), and the state of a port in that instance is
the state of the VLAN at the port. STATE is disabled, listening, learning, forwarding or blocking.

  show          the state of each port in the instances of its VLANs
  set           sets it. Until then a port is disabled in every instance but 0: no frame of its VLANs passes. Instance 0
                is the common tree: its state is that of the port ("link set PORT type bridge_slave state STATE"), or
                with stp_state of the bridge that of the switch's own tree

"vlan show -d" has the state of each VLAN, "vlan global show" its instance.

Examples:
  overtap link set br1 type bridge vlan_filtering 1 mst_enabled 1
  overtap vlan global set dev br1 vid 10-19 msti 1
  overtap mst set dev tap1 msti 1 state forwarding
  overtap mst show`;

export const VNI_HELP = `
  vni show    [dev PORT] [vni VNI]
  vni add     dev PORT vni VNI[-VNI][,...] [group ADDRESS | remote ADDRESS]
  vni del     dev PORT vni VNI[-VNI][,...]

The grammar of "bridge vni". A VNI of a port with vlan_tunnel is there once a VLAN is mapped to it ("vlan add ...
tunnel_info id VNI"); no other one is received.

  show          the VNIs of each port, with the group or first remote of their own; with -d, counters of each VNI
                (those of "bridge -s vni show", since -s names the switch here)
  add           sets the multicast group of a VNI, in place of the port's group, or makes one remote the flood list of
                the VNI, beside the remotes of the port. Without either, the VNI has the group of the port. The group
                is joined on the dev of the port. More remotes of a VNI: "fdb append 00:00:00:00:00:00 ... src_vni VNI"
  del           removes the VNI, its mapping and its entries; the VLAN stays

Examples:
  overtap vni show dev vxlan0 -d
  overtap vni add dev vxlan0 vni 10100-10199 group 239.1.1.1
  overtap vni add dev vxlan0 vni 10200 remote 192.0.2.9
  overtap vni add dev vxlan0 vni 10200`;

export const NEIGH_HELP = `
  neigh show    [ADDRESS] [dev PORT] [vlan VID] [vni VNI] [nud STATE]
  neigh add     ADDRESS lladdr MAC dev PORT [vlan VID] [vni VNI] [router] [nud STATE]
  neigh replace    as add
  neigh del     ADDRESS dev PORT [vlan VID] [vni VNI]

The grammar of "ip neigh", with vlan or vni (synonym: src_vni) for the VLAN of the binding. STATE is permanent,
reachable, stale or noarp. add refuses an existing binding, replace changes it. PORT is a vxlan port, for suppression,
or a gateway, which then has no need to ask for that neighbour.

Examples:
  overtap neigh show dev vxlan0
  overtap neigh add 198.18.0.3 lladdr 02:00:00:00:00:03 dev vxlan0 vlan 10
  overtap neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev vxlan0 vlan 10 router
  overtap neigh add 10.0.10.5 lladdr 02:00:00:00:00:05 dev gw10
  overtap neigh del 198.18.0.3 dev vxlan0 vlan 10`;

export const MDB_HELP = `
  mdb show    [dev BR] [port PORT] [grp GROUP] [src ADDRESS] [vid VID]
  mdb get     dev BR grp GROUP [src ADDRESS] [vid VID]
  mdb add     dev BR port PORT grp GROUP [vid VID] [dst ADDRESS] [permanent|temp] [proto PROTOCOL]
              [src ADDRESS | filter_mode include|exclude source_list ADDRESS,...]
  mdb replace as add; changes an entry that is there
  mdb del     dev BR port PORT grp GROUP [src ADDRESS] [vid VID] [dst ADDRESS]
  mdb flush   dev BR [port PORT] [vid VID] [dst ADDRESS] [[no]permanent|[no]temp] [proto PROTOCOL]
  mdb add     dev VXLAN port VXLAN grp GROUP dst ADDRESS [src_vni VNI] [dst_port PORT] [vni VNI] [via DEV]
              [src ADDRESS | filter_mode include|exclude source_list ADDRESS,...] [proto PROTOCOL]
  mdb del     dev VXLAN port VXLAN grp GROUP dst ADDRESS [src_vni VNI] [src ADDRESS]
  mdb get     dev VXLAN grp GROUP [src ADDRESS] [src_vni VNI]
  mdb flush   dev VXLAN [dst ADDRESS] [dst_port PORT] [vni VNI] [src_vni VNI] [proto PROTOCOL]

The grammar of "bridge mdb". dst is the remote, on a vxlan port: only remotes that joined get a copy. Without vid, an
entry is added in each VLAN of which the port is a member. Added entries are permanent: their group is sent only to
members and routers, even without a querier. Entries learned from reports are temp, with the seconds until they
expire. src and source_list are obeyed where the bridge has mcast_igmp_version 3 or mcast_mld_version 2. GROUP may be a
MAC, for frames that are not IP. --json prints what "bridge -j -d -s mdb show" does. A line that begins with "router" is
a port that leads to a multicast router.

With a vxlan port as dev and port, entries are those of the tunnel: which remotes get the frames of VNI src_vni to a
group, in place of the flood list, whether anybody joined or not. An entry with src comes before that of the group. The
groups 0.0.0.0 and :: stand for all without an entry, but link-local ones.

Examples:
  overtap mdb show dev br0
  overtap mdb add dev br0 port tap1 grp 239.1.1.1 vid 10
  overtap mdb add dev br0 port tap1 grp 239.1.1.1 filter_mode include source_list 192.0.2.7
  overtap mdb add dev br0 port vxlan0 grp 239.1.1.1 dst 192.0.2.2
  overtap mdb add dev vxlan0 port vxlan0 grp 239.1.1.1 dst 192.0.2.2 src_vni 2
  overtap mdb del dev br0 port tap1 grp 239.1.1.1 vid 10`;

export const NEXTHOP_HELP = `
  nexthop show       [id ID] [groups] [protocol PROTO]
  nexthop get        id ID
  nexthop add        id ID { via ADDRESS | group ID[,WEIGHT]/ID[,WEIGHT]... } fdb [protocol PROTO]
  nexthop replace    as add
  nexthop del        id ID
  nexthop flush

The grammar of "ip nexthop"; every nexthop is one of the FDB, so "fdb" may be left out. A nexthop is the address of a
VTEP, or a group of such nexthops. FDB entries name a group ("fdb add MAC dev vxlan0 nhid ID"): each flow goes to one
member, by a hash of its addresses and ports and by the weights. When a member is removed, the flows of the others stay
where they are, and an added one takes flows for itself only.

replace changes an address or a group while frames flow. A nexthop that is deleted leaves its groups; an empty group is
deleted too, and the entries that name it.

Examples:
  overtap nexthop add id 1 via 192.0.2.2 fdb
  overtap nexthop add id 2 via 192.0.2.3 fdb
  overtap nexthop add id 10 group 1,2/2 fdb
  overtap fdb add 02:00:00:00:09:01 dev vxlan0 src_vni 2 nhid 10`;

export const EVPN_HELP = `
  evpn show
  evpn routes       [type macip | multicast | prefix] [vni VNI] [rd RD] [mac MAC] [neighbor ADDRESS | self]
  evpn neighbors    [ADDRESS]
  evpn vni          [VNI]
  evpn clear        duplicates [vni VNI] [mac MAC]
  evpn clear        neighbor { ADDRESS | all }
  evpn refresh      [ADDRESS | all]

The BGP speaker of a switch with "evpn" in its configuration: see docs/evpn.md.

show        AS, sessions, routes, VNIs and MACs in numbers
routes      every path that is known: those of neighbours, and our own (neighbor self). * a VNI of ours imports it, > it
            is the best one, S its neighbour restarts, i it comes from our own AS. type also takes 2, 3 and 5. vni is a
            VNI of ours: what it imports, and what it announces. --json: one list of rows, as in docs/http-api.md
neighbors   the state of each session, messages and routes; with ADDRESS also why the last session ended
vni         VNIs that take part, with their route targets and MACs; with VNI also the other VTEPs, and the MACs that are
            left where they are, since they moved too often
clear       duplicates: such MACs may move again. neighbor: the session ends (administrative reset), and begins anew
refresh     asks neighbours for all their routes again (ROUTE-REFRESH); the session stays

Examples:
  overtap evpn neighbors
  overtap evpn routes type macip vni 100
  overtap evpn routes mac 02:00:00:00:02:01 --json
  overtap evpn clear duplicates vni 100
  overtap evpn clear neighbor 192.0.2.9`;

export const ROUTE_HELP = `
  route show         [vrf NAME] [table all]

The routes of gateways, in the words of "ip route". proto is kernel for connected subnets, static for those of the
configuration, and otherwise the source that put them in. Without "table all" the addresses of the gateways and the
broadcast addresses of their subnets are left out. Static routes are an option of their gateway:
"link set gw10 type gateway routes default=10.0.10.254".

Examples:
  overtap route show
  overtap route show vrf red
  overtap --json route show table all`;

export const MONITOR_HELP = `
Prints one line per event, until Ctrl-C; the exit status is then 0, and 3 when the switch ends. Words select events:
  fdb     learned, moved, aged, added, changed, deleted, mac_moves (a MAC that moves too often)
  link    links added, deleted and changed, going up and down
  loop    loops that loop guard has found, and those that are gone
  stp     states of ports in spanning trees, and changes of their topology
  mdb     multicast groups joined and left
  evpn    BGP sessions up and down, limits of routes, duplicate MACs with both VTEPs
  miss    l2miss (no entry for a MAC), l3miss (no binding for an address)
  neigh   neigh_conflict (several MACs claim an address)
  vtep    vtep_unknown (datagrams dropped because their sender is no remote; limited per address)
  peers   sources of peers that fail, and that work again (a file, names, etcd)
  remote  remotes that BFD finds dead, and those that are alive again
  all     all of these, the default
A kind, such as "learned", is also a word. The number of lost events is always printed.
With --json: one JSON object per line.

Examples:
  overtap monitor fdb
  overtap monitor learned moved --timestamp
  overtap monitor miss --json`;

export const DROPS_HELP = `
The switch always keeps the last 32 dropped frames of each reason: their first 128 bytes with time, port, VLAN, VNI and
remote. Of a flood of drops it keeps 32 in a tenth of a second for each reason; all are counted ("overtap stats").
Each frame is shown with the reason in words, and one that came in by a port with the "overtap trace" command
that shows each step of the decision. A deleted port takes its frames along, and so does an upgrade of the switch.

The bytes are those of guests: whoever may open the control socket may see them.

--json: [{"time", "port", "direction", "reason", "length", "frame", "vlan"?, "vni"?, "remote"?, "engine", "number"}];
frame is in hexadecimal, number the place among the drops of this reason by this engine. With --follow an object a line,
with "missed": drops of this reason before it that were not kept.

Examples:
  overtap drops
  overtap drops --reason mtu_exceeded --follow`;

const FILTER_HELP = `FILTER is words with values; words of different kinds must all fit, of one kind any:
  port PORT        came in by the port, or a copy was to leave by it
  vlan VID         was in the VLAN
  vni VNI          came or left in the VNI
  mac MAC          source or destination
  ip ADDRESS       source or destination of an IPv4 or IPv6 packet; sender or target of an ARP message
  remote ADDRESS   came from the VTEP, or a copy was to go to it
  reason REASON    was dropped for the reason, or a copy was
  verdict VERDICT  forwarded, flooded, answered, dropped or originated (made by the switch: an answer, an ICMP error)`;

export const LOG_HELP = `
A line for each frame: time, port, VLAN, where its copies went, the verdict, and the frame in words. Lines are
limited (--rate); how many frames were not shown is printed to stderr, and so is how many came too fast to be
recorded. With --paths nothing is printed until the end: then a line for each way that frames took, with their number.
With --json an object a frame, or with --paths a list. With --lab the frames of all its switches come in the order of
their times, each with the name of its switch, a third of a second later.

${FILTER_HELP}

Nothing that the switch does waits for this. While it runs, every frame costs the switch some more time.
The bytes are those of guests: whoever may open the control socket may see them.

Examples:
  overtap log
  overtap log port tap1 verdict dropped
  overtap log ip 10.0.0.2 -n 10
  overtap log --paths -n 10000
  overtap log --lab full-mesh ip 10.0.0.2`;

export const CAPTURE_HELP = `
Writes a capture file (pcapng) until Ctrl-C, or until -c packets are there. Each port, and each remote of a vxlan
port, is an interface (PORT, PORT/REMOTE). A frame is one packet where it came in, and one for each copy, with the
tags that the copy left with; all have the same packet id. The comment of each packet is the decision:
  overtap verdict=flooded port=tap1 vlan=10 copies=2
  overtap verdict=dropped reason=mtu_exceeded vlan=10 port=vxlan0 vni=1010 remote=192.0.2.2
Behind a vxlan port the frames are the inner ones. Large TCP frames that a NIC would segment are captured whole, and
checksums that a NIC would complete may be wrong.

-s after the word capture is the length; the control socket is --control, or -s before the word.
-i names ports, and addresses of remotes, whose packets are kept; FILTER selects frames, with all their packets.
--files and --size: FILE is numbered (FILE_00001.pcapng), and the oldest is deleted.

${FILTER_HELP}

The switch never waits for a capture. Packets that come too fast are lost and counted: in the next packet of the
interface (dropcount), in the statistics of each interface at the end, and in the last line on stderr. A full disk ends
the capture with status 1; the file is valid. A capture of "overtap" over a connection that goes through the switch
itself feeds on itself: exclude it by -i or a filter.

The bytes are those of guests: whoever may open the control socket may see them.

Examples:
  overtap capture -w all.pcapng
  overtap capture -i tap1 -i 192.0.2.2 -s 128 -c 1000 -w some.pcapng vlan 10
  overtap capture -w - | wireshark -k -i -
  overtap capture --lab one-vxlan-many-vlans -w lab.pcapng
  overtap capture -w ring.pcapng --files 10 --size 100
  overtap capture --install-extcap`;

export const TOP_HELP = `
A page each second, in the terminal, until q. Rates are of the last second: frames, bits of frames, drops. The keys
r, t, d and n sort by what was received, sent, dropped, and by name. Rows that do not fit are left out.

Without a terminal, and with -b (after the word top), pages are printed one after the other; with --json an object a
page: {"name", "seconds", "before", "now"}, the latter two as of "overtap stats --json".

Examples:
  overtap top
  overtap top -n 1 -b --sort drops`;
