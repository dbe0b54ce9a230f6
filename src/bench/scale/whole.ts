/** A whole fabric in one process: all hosts are real, so it is small. Cold start, moves, and the reflector's restart. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalMac } from '../../evpn/contract.js';
import { type Fabric, hostsOf, localMac, placeOf, vtepOf } from './fabric.js';
import { Host } from './host.js';
import { heapUsed, processorTime } from './measure.js';
import { Reflector } from './reflector.js';

/** One phase, until all tables are right. */
export interface Phase {
  name: string;
  /** Processor time of all hosts and the reflector. */
  seconds: number;
  secondsPerHost: number;
  /** Seconds on the clock, with all hosts in one thread. */
  elapsed: number;
  messages: number;
  changesPerHost: number;
}

export interface WholeResult extends Fabric {
  routesPerHost: number;
  entriesPerHost: number;
  bytesPerHost: number;
  bytesPerRoute: number;
  phases: Phase[];
}

/** One in so many MACs moves. */
const MOVING = 100;
const POLL_MS = 50;
/** A phase of a thousand hosts takes minutes on an idle machine. */
const LIMIT_MS = 3_600_000;

export async function measureWhole(fabric: Fabric): Promise<WholeResult> {
  const before = heapUsed();
  const reflector = new Reflector(fabric.hosts);
  const port = await reflector.listen();
  const hosts = Array.from({ length: fabric.hosts }, (_, index) => new Host(fabric, index, port));
  const run = { fabric, hosts, reflector };
  const phases = [await phase('cold start', run, 0, () => announce(run, 0, 1))];
  const bytesPerHost = (heapUsed() - before) / fabric.hosts;
  const routesPerHost = (hosts[0] as Host).counts.accepted;
  phases.push(
    await phase(`1 in ${MOVING} MACs moves`, run, 1, () => announce(run, 1, MOVING)),
    await phase('reflector restarts, graceful', run, 1, () => restart(run, false)),
    await phase('reflector restarts, hard', run, 1, () => restart(run, true)),
  );
  for (const host of hosts) host.stop();
  reflector.close();
  const entriesPerHost = (hosts[0] as Host).tables.entries;
  return {
    ...fabric,
    routesPerHost,
    entriesPerHost,
    bytesPerHost,
    bytesPerRoute: bytesPerHost / routesPerHost,
    phases,
  };
}

interface Run {
  readonly fabric: Fabric;
  readonly hosts: readonly Host[];
  readonly reflector: Reflector;
}

/** Each of some MACs is learned where it is after so many moves. */
function announce({ fabric, hosts }: Run, moves: number, step: number): void {
  const lists = hosts.map((): LocalMac[] => []);
  for (let mac = 0; mac < fabric.macs; mac += step) {
    lists[placeOf(fabric, mac, moves).host]?.push(localMac(fabric, mac, moves));
  }
  for (const host of hosts) host.announce(lists[host.index] as LocalMac[]);
}

async function restart({ hosts, reflector }: Run, isHard: boolean): Promise<void> {
  reflector.restart(isHard);
  await until('sessions to end', 0, () => hosts.every(({ isUp }) => !isUp));
}

async function phase(name: string, run: Run, moves: number, begin: () => void | Promise<void>): Promise<Phase> {
  const { hosts, reflector } = run;
  const start = processorTime();
  const clock = performance.now();
  const changes = total(hosts);
  const { messages } = reflector;
  await begin();
  const wanted = entriesOf(run, moves);
  await until(name, hosts.length, () => hosts.every((host, at) => isRight(run.fabric, host, wanted[at] as Entry[])));
  const seconds = processorTime() - start;
  return {
    name,
    seconds,
    secondsPerHost: seconds / hosts.length,
    elapsed: (performance.now() - clock) / 1000,
    messages: reflector.messages - messages,
    changesPerHost: Math.round((total(hosts) - changes) / hosts.length),
  };
}

/** What the FDB of a host is to have. */
interface Entry {
  mac: number;
  vni: number;
  vtep: string;
}

/** Each MAC of its VNIs that is elsewhere, for each host. */
function entriesOf({ fabric, hosts }: Run, moves: number): Entry[][] {
  const all = hosts.map((): Entry[] => []);
  for (let mac = 0; mac < fabric.macs; mac++) {
    const { vni, host } = placeOf(fabric, mac, mac % MOVING === 0 ? moves : 0);
    for (const other of hostsOf(fabric, vni)) if (other !== host) all[other]?.push({ mac, vni, vtep: vtepOf(host) });
  }
  return all;
}

/** A host has each of these entries and no others, and each other host of a VNI in its flood list; nothing is stale. */
function isRight(fabric: Fabric, { isUp, counts, tables, vnis }: Host, wanted: readonly Entry[]): boolean {
  const others = Math.min(fabric.spread, fabric.hosts) - 1;
  if (!isUp || counts.stale !== 0 || tables.floodRows !== others * vnis.length) return false;
  if (tables.entries !== wanted.length) return false;
  return wanted.every(({ mac, vni, vtep }) => tables.vtepOf(mac, vni) === vtep);
}

/** @param hosts the more there are, the longer a look takes, and the less often there is one */
async function until(what: string, hosts: number, isSo: () => boolean): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`${what}: not right after ${LIMIT_MS / 1000} s`);
    await sleep(Math.max(POLL_MS, hosts / 2));
  }
}

function total(hosts: readonly Host[]): number {
  return hosts.reduce((sum, { tables }) => sum + tables.changes, 0);
}
