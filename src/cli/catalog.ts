/**
 * The commands: their names, their help, and where the code of each is. The code is loaded when its command is used.
 * Nothing here does a command's work.
 */
import type { CommandFacts, OptionSpec } from './command-facts.js';
import type { Run } from './context.js';
import { DOCTOR_HELP, FDB_HELP, LINK_HELP, MDB_HELP, MONITOR_HELP, NEIGH_HELP, VLAN_HELP } from './help.js';

export interface CommandSpec extends CommandFacts {
  /** What follows `overtap NAME` in the usage line. */
  readonly usage: string;
  /** What an operator needs to know, with an example. */
  readonly help: string;
  /** True when words may follow the name. */
  readonly words: boolean;
  load(): Promise<{ run: Run }>;
}

const CONFIG: OptionSpec = {
  flags: '-c, --config <FILE>',
  text: 'the configuration file (YAML); - reads standard input',
  required: true,
};

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

Faults of the file are shown all at once, and the exit status is 2: see "overtap check". A port whose namespace,
device or local address is not there yet waits for it, DOWN; "ready" says how many do.

Signals:
  SIGTERM, SIGINT, SIGQUIT   end the switch in order; a second one ends it at once
  SIGHUP    reads the file again and applies it, as "overtap apply" does: all of it or nothing, and the log says
            what. Where the log went to a terminal that has hung up, it ends the switch in order
  SIGUSR1   logs the state: links that are down, drops, counters
  SIGUSR2   logs more by a step, up to trace, then again as much as at the start: see "overtap log-level"

Each change by a command or a signal is a line of the log, with what asked for it. A log that cannot be written
(a full disk, a pipe that is not read) holds nothing up: lines are dropped and counted ("overtap stats --json":
control.log_lost), and the log says so when it can be written again.

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
{"ok", "faults": [{"file", "line", "column", "path", "message"}]} on stdout. What is not there yet, such as a
network namespace, a device or a local address, is a warning there, and "warnings" with --json: its port would wait.

Example:
  overtap check -c host1.yaml
  host1.yaml: ok: 1 bridge, 3 ports`,
    load: () => import('./commands/check.js'),
  },
  {
    name: 'apply',
    summary: 'bring a running switch to a configuration file',
    usage: '-c FILE [--dry-run] [options]',
    words: false,
    options: [CONFIG, { flags: '--dry-run', text: 'only print what would be done' }],
    help: `
Changes what differs, all of it or nothing, and prints it as the commands that would do the same. Ports that
the file leaves as they are lose no frame. Faults of the file are shown as "overtap check" shows them, and
the exit status is then 2. With --json: {"commands": [...]}.

Examples:
  overtap apply -c host1.yaml --dry-run
  overtap apply -c host1.yaml`,
    load: () => import('./commands/apply.js'),
  },
  {
    name: 'config',
    summary: 'print the configuration of a running switch as a file',
    usage: '[show]',
    words: true,
    help: `
Prints YAML that "overtap run" and "overtap apply" take: what the switch was started with, and every change since,
entries that were put in at run time among them. Comments and the order of the file that it was read from are
not kept. Learned entries are no configuration. With --json: the same as JSON, as GET /v1/config gives it.

Examples:
  overtap config show > host1.yaml
  overtap config show | overtap apply -c - --dry-run      nothing to do`,
    load: () => import('./commands/config.js'),
  },
  {
    name: 'log-level',
    summary: 'show or set how much a running switch logs',
    usage: '[LEVEL]',
    words: true,
    help: `
LEVEL is fatal, error, warn, info, debug or trace; without one, the level in force is printed. It holds until the
switch ends or another one is set; "overtap run --log-level" sets that of the start. SIGUSR2 raises it by a step.

Examples:
  overtap log-level
  overtap log-level debug`,
    load: () => import('./commands/log-level.js'),
  },
  {
    name: 'link',
    summary: 'show, add, delete and set bridges and ports',
    usage: '[show | add | set | del] ...',
    words: true,
    help: LINK_HELP,
    load: () => import('./commands/link.js'),
  },
  {
    name: 'fdb',
    summary: 'show and change the forwarding database',
    usage: '[show | get | add | append | replace | del | flush] ...',
    words: true,
    help: FDB_HELP,
    load: () => import('./commands/fdb.js'),
  },
  {
    name: 'vlan',
    summary: 'show and change VLAN membership and the VLAN to VNI table',
    usage: '[show | tunnelshow | add | del | set] ...',
    words: true,
    help: VLAN_HELP,
    load: () => import('./commands/vlan.js'),
  },
  {
    name: 'neigh',
    summary: 'show and change the bindings that ARP/ND suppression answers from',
    usage: '[show | add | replace | del] ...',
    words: true,
    help: NEIGH_HELP,
    load: () => import('./commands/neigh.js'),
  },
  {
    name: 'mdb',
    summary: 'show and change multicast group membership',
    usage: '[show | add | del] ...',
    words: true,
    help: MDB_HELP,
    load: () => import('./commands/mdb.js'),
  },
  {
    name: 'monitor',
    summary: 'show events as they happen',
    usage: '[fdb] [link] [mdb] [miss] [neigh] [vtep] [all] [KIND...] [options]',
    words: true,
    options: [{ flags: '-t, --timestamp', text: 'put the time before each event' }],
    help: MONITOR_HELP,
    load: () => import('./commands/monitor.js'),
  },
  {
    name: 'stats',
    summary: 'show traffic, and drops by reason',
    usage: '[LINK]',
    words: true,
    help: `
