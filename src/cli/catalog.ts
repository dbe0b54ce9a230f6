/**
 * The commands: names, options, help texts, and loaders of their code. The code of a command is loaded when it is used.
 */
import type { CommandFacts, OptionSpec } from './command-facts.js';
import type { Run } from './context.js';
import {
  CAPTURE_HELP,
  DOCTOR_HELP,
  DROPS_HELP,
  EVPN_HELP,
  FDB_HELP,
  LOG_HELP,
  MDB_HELP,
  MONITOR_HELP,
  MST_HELP,
  NEIGH_HELP,
  NEXTHOP_HELP,
  ROUTE_HELP,
  TOP_HELP,
  VLAN_HELP,
  VNI_HELP,
} from './help.js';
import { EXERCISE_HELP } from './exercise-help.js';
import { EXEC_HELP, SHELL_HELP } from './exec-help.js';
import { REPLAY_HELP, TRACE_HELP } from './trace-help.js';

export interface CommandSpec extends CommandFacts {
  /** Options for other programs, which help and completion do not show. */
  readonly hidden?: readonly OptionSpec[];
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
NET_BIND_SERVICE, SYS_ADMIN and BPF, and as root or for containers DAC_READ_SEARCH and SYS_PTRACE: the log
line "rights" has those that are left. Logs "ready" when all ports forward. SIGTERM or Ctrl-C ends it and removes its
TAPs, except those with "persist". The control socket is the file's "control", or the one given with -s.

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
    usage: '[show | tunnelshow | add | del | set | global] ...',
    words: true,
    help: VLAN_HELP,
    load: () => import('./commands/vlan.js'),
  },
  {
    name: 'mst',
    summary: 'show and change the states of ports in instances of a spanning tree',
    usage: '[show | set] ...',
    words: true,
    help: MST_HELP,
    load: () => import('./commands/mst.js'),
  },
  {
    name: 'vni',
    summary: 'show and change the groups, remotes and counters of VNIs',
    usage: '[show | add | del] ...',
    words: true,
    help: VNI_HELP,
    load: () => import('./commands/vni.js'),
  },
  {
    name: 'neigh',
    summary: 'show and change bindings of ARP/ND suppression, and neighbours of gateways',
    usage: '[show | add | replace | del] ...',
    words: true,
    help: NEIGH_HELP,
    load: () => import('./commands/neigh.js'),
  },
  {
    name: 'mdb',
    summary: 'show and change multicast group membership',
    usage: '[show | get | add | replace | del | flush] ...',
    words: true,
    help: MDB_HELP,
    load: () => import('./commands/mdb.js'),
  },
  {
    name: 'nexthop',
    summary: 'show and change nexthops that FDB entries name',
    usage: '[show | get | add | replace | del | flush] ...',
    words: true,
    help: NEXTHOP_HELP,
    load: () => import('./commands/nexthop.js'),
  },
  {
    name: 'evpn',
    summary: 'show BGP neighbours, EVPN routes and VNIs',
    usage: '[show | routes | neighbors | vni | clear | refresh] ...',
    words: true,
    help: EVPN_HELP,
    load: () => import('./commands/evpn.js'),
  },
  {
    name: 'route',
    summary: 'show the routes of gateways',
    usage: '[show] [vrf NAME] [table all]',
    words: true,
    help: ROUTE_HELP,
    load: () => import('./commands/route.js'),
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
    name: 'drops',
    summary: 'show the last dropped frames, with the reason in words',
    usage: '[--reason REASON] [--follow] [options]',
    words: false,
    options: [
      { flags: '--reason <REASON>', text: 'only frames dropped for this reason' },
      { flags: '-f, --follow', text: 'show the drops from now on, until Ctrl-C' },
    ],
    help: DROPS_HELP,
    load: () => import('./commands/drops.js'),
  },
  {
    name: 'log',
    summary: 'show what the switch decides about frames, as they come',
    usage: '[FILTER] [-n N] [--paths] [options]',
    words: true,
    options: [
      { flags: '-n, --count <N>', text: 'end after N frames' },
      { flags: '--paths', text: 'show groups of frames that went the same way, at the end' },
      { flags: '--rate <N>', text: 'lines a second at most (100)' },
      { flags: '--lab <NAME>', text: 'all switches of a lab that is up, by time' },
    ],
    help: LOG_HELP,
    load: () => import('./commands/log.js'),
  },
  {
    name: 'capture',
    summary: 'capture frames with the decisions, for Wireshark',
    usage: '-w FILE|- [-i PORT|REMOTE]... [-s SNAPLEN] [-c N] [FILTER]',
    words: true,
    options: [
      { flags: '-w, --write <FILE>', text: 'the file; - is standard output' },
      { flags: '-i, --interface <PLACE>', text: 'only packets of this port or remote; may be repeated', many: true },
      { flags: '--snaplen <BYTES>', text: 'most bytes of a packet; also -s' },
      { flags: '-c, --count <N>', text: 'end after N packets' },
      { flags: '--lab <NAME>', text: 'all switches of a lab that is up, in one capture' },
      { flags: '--files <N>', text: 'a ring of numbered files, of which the last N stay' },
      { flags: '--size <MIB>', text: 'size of each numbered file in MiB (64)' },
      { flags: '--install-extcap [FOLDER]', text: 'add the switches of this host to the interfaces of Wireshark' },
    ],
    hidden: [{ flags: '--extcap', text: 'answer Wireshark' }],
    help: CAPTURE_HELP,
    load: () => import('./commands/capture.js'),
  },
  {
    name: 'top',
    summary: 'show rates of ports, remotes, VNIs and drops',
    usage: '[-n N] [-b] [--sort KEY] [options]',
    words: false,
    options: [
      { flags: '-n, --count <N>', text: 'end after N pages' },
      { flags: '--plain', text: 'print pages one after the other, for scripts; also -b' },
      { flags: '--sort <KEY>', text: 'rx, tx, drops or name', fallback: 'rx' },
    ],
    help: TOP_HELP,
    load: () => import('./commands/top.js'),
  },
  {
    name: 'trace',
    summary: 'say what the switch would do with a frame, and why',
    usage: 'PORT FRAME [options]',
    words: true,
    options: [
      { flags: '--from <ADDRESS>', text: 'PORT is a vxlan port: the VTEP whose datagram brings the frame' },
      { flags: '--vni <VNI>', text: 'the VNI of that datagram' },
      {
        flags: '--peer <NAME=SOCK>',
        text: 'go on at the switch with this control socket; several times for several switches',
        many: true,
      },
      { flags: '--apply', text: 'also take the frame in, as if it had come by PORT: it is learned from, and sent' },
    ],
    help: TRACE_HELP,
    load: () => import('./commands/trace.js'),
  },
  {
    name: 'replay',
    summary: 'run a capture through a switch in memory',
    usage: '-c FILE IN.pcapng [options]',
    words: true,
    options: [
      CONFIG,
      {
        flags: '-w, --write <OUT>',
        text: 'write what the switch sends to this capture file; - writes to standard output',
      },
      { flags: '-i, --port <PORT>', text: 'the port of frames whose interface names none' },
      { flags: '--ndjson', text: 'print each frame, and what became of it, as a line of JSON' },
      { flags: '--expect <FILE>', text: 'compare what the switch sends with this capture file' },
    ],
    help: REPLAY_HELP,
    load: () => import('./commands/replay.js'),
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
    summary: 'build and check topologies on this machine',
    usage: '[list | up | check | down | run | shell | graph | weather | new] ...',
    words: true,
    options: [
      { flags: '--page', text: 'after "up": serve the live page of the lab until Ctrl-C; the lab stays up' },
      { flags: '--lab <NAME>', text: 'of shell and weather: the lab, if several are up' },
    ],
    help: `
LAB is the name of a ready lab, or the path of a lab file: see docs/lab-file.md, and "new". Hosts and guests are network
namespaces of the lab; nothing else on the machine is changed. An ordinary user's
lab is in user, network and mount namespaces of its own, where the host allows that (see "overtap doctor --host").
  list          all labs, and which are up, with their age
  up LAB        builds the lab, which stays up; prints guests, a drawing and commands to try
  check LAB     proves the claims of the lab, one per line; the exit status is 1 if any fails
  down LAB      removes the lab and everything that belongs to it
  run LAB       up, check and down in one run
  shell GUEST [-- CMD]
                a shell, or a command, at a guest, router or host; overtap there speaks to the switch of its host
  graph LAB     prints a drawing as SVG
  weather       shows what the links with weather do, with counts
  weather LINK [clear] [delay TIME] [jitter TIME] [loss SHARE] [reorder SHARE] [duplicate SHARE] [corrupt SHARE]
          [rate RATE] [limit N] [seed N] [from END]
                changes it, in both directions or in the one from an end; "clear" puts all else back
  new NAME      writes NAME.yaml, an example to edit
Ctrl-C during "up" or "run" removes the lab at once; the exit status is then 130. Faults of a file are shown with line
and column; the exit status is then 2.

Examples:
  overtap lab run one-vxlan-many-vlans
  overtap lab new mine && overtap lab up mine.yaml
  overtap lab weather alice delay 20ms loss 1% from alice`,
    load: () => import('./commands/lab.js'),
  },
  {
    name: 'exercise',
    summary: 'learn how the switch works: exercises that grade themselves',
    usage: '[list | start | check | hint | report] [NAME] [options]',
    words: true,
    options: [
      { flags: '--student <ID>', text: 'the student; of report: only this one' },
      { flags: '--csv', text: 'of report: comma-separated values' },
    ],
    help: EXERCISE_HELP,
    load: () => import('./commands/exercise.js'),
  },
  {
    name: 'exec',
    summary: 'run a command in which ip, bridge and others reach the switch',
    usage: '[options] [--] COMMAND [WORDS]',
    words: true,
    help: EXEC_HELP,
    load: () => import('./commands/exec.js'),
  },
  {
    name: 'shell',
    summary: 'open a shell in which ip, bridge and others reach the switch',
    usage: '[options] [--] [WORDS]',
    words: true,
    help: SHELL_HELP,
    load: () => import('./commands/shell.js'),
  },
  {
    name: 'page',
    summary: 'show a lab, or switches, in a browser while frames flow',
    usage: '[LAB | NAME=SOCKET...] [--listen 127.0.0.1:PORT]',
    words: true,
    options: [{ flags: '--listen <ADDRESS:PORT>', text: 'address of this machine (127.0.0.1 and a free port)' }],
    help: `
Serves a page to a browser on this machine, until Ctrl-C, and prints its address. The address contains a token: whoever
has it may watch. Topology, frames on their way, FDB, VLANs, neighbours, drops and rates; a click on a frame, an entry
or a drop shows its trace. With LAB: a lab that is up, into whose ports the page can send frames. With NAME=SOCKET:
several switches, drawn together. Otherwise the switch at the control socket.

The page is a client of the control sockets; the switch itself listens nowhere. See docs/page.md.

Examples:
  overtap page two-bridges
  overtap page h1=/run/overtap/h1.sock h2=/run/overtap/h2.sock
  ssh -L 8080:127.0.0.1:8080 HOST overtap page --listen 127.0.0.1:8080`,
    load: () => import('./commands/page.js'),
  },
  {
    name: 'bench',
    summary: 'measure the whole path, compared with the kernel',
    usage: '[far-end] [options] [--json [FILE]]',
    words: true,
    options: [
      { flags: '--rounds <N>', text: 'rounds of measurements (5)' },
      { flags: '--seconds <S>', text: 'duration of each measurement (3)' },
      { flags: '--senders <N>', text: 'programs that send frames (one per core)' },
      { flags: '--only <LIST>', text: 'of tcp,frames,flows,latency,load,ndr,learning; all but ndr' },
      { flags: '--columns <LIST>', text: 'columns, of A,B' },
      {
        flags: '--variants <LIST>',
        text: 'variants, of kernel,floor,overtap,ovs,ovs-tso,mixed,workers,trains,replicating,large',
      },
      { flags: '--underlay <FAMILY>', text: 'ipv4 or ipv6 (ipv4)' },
      { flags: '--local', text: 'two guests on one switch; without --columns' },
      { flags: '--routed', text: 'two guests in two subnets, on one switch and on two' },
      { flags: '--goals', text: 'also compare with the goals of this project' },
      { flags: '--peer <ADDR:PORT>', text: 'measure between two machines: where the far end listens' },
      { flags: '--token <TOKEN>', text: 'the token that the far end printed' },
      { flags: '--listen <ADDR:PORT>', text: 'for "bench far-end": where to listen' },
      { flags: '--compare <OLD>', text: 'compare a result of --json, OLD, with the one in the next word' },
      { flags: '--quick', text: 'one round of one second, as a test' },
    ],
    help: `
Builds the same topology, guest - switch - underlay - switch - guest, for overtap, for the kernel's bridge and vxlan,
for a bare C forwarder, and for Open vSwitch's userspace datapath if it is installed. Each round measures all
variants; at the end everything is removed. The table has medians, spreads and ratios; progress is printed to stderr.

  column A     all offloads
  column B     the underlay as a plain NIC: no segmentation and no checksums on send
  floor        one TAP, one remote and no decisions, in C with plain system calls; needs a C compiler
  mixed        overtap with a kernel peer
  workers      overtap with two engine threads
  trains       overtap without tunnel GSO
  replicating  overtap while it floods to a thousand remotes
  large        overtap with an FDB of a million entries; learning only

  tcp      1, 4 and 16 streams
  frames   of 64, 512 and 1400 bytes, as fast as they can be sent
  flows    the same with 1,024 flows: 64 bytes, and a mix of lengths
  latency  round trips; "load": the same while half as many frames flow as arrive at most
  ndr      the highest rates without loss, and with a loss of 0.5 %, by a search for both

Each measure reads counters of devices and switches before and after it, and fails when its traffic went another way
than the one that is to be measured.

Learning is measured as in RFC 2889: the capacity of a bridge with three ports, and its learning rate.

--local measures local ports: TCP, frames of 64 bytes and round trips between two guests on one switch, of the variants
kernel (veth ends on a bridge), overtap (TAPs), netdev (overtap with the veth ends attached) and ovs (veth ends).

--routed puts the guests into two subnets, on one switch (column L) and on two (A): of the variants routed (overtap's
gateways), routed-kernel (two bridges, ip_forward), and kernel and overtap with the guests in one subnet.

Two machines: "overtap bench far-end --listen ADDR:PORT" on one of them prints the command for the other one. Both get
a guest, and a switch in the machine's own network (floor, overtap). Whoever knows the token can start and stop these
there, and nothing else.

--compare OLD NEW compares two files of --json: changes of medians, with significance (Mann-Whitney U test, five
rounds at least). The exit status is 1 if something of overtap got worse.

--json prints all samples to stdout instead of the table; --json FILE writes them to FILE and prints the table.

Needs root, iperf3, ethtool, netsniff-ng, sockperf and a C compiler. A complete run takes about 40 minutes on an
otherwise idle machine; results are kept in bench/results.

Examples:
  overtap bench --quick
  overtap bench --only frames --columns A --rounds 3
  overtap bench --local --variants overtap,netdev
  overtap bench --routed --columns L
  overtap bench --compare before.json after.json`,
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
export const LATER_COMMANDS: readonly string[] = [];

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
