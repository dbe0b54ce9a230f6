/**
 * Judges the probes of a remote: reachability, path MTU against the guests' packet size, UDP port. Pure.
 */
import { command } from '../text/shell.js';
import { type Check, fail, ok, warn } from './check.js';
import type { RouteFacts } from './device-facts.js';
import type { PathFacts } from './path-probe.js';
import type { Answer } from './pinger.js';
import type { RemotePlan, VxlanPlan } from './plan.js';
import type { UdpFact } from './udp-probe.js';

/** Facts of one remote of one port; absent ones were not probed. */
export interface RemoteFacts {
  readonly route: RouteFacts;
  /** The remote is an address at which the port itself receives. */
  readonly own: boolean;
  readonly path?: PathFacts;
  /** The interface on which its ARP resolution failed. */
  readonly noNeighbour?: string;
  /** By UDP port. */
  readonly ports: ReadonlyMap<number, UdpFact>;
}

/** Codes of "destination unreachable" that tell of a filter: 9, 10 and 13 (RFC 1812), and 1 over IPv6 (RFC 4443). */
const PROHIBITED = { 4: [9, 10, 13], 6: [1, 5] } as const;

export function judgeRemote(port: VxlanPlan, remote: RemotePlan, facts: RemoteFacts): Check[] {
  const subject = `${port.name} ${remote.address}`;
  if (facts.own) return [fail(subject, 'is an address of this host: frames would come back', 'remove that remote')];
  if (facts.route.state === 'none') return [judgeNoRoute(port, subject, facts.route.code)];
  const reach = judgeReach(port, remote, facts, subject);
  // Without ARP resolution the other probes are meaningless.
  if (facts.noNeighbour !== undefined && facts.path !== undefined && facts.path.echo.kind !== 'reply') return reach;
  return [
    ...reach,
    judgePathMtu(port, facts.route.mtu, facts.path, `${subject} path MTU`),
    ...remote.ports.flatMap((number) => judgePort(port, remote, number, facts)),
    ...judgeSilence(port, remote, facts, subject),
  ];
}

/** Sent frames from which a missing answer is significant: a guest's first ARP requests. */
const WORTH_AN_ANSWER = 3;

/** A VTEP without this host as a remote drops its frames; the only sign of it here is the missing answer. */
function judgeSilence(
  port: VxlanPlan,
  { address, heard, sent }: RemotePlan,
  facts: RemoteFacts,
  subject: string,
): Check[] {
  const isClosed = [...facts.ports.values()].some(({ state }) => state !== 'quiet');
  if (heard > 0 || sent < WORTH_AN_ANSWER || isClosed) return [];
  const own = port.local === undefined ? "this host's address" : `this host's address ${port.local}`;
  const finding = `nothing has come from it, although ${sent} frames went there: it may drop them as vtep_unknown, or lack the VNI`;
  return [warn(subject, finding, `on ${address}, see that remotes, peers or accept_vteps of its port let ${own} in`)];
}

function judgeNoRoute({ name, local }: VxlanPlan, subject: string, code: string): Check {
  if (code === 'EADDRNOTAVAIL')
    return warn(
      subject,
      `not examined: ${local ?? 'the local address'} is not on this host`,
      `mend local of ${name} first`,
    );
  if (code === 'ENODEV') return warn(subject, 'not examined: dev is not there', `mend dev of ${name} first`);
  return fail(subject, `there is no route to it (${code})`, 'add one: ip route add ADDRESS/PREFIX via GATEWAY');
}

// ---- Does it answer? ----

function judgeReach(port: VxlanPlan, remote: RemotePlan, facts: RemoteFacts, subject: string): Check[] {
  const echo = facts.path?.echo;
  if (echo === undefined) return [];
  if (echo.kind === 'reply') return [ok(subject, `answers pings, in ${milliseconds(echo.ms)}`)];
  const heard = remote.heard === 0 ? '' : `; ${remote.heard} frames have come from it since the switch started`;
  if (facts.noNeighbour !== undefined) {
    const finding = `no host has that address: nobody answers ARP for it on ${facts.noNeighbour}${heard}`;
    return [fail(subject, finding, 'start that host, or mend the address')];
  }
  if (echo.kind === 'unreachable') return [unreachable(port, echo, subject, heard)];
  if (echo.kind === 'refused')
    return [warn(subject, `cannot be pinged: the kernel says "${echo.words}"`, 'see routes and firewall of this host')];
  if ([...facts.ports.values()].some(({ state }) => state === 'refused'))
    return [warn(subject, 'does not answer pings, but is there', 'nothing, if pings are filtered on purpose')];
  const remedy = 'where pings are filtered on purpose: nothing; else see whether it is up, and the way to it';
  return [warn(subject, `does not answer pings: it is down, or they are filtered${heard}`, remedy)];
}

