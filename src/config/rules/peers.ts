/** Rules for the sources of peers: names among the remotes of a port, etcd. */
import type { DecodedSwitch, DecodedVxlan } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';

/** DNS names of one port: each is asked for at least once an hour. */
export const MAX_NAMES = 256;
/** Members of an etcd cluster; the documentation of etcd speaks of 7 at most. */
const MAX_ENDPOINTS = 16;

/** Checks the sources of one port. */
export function checkSources(port: DecodedVxlan, faults: FaultList): void {
  const { given, path, rejected, nameList, endpointList } = port;
  const tooMany = nameList[MAX_NAMES];
  if (tooMany !== undefined) faults.at(tooMany.path, `a port has at most ${MAX_NAMES} DNS names; remove some`);
  const further = endpointList[MAX_ENDPOINTS];
  if (further !== undefined) faults.at(further.path, `a port has at most ${MAX_ENDPOINTS} endpoints; remove some`);
  if (endpointList.length > 0 && given.local === undefined && !rejected.has('local'))
    faults.atKey([...path, 'peers_etcd'], 'needs local: the address that the other hosts send to; add it');
}

/** Checks how the switch speaks to etcd. */
export function checkEtcd({ etcd }: DecodedSwitch, faults: FaultList): void {
  const pairs = [
    ['user', 'password_file'],
    ['password_file', 'user'],
    ['cert', 'key'],
    ['key', 'cert'],
  ] as const;
  for (const [one, other] of pairs)
    if (etcd[one] !== undefined && etcd[other] === undefined)
      faults.atKey(['etcd', one], `needs ${other} beside it; add it, or remove ${one}`);
}
