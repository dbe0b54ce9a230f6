/**
 * The longer help texts: the grammar of each family of commands, with examples. The words of options come from the table
 * that reads them. Text only.
 */
import { LINK_TYPES, PORT_KINDS, PORT_TYPES } from '../config/options/kinds.js';
import type { OptionScope } from '../config/options/table.js';
import { usageWords } from '../config/options/words.js';

const WIDTH = 100;

export const LINK_HELP = `
  link show [[dev] LINK] [master BR | nomaster] [type TYPE] [up]
  link add [name] NAME [GENERIC] [master BR] type ${LINK_TYPES.join(' | ')} [OPTIONS]
  link set [dev] NAME [GENERIC] [master BR | nomaster] [type TYPE OPTIONS]
  link del [dev] NAME

The grammar of "ip link". Two lines a link: MTU, bridge and state first, then its MAC address and its options,
in the words that set them; with -d every option in force, defaults among them. A change that is refused changes
nothing.

on and off may also be 1 and 0, or true and false. "default OPTION" takes an option back to its default. Times
are in seconds.

GENERIC, before or after the type:
${options('link')}
type bridge:
${options('bridge', 'link')}
type bridge_slave, or any of these after the port's own type:
${options('bridge_slave')}
  storm_limit counts packets a second, and a superframe as its segments. For kinds without a limit copies count:
  250,000 a second (250 broadcasts to 1,000 remotes), divided among the ports that exceed it, after the first four
  copies of each frame.
${PORT_TYPES.map((type) => `type ${type}:\n${options(type, 'link', 'bridge_slave')}`).join('\n')}

Examples:
  overtap link show vxlan0 --json
  overtap link add br0 type bridge vlan_filtering 1
${PORT_TYPES.map((type) => `  overtap ${PORT_KINDS[type].command}`).join('\n')}
  overtap link set tap1 type bridge_slave learning off storm_limit broadcast 100
  overtap link set tap1 nomaster
  overtap link del tap1`;

export const DOCTOR_HELP = `
One line for each thing that was looked at: ok, WARN or FAIL, what it was, what was found, and what to do about it.
Takes five seconds at most and changes nothing. Run it beside the switch, in the same network namespace, as root.
The exit status is 1 when anything has failed, else 0; with --json: {"ok", "checks": [{"level", "subject",
"finding", "remedy"}]}.

  the host    rights, /dev/net/tun, kernel features, buffer limits, the control socket
  the ports   links that are down, NICs that are gone, their MTU against the tunnel's; local addresses, devices
  the drops   counters of the switch that tell of a fault
  remotes     route; pings (a VTEP may not answer them: a warning); path MTU, by pings of all sizes that must not
              be fragmented, against what the guests send; whether something listens on the UDP port

A VXLAN datagram is never answered. The port is tried with one that has the I flag clear, which every VTEP drops
(overtap counts it there as vxlan_flag_missing): a closed port refuses it by ICMP, an open one is silent.

With -c no switch is asked: the file is checked, and this host and the remotes against it.

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

The grammar of "bridge fdb"; words in any order. brport means dev. src_vni is the VNI that an entry is of, and vni
the one that its frames are sent with, where both are given; vni alone means both, but on a port that carries one
VNI, which is the one that entries are of. self and master are taken and mean nothing, since there is one table.

via is taken where DEV is the port's own dev: no entry has a device of its own, all else follows the routes.

STATE is dynamic (learned), static, permanent or all; the word alone will do: "fdb show static". Given more
than once, entries of either state. An entry that is added without one is permanent, as with "bridge fdb".

add refuses an entry that is there, replace makes it as told. append adds a destination to the all-zeros MAC,
which is the flood list, or to a multicast MAC. Without a VNI the flood list of every VNI of the port is meant.

flush removes learned entries alone, or those of the states that are named, and prints how many went. "state all"
takes the rows of flood lists too, "permanent" and "static" leave them.

An entry of a vxlan port without dst keeps its MAC to that port: its frames go to the port's flood list. One of
a bridge itself, dev BR, is a MAC of the host: its frames go to the host port, and without one to nobody.

A row with MAC 00:00:00:00:00:00 is a remote of the flood list: it gets a copy of each broadcast, multicast
and unknown frame.

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

The grammar of "bridge vlan". PORT may be a bridge, for its host port. self and master are taken and mean nothing.

  show          the VLANs of each port; PVID: given to untagged frames that come in;
                Egress Untagged: the tag is removed on the way out
  tunnelshow    which VLAN is carried as which VXLAN network
  del           with tunnel_info, the mapping alone goes and the VLAN stays
  set           whether ARP and ND are suppressed in the VLAN, on a port with neigh_vlan_suppress. Where that was never
                set, it is on with this, and the other VLANs stay as the port's neigh_suppress says

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

The grammar of "ip neigh", with vlan or vni (src_vni means the same) for the VLAN that the binding is in. STATE is
permanent, reachable, stale or noarp. add refuses a binding that is there, replace makes it as told.

Examples:
  overtap neigh show dev vxlan0
  overtap neigh add 198.18.0.3 lladdr 02:00:00:00:00:03 dev vxlan0 vlan 10
  overtap neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev vxlan0 vlan 10 router
  overtap neigh del 198.18.0.3 dev vxlan0 vlan 10`;

export const MDB_HELP = `
  mdb show    [dev BR] [port PORT] [grp GROUP] [vid VID]
  mdb add     dev BR port PORT grp GROUP [vid VID] [dst ADDRESS] [permanent]
  mdb del     dev BR port PORT grp GROUP [vid VID] [dst ADDRESS]

The grammar of "bridge mdb". dst is the remote, on a vxlan port: only remotes that joined get a copy. Without vid
an entry is one of every VLAN that the port is a member of now. An entry that is added is permanent: its group
goes to members and routers alone, though no querier is heard. temp entries are those that a member reported,
with the seconds until they end; a line that begins with "router" is a port behind which there is a multicast
router.

Examples:
  overtap mdb show dev br0
  overtap mdb add dev br0 port tap1 grp 239.1.1.1 vid 10
  overtap mdb add dev br0 port vxlan0 grp 239.1.1.1 dst 192.0.2.2
  overtap mdb del dev br0 port tap1 grp 239.1.1.1 vid 10`;

export const MONITOR_HELP = `
Prints a line an event, until Ctrl-C; the exit status is then 0, and 3 when the switch goes away. Words choose:
  fdb     learned, moved, aged, added, changed, deleted, mac_moves (a MAC that moves too often)
  link    links added, deleted and changed, going up and down
  mdb     multicast groups joined and left
  miss    l2miss (no entry for a MAC), l3miss (no binding for an address)
  neigh   neigh_conflict (several MACs claim an address)
  vtep    vtep_unknown (datagrams dropped, since their sender is no remote; each address now and then)
  all     all of these, as with no word at all
Each kind, such as "learned", is a word too. How many events were lost, where they came too fast, is always told.
With --json: a JSON object a line.

Examples:
  overtap monitor fdb
  overtap monitor learned moved --timestamp
  overtap monitor miss --json`;

/** The options of a scope in lines of their own, without those of the `others`. */
function options(scope: OptionScope, ...others: OptionScope[]): string {
  const elsewhere = others.flatMap((other) => usageWords(other));
  const words = usageWords(scope).filter((word) => !elsewhere.includes(word));
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines.join('\n');
}
