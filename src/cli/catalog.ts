/**
 * The commands: their names, their help, and where the code of each is. The code is loaded when its command is used.
 * Nothing here does a command's work.
 */
import type { Run } from './context.js';

export interface OptionSpec {
  readonly flags: string;
  readonly text: string;
  readonly required?: boolean;
  readonly choices?: readonly string[];
  readonly fallback?: string;
}

export interface CommandSpec {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows `overtap NAME` in the usage line. */
  readonly usage: string;
  /** What an operator needs to know, with an example. */
  readonly help: string;
  readonly options?: readonly OptionSpec[];
  /** True when words may follow the name. */
  readonly words: boolean;
  load(): Promise<{ run: Run }>;
}

const CONFIG: OptionSpec = { flags: '-c, --config <FILE>', text: 'the configuration file (YAML)', required: true };

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'run',
    summary: 'run a switch in the foreground',
    usage: '-c FILE [options]',
    words: false,
    options: [
      CONFIG,
      {
        flags: '--log-level <LEVEL>',
        text: 'least important message to log',
        choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
        fallback: 'info',
      },
    ],
    help: `
Needs /dev/net/tun and root (or CAP_NET_ADMIN). Logs "ready" once every port forwards; SIGTERM or Ctrl-C
ends it and removes its TAPs, except those marked "persist". The control socket is the one that the file
names under "control", unless -s names another.

Faults of the file are shown all at once, and the exit status is 2: see "overtap check".

Example:
  overtap run -c host1.yaml`,
    load: () => import('./commands/run.js'),
  },
  {
    name: 'check',
    summary: 'validate a configuration file, without running it',
    usage: '-c FILE [options]',
    words: false,
    options: [CONFIG],
    help: `
Shows every fault as FILE:LINE:COLUMN: PATH: message on stderr; the exit status is then 2. With --json:
{"ok", "faults": [{"file", "line", "column", "path", "message"}]} on stdout.

Example:
  overtap check -c host1.yaml
  host1.yaml: ok: 1 bridge, 3 ports`,
    load: () => import('./commands/check.js'),
  },
  {
    name: 'link',
    summary: 'show bridges and ports',
    usage: '[show] [[dev] LINK]',
    words: true,
    help: `
Two lines a link, as "ip link show": MTU, bridge and state first, then its MAC address and the options that
it was configured with.

Examples:
  overtap link show
  overtap link show vxlan0 --json`,
    load: () => import('./commands/link.js'),
  },
  {
    name: 'fdb',
    summary: 'show the forwarding database',
    usage: '[show] [br BR] [dev PORT] [vlan VID] [vni VNI] [state STATE]',
    words: true,
    help: `
One line an entry, as "bridge fdb show". Words narrow the listing, in any order:
  br BR                entries of this bridge
  dev PORT             entries of this port (brport PORT means the same)
  vlan VID, vni VNI    entries of this VLAN or VXLAN network
  state STATE          dynamic (learned), static, permanent or all; the state alone will do: "fdb show static"
                       given more than once, entries of either state

A row with MAC 00:00:00:00:00:00 is a remote of the flood list: it gets a copy of each broadcast, multicast
and unknown frame.

Examples:
  overtap fdb show
  overtap fdb show dev vxlan0 vlan 2 dynamic
  overtap fdb show br br1 --json`,
    load: () => import('./commands/fdb.js'),
  },
  {
    name: 'vlan',
    summary: 'show VLAN membership and the VLAN to VNI table',
    usage: '[show | tunnelshow] [dev PORT] [vid VID]',
    words: true,
    help: `
  show          the VLANs of each port, as "bridge vlan show"; PVID: given to untagged frames that come in;
                Egress Untagged: the tag is removed on the way out
  tunnelshow    which VLAN is carried as which VXLAN network, as "bridge vlan tunnelshow"

Examples:
  overtap vlan show dev tap1_0
  overtap vlan tunnelshow`,
    load: () => import('./commands/vlan.js'),
  },
  {
    name: 'stats',
    summary: 'show traffic, and drops by reason',
    usage: '[LINK]',
    words: true,
    help: `
Frames and bytes a link, its remotes and VNIs beneath, and the frames it dropped with the reason. The last
line holds the accounts together: every frame received, and every further copy that flooding made, was either
transmitted or dropped for one reason. While frames move it can be off by those under way.

With LINK: that link alone; of a bridge, its ports. The JSON then holds "links" only.

Examples:
  overtap stats
  overtap stats vxlan0 --json`,
    load: () => import('./commands/stats.js'),
  },
  {
    name: 'lab',
    summary: 'build and prove ready topologies on this machine',
    usage: 'list | up NAME | check NAME | down NAME | run NAME',
    words: true,
    help: `
Hosts and guests are network namespaces made for the lab; nothing else on the machine is touched. Needs root.
  list          the labs there are
  up NAME       builds one
  check NAME    proves it line by line; the exit status is 1 on any failure
  down NAME     removes it and all that it made
  run NAME      up, check and down in one go

Example:
  overtap lab run one-vxlan-many-vlans`,
    load: () => import('./commands/lab.js'),
  },
  {
    name: 'bench',
    summary: 'measure the whole path beside the kernel',
    usage: '[options] [--json [FILE]]',
    words: true,
    options: [
      { flags: '--rounds <N>', text: 'how often each variant has its turn (5)' },
      { flags: '--seconds <S>', text: 'how long each measure takes (3)' },
      { flags: '--senders <N>', text: 'programs that send frames (one a core)' },
      { flags: '--only <LIST>', text: 'of tcp,frames,latency' },
      { flags: '--columns <LIST>', text: 'of A,B' },
      { flags: '--variants <LIST>', text: 'of kernel,overtap,ovs,mixed,workers' },
      { flags: '--quick', text: 'one round of one second: shows that it works' },
    ],
    help: `
Builds the same topology, guest - switch - underlay - switch - guest, for overtap and for the kernel's bridge
and vxlan, and for Open vSwitch's userspace datapath where it is installed. Each has its turn in every round;
nothing of it is left behind. The table at the end holds medians, spreads and ratios; progress goes to stderr.

  column A     offloads as they are
  column B     the underlay as a plain NIC: no segmentation and no checksums on send
  mixed        overtap with a kernel peer
  workers      overtap with two engine threads

--json gives every sample on stdout instead of the table; with FILE, there, beside the table.

Needs root, and iperf3, ethtool, netsniff-ng and sockperf. A whole run takes about 18 minutes, on a machine
that does nothing else, and is kept in bench/results.

Examples:
  overtap bench --quick
  overtap bench --only frames --columns A --rounds 3`,
    load: () => import('./commands/bench.js'),
  },
];

/** Commands of the language that this version does not have. They stay out of the help. */
export const LATER_COMMANDS = ['apply', 'monitor', 'neigh', 'trace', 'capture', 'doctor', 'top'];

export const SUMMARY = `A VXLAN switch in one userspace process: TAP devices on one side, VXLAN over UDP on the other, a
VLAN-aware learning bridge in between. The listings speak iproute2's language.`;

export const EPILOGUE = `
The switch that a command talks to is the one on the control socket given with -s, else by OVERTAP_CONTROL,
else on /run/overtap/overtap.sock.

Exit status: 0 done; 1 refused by the switch; 2 usage or configuration; 3 no switch answers.

Examples:
  overtap lab run one-vxlan-many-vlans      see two hosts talk, and what was proved
  overtap check -c host1.yaml               validate a configuration
  overtap run -c host1.yaml                 run a switch
  overtap fdb show dev vxlan0               what it learned from the tunnel
  overtap help fdb                          the words that a command takes`;
