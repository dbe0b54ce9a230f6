/**
 * Probes all remotes concurrently: routes, pings, path MTU, UDP ports. A remote shared by several ports is probed once. It
 * keeps a deadline and combines the facts; `judge-remotes.ts` interprets them.
 */
import { type Devices, missingNeighbours } from './device-facts.js';
import { openIcmpSocket } from './icmp-socket.js';
import type { RemoteFacts } from './judge-remotes.js';
import { limited } from './limited.js';
import { type PathFacts, type PathRequest, probePaths } from './path-probe.js';
import { Pinger } from './pinger.js';
import type { RemotePlan, VxlanPlan } from './plan.js';
import { probeUdpPorts, sourceTowards, type UdpFact, type UdpTarget } from './udp-probe.js';

/** Milliseconds for pings and path MTU, and in which UDP probes are started. */
const PINGS_MS = 2000;
const PORTS_MS = 2000;
/** The longest IP packet. */
const LONGEST = 65_535;
/** Concurrent sockets for source address look-ups. */
const AT_ONCE = 128;

export interface RemoteCase {
  readonly port: VxlanPlan;
  readonly remote: RemotePlan;
}

/** @returns facts in the order of the cases */
export async function examineRemotes(
  cases: readonly RemoteCase[],
  devices: Pick<Devices, 'route' | 'addresses'>,
  options: { pings: boolean },
): Promise<RemoteFacts[]> {
  const own = devices.addresses();
  const routed = cases.map(({ port, remote }) => ({
    port,
    remote,
    own: own.has(remote.address) && comesBack(port, remote),
    route: devices.route({ remote: remote.address, ...placeOf(port) }),
  }));
  const usable = routed.filter((one) => !one.own && one.route.state === 'found');
  const [paths, ports] = await Promise.all([
    options.pings ? pathsOf(usable.map(pathRequest)) : new Map<string, PathFacts>(),
    portsOf(usable),
  ]);
  const missing = missingNeighbours();
  return routed.map(({ port, remote, own: isOwn, route }) => {
    const path = paths.get(keyOf(port, remote));
    const noNeighbour = missing.get(remote.address);
    return {
      route,
      own: isOwn,
      ...(path === undefined ? {} : { path }),
      ...(noNeighbour === undefined ? {} : { noNeighbour }),
      ports: ports.get(keyOf(port, remote)) ?? new Map<number, UdpFact>(),
    };
  });
}

/** Of a port with a `local` another switch of this host may have the other addresses; one without has them all. */
function comesBack({ local }: VxlanPlan, { address }: RemotePlan): boolean {
  return local === undefined || local === address;
}

function placeOf({ local, dev }: VxlanPlan): { local?: string; dev?: string } {
  return { ...(local === undefined ? {} : { local }), ...(dev === undefined ? {} : { dev }) };
}

const keyOf = ({ local, dev }: VxlanPlan, { address }: RemotePlan): string => `${address} ${local ?? ''} ${dev ?? ''}`;

// ---- Pings ----

interface KeyedRequest extends PathRequest {
  readonly key: string;
}

function pathRequest({ port, remote, route }: RemoteCase & { route: ReturnType<Devices['route']> }): KeyedRequest {
  const { family, local, dev, guestMtu, overhead } = port;
  const kernel = route.state === 'found' ? route.mtu : 0;
  const path = {
    family,
    remote: remote.address,
    ...(local === undefined ? {} : { source: local }),
    ...(dev === undefined ? {} : { dev }),
  };
  return { key: keyOf(port, remote), path, most: Math.min(LONGEST, Math.max(kernel, (guestMtu ?? 0) + overhead)) };
}

async function pathsOf(requests: readonly KeyedRequest[]): Promise<Map<string, PathFacts>> {
  // Ports that share a path may have guests of different MTUs: the largest is probed.
  const byKey = new Map<string, KeyedRequest>();
  for (const request of requests) {
    const known = byKey.get(request.key);
    if (known === undefined || known.most < request.most) byKey.set(request.key, request);
  }
  const pinger = new Pinger(openIcmpSocket);
  const until = performance.now() + PINGS_MS;
  try {
    const ready = await limited([...byKey.values()], AT_ONCE, withSource);
    const facts = await probePaths(pinger, ready, until);
    return new Map(ready.map(({ key }, index) => [key, facts[index] as PathFacts]));
  } finally {
    await pinger.close();
  }
}

/** Adds the source address: over IPv6 the checksum covers it, so the kernel cannot choose it later. */
async function withSource(request: KeyedRequest): Promise<KeyedRequest> {
  const { path } = request;
  if (path.family === 4 || path.source !== undefined) return request;
  const source = await sourceTowards(path);
  return source === undefined ? request : { ...request, path: { ...path, source } };
}

// ---- UDP ports ----

async function portsOf(cases: readonly RemoteCase[]): Promise<Map<string, Map<number, UdpFact>>> {
  const targets = new Map<string, UdpTarget & { key: string }>();
  for (const { port, remote } of cases) {
    const key = keyOf(port, remote);
    for (const number of remote.ports)
      targets.set(`${key} ${number}`, {
        key,
        family: port.family,
        remote: remote.address,
        port: number,
        ...placeOf(port),
      });
  }
  const all = [...targets.values()];
  const facts = await probeUdpPorts(all, performance.now() + PORTS_MS);
  const byKey = new Map<string, Map<number, UdpFact>>();
  for (const [index, { key, port }] of all.entries()) {
    const fact = facts[index];
    if (fact === undefined) continue;
    const ports = byKey.get(key) ?? new Map<number, UdpFact>();
    byKey.set(key, ports.set(port, fact));
  }
  return byKey;
}
