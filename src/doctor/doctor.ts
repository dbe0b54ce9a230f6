/**
 * Examines a running switch and its network, or a configuration file on this host: collects facts, probes remotes and runs the
 * judges, within five seconds and without changes. If the switch is in another network namespace, checks that depend on the
 * namespace are omitted, and the report says so.
 */

import type { FdbRow, InfoAnswer, LinkRow, StatsAnswer } from '../api/api.js';
import { type SwitchClient, SwitchUnreachable } from '../client/client.js';
import { type CheckedDocument, checkDocument } from '../config/load.js';
import type { EvpnConfig } from '../config/types.js';
import { settingsOf } from '../config/options/option.js';
import { offloadOptions } from '../config/options/switch.js';
import { type Check, type Diagnosis, diagnosis, warn } from './check.js';
import { bindError, type Devices, loadDevices } from './device-facts.js';
import { capabilitiesOf, compareNamespaces, type HostFacts, hostFacts, socketFacts } from './host-facts.js';
import { judgeHost, judgeNamespaces, judgeSocket, judgeSwitchRights } from './judge-host.js';
import { judgeNetdev } from './judge-netdev.js';
import { judgeLink, judgeNic, judgeUnderlay, type UnderlayFacts } from './judge-ports.js';
import { judgeRemote } from './judge-remotes.js';
import { judgeStats } from './judge-stats.js';
import { judgeEvpn, type EvpnFacts } from './judge-evpn.js';
import { judgeLiveness } from './judge-liveness.js';
import { judgePeers } from './judge-peers.js';
import { judgeTrees } from './judge-trees.js';
import { judgeWarnings } from './judge-warnings.js';
import { MOST_REMOTES, type Plan, planOf, type VxlanPlan } from './plan.js';
import { examineRemotes, type RemoteCase } from './remote-facts.js';

/** Timeout in milliseconds for the switch's answers. */
const ASK_LIMIT_MS = 1500;

/** @throws SwitchUnreachable, SwitchRefused */
export async function examineSwitch(client: SwitchClient): Promise<Diagnosis> {
  const { config, warnings, info, links, stats, entries } = await ask(client);
  const plan = planOf(config, { links, stats, entries: entries ?? [] });
  const namespaces = compareNamespaces(info.pid);
  const host = await hostFacts();
  const late = 'the table was not read in time: remotes that were added at run time may be missing here';
  const head = [
    ...judgeNamespaces(namespaces, info.pid, client.socketPath),
    ...judgeSwitchRights(capabilitiesOf(info.pid), info.pid),
    ...judgeHost(host, config.offloads, true),
    judgeSocket(socketFacts(client.socketPath)),
    ...(entries === undefined ? [warn('fdb', late, 'try again')] : []),
    ...plan.links.flatMap(judgeLink),
  ];
  const body = await examinePlan(plan, host, { running: true, here: namespaces.state !== 'other' });
  const trees = judgeTrees(links);
  return diagnosis([
    ...head,
    ...trees,
    ...judgeLiveness(links),
    ...judgePeers(links, Date.now()),
    ...(config.evpn === undefined ? [] : judgeEvpn(await askEvpn(client, config.evpn))),
    ...judgeStats(stats),
    ...judgeWarnings(warnings),
    ...body,
  ]);
}

/** Examines a file before a switch runs it. */
export async function examineConfig({ config, warnings }: Meaning): Promise<Diagnosis> {
  const plan = planOf(config);
  const host = await hostFacts();
  const head = [...judgeHost(host, config.offloads, false), ...judgeWarnings(warnings)];
  return diagnosis([...head, ...(await examinePlan(plan, host, { running: false, here: true }))]);
}

/** Examines this host alone, for a switch with all options at their defaults. */
export async function examineHost(): Promise<Diagnosis> {
  return diagnosis(judgeHost(await hostFacts(), settingsOf(offloadOptions, {}), false));
}

// ---- The switch ----

type Meaning = Pick<CheckedDocument, 'config' | 'warnings'>;

interface Asked extends Meaning {
  info: InfoAnswer;
  links: LinkRow[];
  stats: StatsAnswer;
  /** Absent: too many entries to read in time. */
  entries: FdbRow[] | undefined;
}

