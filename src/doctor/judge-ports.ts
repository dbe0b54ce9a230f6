/**
 * Judges the facts of ports and their NICs. Pure: plans and facts in, checks out.
 */
import { netnsRemedy } from '../text/netns.js';
import { command } from '../text/shell.js';
import { type Check, fail, ok, warn } from './check.js';
import type { DeviceFacts, NicFacts } from './device-facts.js';
import type { LinkPlan, NicPlan, VxlanPlan } from './plan.js';

/** Facts of a vxlan port's local end; absent ones were not collected. */
export interface UnderlayFacts {
  /** The errno's name, or null if the address can be bound. */
  readonly localError?: string | null;
  /** The same for its UDP port; only if no switch runs. */
  readonly portError?: string | null;
  /** Null: no such device. */
  readonly device?: DeviceFacts | null;
}

/** Remedy for a port that waits for a missing device, address or namespace. */
const COMES_UP = 'mend that; the port comes up by itself then';

/** Of a port whose virtual machine is missing. */
const PEER_COMES = 'start its QEMU, or mend that; the port comes up by itself then';

export function judgeUnderlay(port: VxlanPlan, facts: UnderlayFacts): Check[] {
  return [...judgeLocal(port, facts), ...judgeDevice(port, facts), ...judgeFlooding(port), ...judgeChecksum(port)];
}

function judgeLocal(port: VxlanPlan, { localError, portError }: UnderlayFacts): Check[] {
  const { name, local } = port;
  const checks: Check[] = [];
  if (local !== undefined && localError !== undefined) {
    const subject = `${name} local ${local}`;
    if (localError === null) checks.push(ok(subject, 'is an address of this host'));
    else if (localError === 'EADDRNOTAVAIL')
      checks.push(
        fail(subject, 'no device of this host has that address', `add it: ip address add ${local}/PREFIX dev DEVICE`),
      );
    else checks.push(fail(subject, `cannot be bound to (${localError})`, 'see what holds it, or use another address'));
  }
  if (portError !== undefined && portError !== null && portError !== localError) {
    const taken = portError === 'EADDRINUSE';
    const finding = taken
      ? 'is taken by another process or a vxlan device of the kernel'
      : `cannot be bound to (${portError})`;
    const remedy = taken
      ? 'where it is the switch of this file, examine that: overtap doctor -s SOCK; else stop it, or set another dstport'
      : 'run it as root, or set another dstport';
    checks.push(warn(`${name} UDP port ${port.dstport}`, finding, remedy));
  }
  return checks;
}

function judgeDevice({ name, dev, group }: VxlanPlan, { device }: UnderlayFacts): Check[] {
  if (dev === undefined || device === undefined) return [];
  const subject = `${name} dev ${dev}`;
  if (device === null)
    return [fail(subject, 'there is no such device', 'make it, or name another: overtap link set dev')];
  if (!device.up) return [fail(subject, 'the device is down', command`ip link set ${dev} up`)];
  if (group !== undefined && device.multicast === false)
    return [
      fail(
        subject,
        `the device takes no multicast, so ${group} is not heard`,
        command`ip link set ${dev} multicast on`,
      ),
    ];
  return [ok(subject, `up, MTU ${device.mtu}`)];
}

function judgeFlooding({ name, group, remotes }: VxlanPlan): Check[] {
  if (group !== undefined || remotes.length > 0) return [];
  const remedy = command`add one: overtap fdb append 00:00:00:00:00:00 dev ${name} dst ADDRESS`;
  return [warn(name, 'has neither a remote nor a group: nothing leaves by it', remedy)];
}

function judgeChecksum({ name, family, udpcsum }: VxlanPlan): Check[] {
  if (udpcsum) return [];
  if (family === 4) return [ok(`${name} udpcsum`, 'off: outer UDP checksums are 0, which IPv4 allows')];
  const finding = 'off: over IPv6, peers drop datagrams without a checksum unless they were told to take them';
  const remedy = command`set udp6zerocsumrx on the peers, or: overtap link set ${name} type vxlan udpcsum`;
  return [warn(`${name} udpcsum`, finding, remedy)];
}

