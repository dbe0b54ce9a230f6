/**
 * Judges interfaces that are attached by netdev ports. Pure: plans and facts in, checks out.
 */
import { netnsRemedy } from '../text/netns.js';
import { command } from '../text/shell.js';
import { type Check, fail, ok, warn } from './check.js';
import type { NetdevFacts } from './device-facts.js';
import type { NetdevPlan } from './plan.js';

const BY_ITSELF = 'the port comes up by itself then';

/** @param facts absent: not collected */
export function judgeNetdev(port: NetdevPlan, facts: NetdevFacts | undefined): Check[] {
  const { name, ifname, netns } = port;
  const subject = `${name} interface ${ifname}${netns === undefined ? '' : ` in ${netns}`}`;
  return [
    ...judgeRoute(port, subject, facts),
    ...judgeAddresses(port, subject, facts),
    judgeState(port, subject, facts),
  ];
}

function judgeRoute({ host, force }: NetdevPlan, subject: string, facts: NetdevFacts | undefined): Check[] {
  const routed = facts?.routed ?? null;
  if (routed === null || host) return [];
  const finding = `carries the default route of this host (${routed})`;
  if (force)
    return [warn(subject, `${finding}, which is cut off as long as the switch runs`, 'set host: true to keep it')];
  return [fail(subject, `${finding}: a switch refuses to cut it off`, 'set host: true, or force: true to cut it off')];
}

function judgeAddresses({ host }: NetdevPlan, subject: string, facts: NetdevFacts | undefined): Check[] {
  const { addresses = [] } = facts ?? {};
  if (host || addresses.length === 0) return [];
  const finding = `has the address ${addresses.join(', ')}, which nobody reaches as long as the switch runs`;
  return [warn(subject, finding, "give it to the bridge's host port (host_port: true, addresses), or set host: true")];
}

function judgeState(port: NetdevPlan, subject: string, facts: NetdevFacts | undefined): Check {
  const { netns, ifname, operstate, fault, host, up } = port;
  const nic = facts?.nic;
  if (nic?.state === 'no-netns')
    return fail(subject, `its network namespace does not exist${netnsRemedy(netns ?? '')}`, BY_ITSELF);
  if (nic?.state === 'gone')
    return fail(subject, 'there is no such interface', `make it, or name another; ${BY_ITSELF}`);
  if (nic?.state === 'hidden')
    return warn(subject, `cannot be looked at: ${nic.reason}`, 'run doctor as root (CAP_SYS_ADMIN)');
  if (nic?.up === false) {
    const ip = netns === undefined ? 'ip' : command`ip -n ${netns}`;
    return fail(subject, 'the interface is down', `${ip} ${command`link set ${ifname} up`}`);
  }
  if (operstate === 'DOWN' && !up)
    return warn(subject, 'the port, or its bridge, is set down', command`overtap link set ${port.name} up`);
  if (operstate === 'DOWN')
    return fail(subject, `DOWN${fault === undefined ? '' : `: ${fault}`}`, `mend that; ${BY_ITSELF}`);
  const stack = host ? 'the host keeps its traffic' : "kept from the host's stack";
  return ok(subject, nic === undefined ? stack : `up, MTU ${nic.mtu}, ${stack}`);
}