async function ask(client: SwitchClient): Promise<Asked> {
  const late = new SwitchUnreachable(
    `the switch on ${client.socketPath} did not answer within ${ASK_LIMIT_MS / 1000} s`,
  );
  const [config, info, links, stats, entries] = await Promise.all([
    intime(client.get('/v1/config'), late),
    intime(client.get('/v1/info'), late),
    intime(client.get('/v1/links'), late),
    intime(client.get('/v1/stats'), late),
    intime(client.get('/v1/fdb?state=static,permanent'), late).catch((error: unknown) => {
      if (error === late) return undefined;
      throw error;
    }),
  ]);
  return { ...meaningOf(config, info), info, links, stats, entries };
}

/** What the BGP speaker says; null: nothing, in time. */
async function askEvpn(client: SwitchClient, { neighbors: given }: EvpnConfig): Promise<EvpnFacts | null> {
  try {
    const late = new Error('the BGP speaker did not answer');
    const [neighbors, vnis, { routes }] = await Promise.all([
      intime(client.get('/v1/evpn/neighbors'), late),
      intime(client.get('/v1/evpn/vnis'), late),
      intime(client.get('/v1/evpn/routes?type=3'), late),
    ]);
    const mostRoutes = new Map(given.map(({ address, max_routes: most }) => [address, most]));
    return { neighbors, vnis, floods: routes, mostRoutes };
  } catch {
    return null;
  }
}

/** Resolves a switch's configuration. It is valid since the switch runs it, even if a namespace has been deleted since. */
function meaningOf(value: unknown, { name }: InfoAnswer): Meaning {
  return checkDocument(value, { hostname: () => name, netnsExists: () => true });
}

async function intime<T>(answer: Promise<T>, late: Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late), ASK_LIMIT_MS);
  });
  try {
    return await Promise.race([answer, limit]);
  } finally {
    clearTimeout(timer);
  }
}

// ---- Its surroundings ----

interface Situation {
  readonly running: boolean;
  /** The switch runs, or will run, in this network namespace. */
  readonly here: boolean;
}

async function examinePlan(plan: Plan, host: HostFacts, situation: Situation): Promise<Check[]> {
  // Devices cannot be read without the addon; the host's checks report that it is missing.
  const devices = host.addonError === undefined ? await loadDevices() : undefined;
  const nics = plan.nics.flatMap((nic) => {
    const visible = devices !== undefined && nic.unseen !== true && (situation.here || nic.netns !== undefined);
    return judgeNic(nic, visible ? devices.nic(nic) : undefined);
  });
  const attached = plan.netdevs.flatMap((port) => {
    const visible = devices !== undefined && (situation.here || port.netns !== undefined);
    return judgeNetdev(port, visible ? devices.netdev(port) : undefined);
  });
  if (!situation.here) return [...nics, ...attached];
  const tunnels = await Promise.all(
    plan.vxlans.map((port) => whole(port.name, () => judgeTunnel(port, devices, situation))),
  );
  const remotes = devices === undefined ? [] : await whole('remotes', () => remoteChecks(plan, host, devices));
  return [...nics, ...attached, ...tunnels.flat(), ...remotes];
}

/** Runs one part of the examination. If it fails, for instance for lack of a capability, a check says so and the others continue. */
async function whole(subject: string, examine: () => Promise<Check[]> | Check[]): Promise<Check[]> {
  try {
    return await examine();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [warn(subject, `not examined: ${reason}`, 'run doctor as root, and report it if it stays')];
  }
}

async function judgeTunnel(port: VxlanPlan, devices: Devices | undefined, { running }: Situation): Promise<Check[]> {
  const { local, dev, dstport, family } = port;
  const any = family === 4 ? '0.0.0.0' : '::';
  const facts: UnderlayFacts = {
    ...(local === undefined ? {} : { localError: (await bindError(port, local, 0)) ?? null }),
    ...(running ? {} : { portError: (await bindError(port, local ?? any, dstport)) ?? null }),
    ...(dev === undefined || devices === undefined ? {} : { device: devices.device(dev) ?? null }),
  };
  return judgeUnderlay(port, facts);
}

async function remoteChecks(plan: Plan, host: HostFacts, devices: Devices): Promise<Check[]> {
  const cases: RemoteCase[] = plan.vxlans.flatMap((port) => port.remotes.map((remote) => ({ port, remote })));
  const facts = await examineRemotes(cases, devices, { pings: host.noIcmp === undefined });
  const checks = cases.flatMap(({ port, remote }, index) => {
    const found = facts[index];
    return found === undefined ? [] : judgeRemote(port, remote, found);
  });
  if (plan.leftOut === 0) return checks;
  const finding = `${plan.leftOut} further ones were not examined: ${MOST_REMOTES} at a time`;
  return [...checks, warn('remotes', finding, 'see the others from the switches that they belong to')];
}