function unreachable(
  { family }: VxlanPlan,
  { code, from }: Answer & { kind: 'unreachable' },
  subject: string,
  heard: string,
): Check {
  if (PROHIBITED[family].some((one) => one === code))
    return warn(subject, `pings are filtered, says ${from}${heard}`, 'nothing, if that is on purpose');
  return fail(subject, `cannot be reached, says ${from} (ICMP code ${code})${heard}`, `mend the way beyond ${from}`);
}

const milliseconds = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

// ---- How large? ----

function judgePathMtu(port: VxlanPlan, kernelMtu: number, path: PathFacts | undefined, subject: string): Check {
  const { guestMtu, overhead } = port;
  const needed = guestMtu === undefined ? undefined : guestMtu + overhead;
  const probed = path?.mtu;
  const mtu = probed?.fits ?? kernelMtu;
  if (probed !== undefined && probed.fits === 0)
    return fail(
      subject,
      'small pings are answered, larger ones of any size are not',
      'see filters for fragments and ICMP',
    );
  const enough = needed === undefined || needed <= mtu;
  const by = probed === undefined ? ', by the route, not probed' : cause(probed);
  const size = `${probed !== undefined && !probed.exact ? 'at least ' : ''}${mtu}${by}`;
  if (enough) {
    const use =
      needed === undefined
        ? `guests may have an MTU of ${mtu - overhead}`
        : `guests' ${guestMtu} bytes and ${overhead} around them fit`;
    return ok(subject, `${size}; ${use}${stale(kernelMtu, probed?.fits)}`);
  }
  if (probed !== undefined && !probed.exact)
    return warn(subject, `${size}; ${needed} are needed, and there was no time to find out`, 'try again');
  return tooSmall(port, subject, size, mtu - overhead);
}

function tooSmall({ name, guestMtu, overhead, guests }: VxlanPlan, subject: string, size: string, fits: number): Check {
  const needed = (guestMtu ?? 0) + overhead;
  const finding = `${size}; guests send ${guestMtu} bytes, which are ${needed} in the tunnel: the largest that fits is ${fits}`;
  const commands = guests
    .slice(0, 3)
    .map((guest) => command`overtap link set ${guest.replace(/@host$/, '')} mtu ${fits}`);
  const which = guests.length === 0 ? `lower the MTU of what uses ${name} to ${fits}` : commands.join('; ');
  const more = guests.length > commands.length ? `, and so on for ${guests.length - commands.length} more` : '';
  return fail(subject, finding, `raise the MTU on the way to ${needed}, or: ${which}${more}`);
}

function cause({ saidBy }: { saidBy?: string }): string {
  return saidBy === undefined ? '' : `, says ${saidBy}`;
}

/** The kernel's cached path MTU may be outdated. */
function stale(kernelMtu: number, fits: number | undefined): string {
  return fits !== undefined && kernelMtu < fits
    ? `; the kernel still reckons with ${kernelMtu}: ip route flush cache`
    : '';
}

// ---- Does it listen? ----

function judgePort(port: VxlanPlan, remote: RemotePlan, number: number, facts: RemoteFacts): Check[] {
  const fact = facts.ports.get(number);
  const subject = `${port.name} ${remote.address} UDP port ${number}`;
  if (fact === undefined)
    return [warn(subject, 'not tried: there was no time left', 'try again, or examine fewer remotes')];
  const answers = facts.path?.echo.kind === 'reply';
  if (fact.state === 'refused') {
    const host = answers ? 'the host answers pings, but ' : '';
    const remedy = command`start the VTEP there, or set the port that it uses: overtap link set ${port.name} type vxlan dstport PORT`;
    return [fail(subject, `${host}nothing listens on UDP ${number} there`, remedy)];
  }
  if (fact.state === 'failed')
    return [fail(subject, `nothing can be sent to it (${fact.code})`, 'see routes and firewall of this host')];
  if (answers || remote.heard > 0)
    return [ok(subject, 'open or filtered: a datagram without the I flag was not refused')];
  return [warn(subject, 'open or filtered: nothing came back', 'see whether the remote is up')];
}
