/** The help texts of `exec` and `shell`. */

export const EXEC_HELP = `
Runs COMMAND, and all that it starts, so that what they ask or tell the kernel about links of the switch is answered by
the switch: bridges, vxlan devices, ports, FDB, VLANs. All else goes to the kernel. Programs run unmodified; listings
are the kernel's and the switch's together. Scripts that were written for the kernel's bridge and vxlan devices work
without a change.

The switch is that of the network namespace in which a program runs: with "ip netns exec h1 ..." and "ip -n h1 ..." it
is the switch of h1. Where several run in one namespace, -s or OVERTAP_CONTROL says which. Where none runs, a new
bridge or vxlan device is refused, and all else is the kernel's.

Adding a bridge adds its host port too, so that it has a device in the kernel, as the kernel's bridges have. "master"
attaches an existing interface as a port of type netdev. What overtap does not have is refused, with a reason.

It is done by a library that is preloaded into each program. So it does not reach programs that are linked statically
(most of those that are written in Go) or setuid.

The exit status is that of COMMAND; 3: no switch runs.

Examples:
  overtap exec sh setup-bridge.sh
  overtap exec ip -d link show
  overtap exec -s /run/overtap/host1.sock -- bridge fdb show`;

export const SHELL_HELP = `
Opens $SHELL, or /bin/sh, as "overtap exec" does; WORDS are its own.

Examples:
  overtap shell
  overtap shell -c "ip link show; bridge vlan show"`;
