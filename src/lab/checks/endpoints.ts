/**
 * The ends of traffic in a lab with containers and virtual machines, and proofs about all of them. A container is a namespace with an
 * agent. A machine's guest is another kernel, reached by its console only.
 */
import type { Machine, Station } from '../setup/topology.js';
import { run } from '../testbed/program.js';
import { inNamespace } from '../testbed/testbed.js';
import { BUSYBOX } from '../vm/guest-image.js';
import { guestListens, guestPing, guestReceived, guestSends } from '../vm/guest-traffic.js';
import type { Seen } from './findings.js';
import type { Inspection } from './inspection.js';
import { pairsOf } from './probes.js';

const PORT = 5000;
const PINGS = 3;
const MEBIBYTES = 10;
const BYTES = MEBIBYTES * 1024 * 1024;
/** Of a guest without hardware support, on a busy machine. */
const TRANSFER_LIMIT_MS = 120_000;

export interface Endpoint {
  readonly name: string;
  readonly address: string;
  mtu(): Promise<number>;
  /** @returns the number of ICMP echo replies */
  ping(address: string, count: number): Promise<number>;
  /** Waits for one TCP connection; it listens when this returns. */
  listen(): Promise<void>;
  /** What has come by that connection, once it is closed. */
  received(): Promise<{ bytes: number; sha256: string }>;
  /** Sends random bytes by TCP. @returns their SHA-256 */
  send(address: string): Promise<string>;
}

/** A container: its namespace pings by busybox, as the guests do, and its agent has the TCP connections. */
export function containerEnd(inspection: Inspection, station: Station): Endpoint {
  const agent = inspection.agent(station);
  return {
    name: station.name,
    address: station.address,
    mtu: async () => (await agent.ask('nic', { ifname: station.ifname })).mtu,
    ping: async (address, count) => {
      const command = [BUSYBOX, 'ping', '-c', String(count), '-W', '2', address];
      const { stdout } = await run(inNamespace(station.netns, command), { signal: inspection.signal });
      return Number(/(\d+) packets received/.exec(stdout)?.[1] ?? 0);
    },
    listen: async () => void (await agent.ask('receiveTcp', { port: PORT, timeoutMs: TRANSFER_LIMIT_MS })),
    received: () => agent.ask('receivedTcp', { port: PORT }),
    send: async (to) =>
      (await agent.ask('sendTcp', { to, port: PORT, bytes: BYTES, timeoutMs: TRANSFER_LIMIT_MS })).sha256,
  };
}

export function machineEnd(inspection: Inspection, machine: Machine): Endpoint {
  const guest = () => inspection.guest(machine);
  return {
    name: machine.name,
    address: machine.address,
    mtu: async () => Number(await (await guest()).must('cat /sys/class/net/eth0/mtu')),
    ping: async (address, count) => guestPing(await guest(), address, count),
    listen: async () => guestListens(await guest(), PORT),
    received: async () => guestReceived(await guest()),
    send: async (to) => guestSends(await guest(), to, MEBIBYTES, PORT),
  };
}

/** Proves that each of them reaches each other one. */
export async function allPing(ends: readonly Endpoint[]): Promise<Seen> {
  // One after the other at each, since a console takes one command at a time.
  const failures = await Promise.all(
    ends.map(async (from) => {
      const lost: string[] = [];
      for (const to of ends) {
        if (to === from) continue;
        const answered = await from.ping(to.address, PINGS);
        if (answered !== PINGS) lost.push(`${from.name} -> ${to.name}: ${answered} of ${PINGS} pings answered`);
      }
      return lost;
    }),
  );
  const all = failures.flat();
  const good = `${pairsOf(ends).length} pairs, ${PINGS} of ${PINGS} pings answered in each`;
  return { holds: all.length === 0, seen: all.join('; ') || good };
}

/** Proves that random bytes arrive unchanged by TCP. */
export async function endsTransfer(from: Endpoint, to: Endpoint): Promise<Seen> {
  const start = performance.now();
  await to.listen();
  const sent = await from.send(to.address);
  const { bytes, sha256 } = await to.received();
  const took = `${bytes} bytes in ${((performance.now() - start) / 1000).toFixed(1)} s, hashes included`;
  const same = sha256 === sent;
  const hashes = same ? 'at both ends' : `received, ${sent.slice(0, 12)}... sent`;
  return { holds: same && bytes === BYTES, seen: `${took}; SHA-256 ${sha256.slice(0, 12)}... ${hashes}` };
}

/** Proves that the NIC of each has this MTU. */
export async function endsMtu(ends: readonly Endpoint[], right: number): Promise<Seen> {
  const mtus = await Promise.all(ends.map((end) => end.mtu()));
  const seen = ends.map(({ name }, index) => `${name} ${mtus[index]}`).join(', ');
  return { holds: mtus.every((mtu) => mtu === right), seen };
}
