/** Help texts of `trace` and `replay`. */

export const TRACE_HELP = `
Carries a frame through the switch as it is at this moment, by the functions that carry real frames, and prints a line
for each step with its reason. Nothing changes: nothing is learned, counted or sent. The last lines are the verdict
(forwarded, flooded, answered, held or dropped), and what decided, in the words of the commands that show it.

PORT is any port. FRAME is one of:
  WORDS          a description, quoted because of ">"; what is not said has sensible values
  HEX [len N]    its bytes from the destination MAC on, in hex digits; N: its whole length, with zeros for the rest
  FILE.pcapng#N  frame N of a capture file, counted from 1; FILE.pcap#N likewise

A description:
  [src MAC] [dst MAC|broadcast] [vlan VID [prio N]]... BODY [len N] [gso N]
  BODY   arp who-has ADDRESS [tell ADDRESS]          nd who-has ADDRESS [tell ADDRESS]
         arp reply ADDRESS is-at MAC [to ADDRESS]    nd reply ADDRESS is-at MAC [to ADDRESS]
         ip|ip6 [A > B] [ttl N] [tos N] [df] [UPPER]
         UPPER, which is then over IPv4
         type 0x88cc
  UPPER  udp|tcp [PORT > PORT] [flags SA], icmp [echo|echo-reply], or proto N
"qinq" in place of "vlan" is an 802.1ad tag. "len" counts the bytes behind the last header that is named, "gso" makes an
unsegmented frame of segments of N bytes. MACs that are not said are those that the neighbour table has for the IP
addresses; the source's is otherwise that of the port's NIC; else a MAC is made from the address: 02:00 and its last
four bytes.

With --peer (several times) the trace goes on there: each copy to a remote comes in at the switch whose vxlan port has
that address as "local". Inside a lab the other switches are found without it. With --apply the frame is taken in by the
switch as well, as if the port had received it.

What it cannot know: what becomes of a copy in a device or on the network, and packets that wait already for a MAC. With
several workers, budgets for floods are those of the first one.

With --json: {"port", "vlan"?, "steps": [{"stage", "code", "text", "entry"?}], "verdict", "reason"?, "decided_by",
"copies": [{"port", "remote"?, "vni"?, "tag"?, "verdict", "reason"?, "peer"?: {"switch", "trace"}}]}.

Examples:
  overtap trace tap1 'arp who-has 10.0.0.2 tell 10.0.0.1'
  overtap trace tap1 'vlan 10 ip 10.0.0.1 > 10.0.0.2 udp 5000 > 53 len 1400'
  overtap trace vxlan0 --from 192.0.2.2 --vni 100 'icmp echo'
  overtap trace tap1 'icmp' --peer host2=/run/overtap/host2.sock
  overtap trace tap1 drops.pcapng#3 --json`;

export const REPLAY_HELP = `
Starts a switch in memory with the configuration, and gives it the frames of the capture, with their times as its clock.
No device is opened and no right is needed; the same input has the same output.

The name of a frame's interface in the capture (if_name) is the port that it comes in by; frames of other interfaces,
and of a capture without names, come in by the port of -i. At a vxlan port frames are whole outer packets (Ethernet,
IP, UDP, VXLAN), of which those to its UDP port are taken. Namespaces, devices and descriptors of the configuration
are left out; every path to a remote has an MTU of 1500. Packets that a port sent, as a capture of "overtap capture" has
them, are left out, except those of vxlan ports: they are what the peer receives.

  -w OUT         what the switch sends: one interface a port; behind a vxlan port with outer headers
  --ndjson       a line a frame: {"frame", "time", "port"?, "skipped"?, "verdict"?, "reason"?,
                 "sent": [{"port", "remote"?, "vni"?, "frame"}]}
  --expect FILE  compares with a capture as -w writes it, port by port, without times. At the first difference the trace
                 of the frame that led to it is printed, and the exit status is 1

Examples:
  overtap replay -c host1.yaml in.pcapng -w out.pcapng
  overtap replay -c host1.yaml in.pcap -i tap1 --ndjson
  overtap replay -c host1.yaml in.pcapng --expect out.pcapng`;
