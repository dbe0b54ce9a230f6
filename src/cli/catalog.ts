/**
 * The commands: names, options, help texts, and loaders of their code. The code of a command is loaded when it is used.
 */
import type { CommandFacts, OptionSpec } from './command-facts.js';
import type { Run } from './context.js';
import { DOCTOR_HELP, FDB_HELP, MDB_HELP, MONITOR_HELP, NEIGH_HELP, VLAN_HELP } from './help.js';

export interface CommandSpec extends CommandFacts {
  /** The usage line after `overtap NAME`. */
  readonly usage: string;
  /** The rest of the help, with examples; a function loads it. */
  readonly help: string | (() => Promise<string>);
  /** Whether words may follow the name. */
  readonly words: boolean;
  load(): Promise<{ run: Run }>;
}

/** The longer help of a command. */
export async function helpOf({ help }: CommandSpec): Promise<string> {
  return typeof help === 'string' ? help : help();
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
      {
        flags: '--rootless <WHEN>',
        text: 'use namespaces of its own when not root',
        choices: ['auto', 'always', 'never'],
        fallback: 'auto',
      },
      { flags: '--take-over', text: 'take over the switch that runs at the control socket: see "overtap upgrade"' },
    ],
    help: `
Needs /dev/net/tun and root (or CAP_NET_ADMIN). Once ready it gives up all capabilities but NET_ADMIN, NET_RAW,
NET_BIND_SERVICE, SYS_ADMIN and BPF, and as root DAC_READ_SEARCH and SYS_PTRACE: the log line "rights" has those that
are left. Logs "ready" when all ports forward. SIGTERM or Ctrl-C ends it
and removes its TAPs, except those with "persist". The control socket is the file's "control", or the one given
with -s.

An ordinary user's switch whose NICs are not there yet runs in user, network and mount namespaces of its own, where
the host allows that: guests reach each other there, and the host's devices and routes are not there. Its default
control socket is $XDG_RUNTIME_DIR/overtap/overtap.sock, which the user's other commands find by themselves.

All faults of the file are shown at once, and the exit status is 2: see "overtap check". A port whose namespace,
device or local address does not exist yet is DOWN and waits for it; the "ready" line has the number of such ports.

Signals:
  SIGTERM, SIGINT, SIGQUIT   shut down; a second signal ends the process at once
  SIGHUP    reads the file again and applies it as "overtap apply" does, completely or not at all; the log has the
            commands. If the log was written to a terminal that was closed, it shuts down instead
  SIGUSR1   logs the state: links that are DOWN, drops, counters
  SIGUSR2   raises the log level by one step, up to trace, then returns to the initial one: see "overtap log-level"

A service manager that started it (NOTIFY_SOCKET) is told of start, reload and end, and its watchdog
(WATCHDOG_USEC) is fed while the control thread and every engine make progress.

Each change by a command or a signal is logged, with its origin. A log that cannot be written (full disk, pipe
without a reader) does not delay the switch: lines are dropped and counted ("overtap stats --json":
control.log_lost), and the count is logged when the log is writable again.

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
Prints all faults, then all warnings, as FILE:LINE:COLUMN: PATH: message on stderr; the exit status with faults is 2.
With --json: {"ok", "faults": [{"file", "line", "column", "path", "message"}], "warnings": [...]} on stdout, without
"warnings" if there are none. A network namespace, device or local address that does not exist yet is a warning: its
port would wait for it.

FILE is a regular file, a pipe that sends data at least once a minute, or - for standard input.

Example:
  overtap check -c host1.yaml
  host1.yaml: ok: 1 bridge, 3 ports`,
    load: () => import('./commands/check.js'),
  },
  {
    name: 'apply',
    summary: 'change a running switch to the configuration of a file',
    usage: '-c FILE [--dry-run] [options]',
    words: false,
    options: [CONFIG, { flags: '--dry-run', text: 'print the commands without applying them' }],
    help: `
Applies the differences, completely or not at all, and prints the commands that have the same effect. Unchanged ports
lose no frames. Faults of the file are shown as by "overtap check", and the exit status is then 2. With --json:
{"commands": [...]}.

Examples:
  overtap apply -c host1.yaml --dry-run
  overtap apply -c host1.yaml`,
    load: () => import('./commands/apply.js'),
  },
  {
    name: 'upgrade',
    summary: 'replace the process of a running switch by the installed program',
    usage: '[options]',
    words: false,
    help: `
The running switch starts the program at the path and with the words that it was started with itself, as a rule a
newer version by now, and gives it everything: TAPs and sockets, the running configuration with all changes made at
run time, the FDB with ages, neighbours, groups and counters. No NIC changes. Frames wait for some milliseconds
meanwhile; the answer says how many. When the new process cannot start, the reason is printed, the exit status is 1
and the old one goes on. With --json: {"pid", "version", "gap_ms"}.

The new process has a PID of its own, and runs in the same service, with the same rights, output and log level;
systemd is told (MAINPID). Of a switch in the foreground of a shell it goes on in the background. Clients of
"overtap monitor" have to connect again. A switch that is process 1 of a container cannot be replaced.

By hand, for another program or another path, run as the same user in the same namespaces:
  overtap run --take-over -c FILE
FILE then names the control socket and is read again on SIGHUP; the configuration is the running one.

Example:
  overtap upgrade      after npm install -g or apt-get install of another version`,
    load: () => import('./commands/upgrade.js'),
  },
  {
    name: 'config',
    summary: 'print the configuration of a running switch as a file',
    usage: '[show]',
    words: true,
    help: `
Prints YAML for "overtap run" and "overtap apply": the initial configuration with all changes since, including entries
added at run time. Comments and order of the original file are not kept. Learned entries are not included. With
--json: JSON, as from GET /v1/config.

Examples:
  overtap config show > host1.yaml
  overtap config show | overtap apply -c - --dry-run      nothing to do`,
    load: () => import('./commands/config.js'),
  },
  {
    name: 'log-level',
    summary: 'show or set the log level of a running switch',
    usage: '[LEVEL]',
    words: true,
    help: `
LEVEL is fatal, error, warn, info, debug or trace; without LEVEL, the present one is printed. It is kept until it is
changed or the switch ends; "overtap run --log-level" sets the initial one. SIGUSR2 raises it by one step.

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
    help: async () => (await import('./link-help.js')).LINK_HELP,
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
    summary: 'show and change the bindings of ARP/ND suppression',
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
    options: [{ flags: '-t, --timestamp', text: 'print the time before each event' }],
    help: MONITOR_HELP,
    load: () => import('./commands/monitor.js'),
  },
  {
    name: 'stats',
    summary: 'show traffic, and drops by reason',
    usage: '[LINK]',
    words: true,
    help: `
Frames and bytes of each link, its remotes, VNIs and VLANs, and its drops by reason. The last line is the balance:
each received frame, and each further copy made by flooding, was either transmitted or dropped for one reason.
"retired" are the counters of deleted links: received frames on the left, transmitted and dropped ones on the right.
While traffic flows, the balance can be off by the frames in transit.

With LINK: only this link, or the ports of a bridge. The JSON then has "links" only.

Examples:
  overtap stats
  overtap stats vxlan0 --json`,
    load: () => import('./commands/stats.js'),
  },
  {
    name: 'doctor',
    summary: 'check a switch, its host and its remotes, and print remedies',
    usage: '[-c FILE | --host] [options]',
    words: false,
    options: [
      { flags: '-c, --config <FILE>', text: 'check this file and the host, without a running switch' },
      {
        flags: '--host',
        text: 'check this host alone: rights, kernel features, what a sandbox refuses and what that costs',
      },
    ],
    help: DOCTOR_HELP,
    load: () => import('./commands/doctor.js'),
  },
  {
    name: 'lab',
    summary: 'build and check ready topologies on this machine',
    usage: 'list | up NAME | check NAME | down NAME | run NAME',
    words: true,
    help: `
Hosts and guests are network namespaces of the lab; nothing else on the machine is changed. An ordinary user's
lab is in user, network and mount namespaces of its own, where the host allows that (see "overtap doctor --host").
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
    summary: 'measure the whole path, compared with the kernel',
    usage: '[options] [--json [FILE]]',
    words: true,
    options: [
      { flags: '--rounds <N>', text: 'rounds of measurements (5)' },
      { flags: '--seconds <S>', text: 'duration of each measurement (3)' },
      { flags: '--senders <N>', text: 'programs that send frames (one per core)' },
      { flags: '--only <LIST>', text: 'measurements, of tcp,frames,latency,learning' },
      { flags: '--columns <LIST>', text: 'columns, of A,B' },
      { flags: '--variants <LIST>', text: 'variants, of kernel,overtap,ovs,mixed,workers,trains,replicating,large' },
      { flags: '--local', text: 'two guests on one switch; without --columns' },
      { flags: '--quick', text: 'one round of one second, as a test' },
    ],
    help: `
Builds the same topology, guest - switch - underlay - switch - guest, for overtap, for the kernel's bridge and vxlan,
and for Open vSwitch's userspace datapath if it is installed. Each round measures all variants; at the end
everything is removed. The table has medians, spreads and ratios; progress is printed to stderr.

  column A     all offloads
  column B     the underlay as a plain NIC: no segmentation and no checksums on send
  mixed        overtap with a kernel peer
  workers      overtap with two engine threads
  trains       overtap without tunnel GSO
  replicating  overtap while it floods to a thousand remotes
  large        overtap with an FDB of a million entries; learning only

Learning is measured as in RFC 2889: the capacity of a bridge with three ports, and its learning rate.

--local measures local ports: TCP, frames of 64 bytes and round trips between two guests on one switch, of the variants
kernel (veth ends on a bridge), overtap (TAPs), netdev (overtap with the veth ends attached) and ovs (veth ends).

--json prints all samples to stdout instead of the table; --json FILE writes them to FILE and prints the table.

Needs root, and iperf3, ethtool, netsniff-ng and sockperf. A complete run takes about 24 minutes on an otherwise idle
machine; results are kept in bench/results.

Examples:
  overtap bench --quick
  overtap bench --only frames --columns A --rounds 3
  overtap bench --local --variants overtap,netdev`,
    load: () => import('./commands/bench.js'),
  },
  {
    name: 'completion',
    summary: 'print the completion of the command line for a shell',
    usage: 'bash | zsh | fish',
    words: true,
    help: `
Prints a script that completes commands, words, options and names of links. Packages install it; by hand:

  bash    source <(overtap completion bash)
  zsh     source <(overtap completion zsh)      after compinit
  fish    overtap completion fish | source

With links, bridges or ports it prints these names of the running switch, one per line, or nothing without a switch.
The scripts use that.

Example:
  overtap completion bash > /etc/bash_completion.d/overtap`,
    load: () => import('./commands/completion.js'),
  },
];

/** Reserved names of commands that this version does not have; hidden in the help. */
export const LATER_COMMANDS = ['trace', 'capture', 'top'];

export const SUMMARY = `A VXLAN switch in one userspace process: TAP devices on one side, VXLAN over UDP on the other, and a
VLAN-aware learning bridge between them. The commands have the grammar of iproute2.`;

export const EPILOGUE = `
Commands use the control socket given with -s, or by OVERTAP_CONTROL, or /run/overtap/overtap.sock.

Exit status: 0 done; 1 refused by the switch; 2 usage or configuration; 3 no switch answers.

Examples:
  overtap lab run one-vxlan-many-vlans      build a topology, check it and remove it
  overtap check -c host1.yaml               validate a configuration
  overtap run -c host1.yaml                 run a switch
  overtap fdb show dev vxlan0               show the entries of a port
  overtap link set tap1 master br1          change a running switch
  overtap help fdb                          show the grammar of a command`;
