/**
 * What a driver finds when it starts, and what Docker never takes back: devices of a process that was killed, containers that have
 * gone meanwhile.
 */
import { statfsSync } from 'node:fs';
import { tapState } from '../../port/tap.js';
import { every } from '../guard.js';
import type { Attachments } from './attachments.js';
import { type Place, withEndpoint, withNetwork, withoutEndpoint } from './links.js';
import type { Endpoint, Network } from './records.js';

/** `f_type` of the files of namespaces (linux/magic.h). */
const NSFS_MAGIC = 0x6e736673;
/** Of a container, whose engine counts them: eth0, eth1... */
const MOST_NICS = 32;
const LOOK_MS = 5000;
/** Docker joins an endpoint right after it has created it, and deletes it right after leaving: longer than it waits for an answer. */
const UNUSED_LOOKS = 12;

export class Recovery {
  private timer: NodeJS.Timeout | undefined;
  /** Endpoints that had no container at the last looks, and at how many. */
  private missing = new Map<string, number>();

  constructor(private readonly attachments: Attachments) {}

  /** Connects what was connected, and removes what nobody has any more. Never throws. */
  async start(): Promise<void> {
    for (const [id, network] of this.attachments.records.allNetworks())
      await this.tried({ network: id }, () =>
        this.attachments.access.revise((document) => withNetwork(document, network)),
      );
    for (const [id, endpoint] of this.attachments.records.allEndpoints())
      await this.tried({ port: this.portOf(id) }, () => this.restore(id, endpoint));
  }

  /** Looks now and then for containers that have gone without a word of Docker. */
  watch(): void {
    this.timer = every('containers', LOOK_MS, () => this.attachments.inTurn(() => this.look()));
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private portOf(id: string): string {
    return this.attachments.portOf(id);
  }

  private async restore(id: string, endpoint: Endpoint): Promise<void> {
    const network = this.attachments.records.network(endpoint.network);
    if (network === undefined || this.attachments.access.hasNic(this.portOf(id))) return; // handed over by the process before
    const { sandbox } = endpoint;
    const isAlive = sandbox !== undefined && isNamespace(sandbox);
    const inside = isAlive ? nicInside(sandbox, endpoint) : undefined;
    if (inside !== undefined) await this.connect(id, endpoint, network, inside);
    else if (tapState(this.portOf(id)) !== null) await this.outside(id, endpoint, network, isAlive);
    else if (!isAlive && sandbox !== undefined) await this.forget(id);
  }

  /** Its NIC is in the host: Docker is about to move it, or has moved it back. */
  private async outside(id: string, endpoint: Endpoint, network: Network, isAlive: boolean): Promise<void> {
    await this.connect(id, endpoint, network, { ifname: this.portOf(id) });
    if (isAlive) return;
    await this.attachments.access.revise((document) => withoutEndpoint(document, this.portOf(id))); // deletes the NIC too
    if (endpoint.sandbox !== undefined) await this.forget(id);
  }

  private async connect(id: string, endpoint: Endpoint, network: Network, at: Place): Promise<void> {
    await this.attachments.access.revise((document) => withEndpoint(document, this.portOf(id), endpoint, network, at));
    this.attachments.log.info({ port: this.portOf(id), nic: at.ifname, netns: at.netns }, 'container connected again');
  }

  private async forget(id: string): Promise<void> {
    await this.attachments.remove(id);
    this.missing.delete(id);
    this.attachments.log.info({ port: this.portOf(id) }, 'the container has gone: its endpoint is forgotten');
  }

  private async look(): Promise<void> {
    const before = this.missing;
    this.missing = new Map();
    for (const [id, { sandbox }] of this.attachments.records.allEndpoints()) {
      if (sandbox !== undefined && this.isInUse(id, sandbox)) continue;
      const looks = (before.get(id) ?? 0) + 1;
      this.missing.set(id, looks);
      // Docker deletes the namespace a moment before it says so.
      const most = sandbox === undefined ? UNUSED_LOOKS : 1;
      if (looks > most) await this.tried({ port: this.portOf(id) }, () => this.forget(id));
    }
  }

  /** A NIC that is somewhere else than in the host is in use, though its namespace is not seen from here. */
  private isInUse(id: string, sandbox: string): boolean {
    return (
      isNamespace(sandbox) || (this.attachments.access.hasNic(this.portOf(id)) && tapState(this.portOf(id)) === null)
    );
  }

  private async tried(facts: object, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.attachments.log.warn({ ...facts, reason: (error as Error).message }, 'container cannot be connected again');
    }
  }
}

/** Whether a path is a namespace: of one that has gone, the file may be left. */
export function isNamespace(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}

function nicInside(netns: string, { mac, ifname }: Endpoint): Place | undefined {
  const names = ifname === undefined ? Array.from({ length: MOST_NICS }, (_, number) => `eth${number}`) : [ifname];
  const found = names.find((name) => tapState(name, netns)?.mac === mac);
  return found === undefined ? undefined : { netns, ifname: found };
}