/** @param facts absent: not collected */
export function judgeNic(nic: NicPlan, facts: NicFacts | undefined): Check[] {
  const { name, ifname, netns } = nic;
  const subject = `${name} NIC ${ifname}${netns === undefined ? '' : ` in ${netns}`}`;
  const again = command`make the port again: overtap link del ${name}, then link add (or apply)`;
  if (facts?.state === 'no-netns')
    return [
      fail(
        subject,
        `its network namespace does not exist${netnsRemedy(netns ?? '')}`,
        'the port comes up by itself then',
      ),
    ];
  // Before a switch runs, there is no NIC.
  if (facts?.state === 'gone') return nic.operstate === undefined ? [] : [judgeGone(nic, subject, again)];
  if (facts?.state === 'hidden')
    return [warn(subject, `cannot be looked at: ${facts.reason}`, 'run doctor as root (CAP_SYS_ADMIN)')];
  if (!nic.up) return [shut(name, nic.master)];
  if (facts === undefined) return nic.operstate === 'DOWN' ? [fail(subject, 'DOWN', 'see "overtap link show"')] : [];
  if (nic.operstate === undefined) return [];
  if (!facts.up) {
    return [fail(subject, 'the device is down', `${ipIn(netns)} ${command`link set ${ifname} up`}`)];
  }
  if (nic.operstate === 'DOWN') return [fail(subject, 'the switch has lost the device', again)];
  return [judgeMtu(nic, subject, facts.mtu)];
}

function judgeGone({ fault }: NicPlan, subject: string, again: string): Check {
  return fault === undefined
    ? fail(subject, 'the device is gone', again)
    : fail(subject, `the device is gone, and cannot be made: ${fault}`, COMES_UP);
}

/** The `ip` command for a namespace. */
const ipIn = (netns: string | undefined): string => (netns === undefined ? 'ip' : command`ip -n ${netns}`);

function judgeMtu({ name, ifname, netns, configured, tunnelMtu }: NicPlan, subject: string, mtu: number): Check {
  if (tunnelMtu === undefined || mtu <= tunnelMtu) return ok(subject, `up, MTU ${mtu}`);
  const finding = `MTU ${mtu}, and the tunnel carries ${tunnelMtu}: larger packets do not get through (mtu_exceeded)`;
  const remedy =
    configured === 'auto'
      ? `it was changed by hand; back: ${ipIn(netns)} ${command`link set ${ifname} mtu ${tunnelMtu}`}`
      : command`overtap link set ${name} mtu auto`;
  return fail(subject, finding, remedy);
}

export function judgeLink(link: LinkPlan): Check[] {
  const { name, type, up, operstate } = link;
  if (operstate === undefined) return [];
  if (operstate === 'UP') return [ok(name, `${type}, UP`)];
  if (!up) return [shut(name, undefined)];
  // A virtual machine that is off is no fault of the switch.
  if (link.fault !== undefined && type === 'qemu') return [warn(name, `${type}, DOWN: ${link.fault}`, PEER_COMES)];
  if (link.fault !== undefined) return [fail(name, `${type}, DOWN: ${link.fault}`, COMES_UP)];
  return [fail(name, `${type}, DOWN`, 'see the log of the switch')];
}

/** A port set down by the configuration, or without a bridge: possibly intended. */
function shut(name: string, master: string | undefined): Check {
  if (master === undefined) {
    const remedy = command`overtap link set ${name} up; for a port without a bridge: overtap link set ${name} master BR`;
    return warn(name, 'DOWN: it, or its bridge, is set down, or it is a port of no bridge', remedy);
  }
  return warn(
    name,
    `DOWN: it, or ${master}, is set down`,
    command`overtap link set ${name} up; overtap link set ${master} up`,
  );
}