Frames and bytes a link, its remotes, VNIs and VLANs beneath, and the frames it dropped with the reason. The
last line holds the accounts together: every frame received, and every further copy that flooding made, was
either transmitted or dropped for one reason. "retired" is what links that are no more had counted: on the
left what they received, on the right what they transmitted and dropped. While frames move the balance can be
off by those under way.

With LINK: that link alone; of a bridge, its ports. The JSON then holds "links" only.

Examples:
  overtap stats
  overtap stats vxlan0 --json`,
    load: () => import('./commands/stats.js'),
  },
  {
    name: 'doctor',
    summary: 'examine a switch, its host and its remotes, and say what to do',
    usage: '[-c FILE] [options]',
    words: false,
    options: [{ flags: '-c, --config <FILE>', text: 'examine what this file asks for, without a running switch' }],
    help: DOCTOR_HELP,
    load: () => import('./commands/doctor.js'),
  },
  {
    name: 'lab',
    summary: 'build and prove ready topologies on this machine',
    usage: 'list | up NAME | check NAME | down NAME | run NAME',
    words: true,
    help: `
Hosts and guests are network namespaces made for the lab; nothing else on the machine is touched. Needs root.
  list          all labs
  up NAME       builds the lab, which stays up
  check NAME    proves the claims of the lab, one per line; the exit status is 1 if any fails
  down NAME     removes the lab and everything that belongs to it
  run NAME      up, check and down in one run
Ctrl-C during "up" or "run" removes the lab at once; the exit status is then 130.

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
      { flags: '--only <LIST>', text: 'of tcp,frames,latency,learning' },
      { flags: '--columns <LIST>', text: 'of A,B' },
      { flags: '--variants <LIST>', text: 'of kernel,overtap,ovs,mixed,workers,trains,replicating,large' },
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
  trains       overtap without tunnel GSO
  replicating  overtap while it floods to a thousand remotes
  large        overtap with an FDB of a million entries; it only learns

Learning is RFC 2889's: how many addresses one bridge with three ports holds, and how fast it learns them.

--json gives every sample on stdout instead of the table; with FILE, there, beside the table.

Needs root, and iperf3, ethtool, netsniff-ng and sockperf. A whole run takes about 24 minutes, on a machine
that does nothing else, and is kept in bench/results.

Examples:
  overtap bench --quick
  overtap bench --only frames --columns A --rounds 3`,
    load: () => import('./commands/bench.js'),
  },
  {
    name: 'completion',
    summary: 'print the completion of the command line for a shell',
    usage: 'bash | zsh | fish',
    words: true,
    help: `
Prints a script that completes commands, words, options and names of links. Packages put it into its place; by hand:

  bash    source <(overtap completion bash)
  zsh     source <(overtap completion zsh)      after compinit
  fish    overtap completion fish | source

With links, bridges or ports it prints these names of the running switch, one a line, and nothing where no switch
answers: the scripts ask so.

Example:
  overtap completion bash > /etc/bash_completion.d/overtap`,
    load: () => import('./commands/completion.js'),
  },
];

/** Commands of the language that this version does not have. They stay out of the help. */
export const LATER_COMMANDS = ['trace', 'capture', 'top'];

export const SUMMARY = `A VXLAN switch in one userspace process: TAP devices on one side, VXLAN over UDP on the other, a
VLAN-aware learning bridge in between. The commands speak iproute2's language.`;

export const EPILOGUE = `
The switch that a command talks to is the one on the control socket given with -s, else by OVERTAP_CONTROL,
else on /run/overtap/overtap.sock.

Exit status: 0 done; 1 refused by the switch; 2 usage or configuration; 3 no switch answers.

Examples:
  overtap lab run one-vxlan-many-vlans      see two hosts talk, and what was proved
  overtap check -c host1.yaml               validate a configuration
  overtap run -c host1.yaml                 run a switch
  overtap fdb show dev vxlan0               what it learned from the tunnel
  overtap link set tap1 master br1          change it while it runs
  overtap help fdb                          the words that a command takes`;
