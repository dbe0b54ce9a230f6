/**
 * Backup ports: where frames for a port go while that is DOWN (Linux br_forward), and the nexthop group that they are sent to there.
 *
 * A backup that is not in the bridge of its port has no effect, until it is.
 */
import type { Operation } from '../../dataplane/operations/operations.js';
import { GROUP_REMOTES } from '../../dataplane/state/destination.js';
import { isTunnel, type Port, type SwitchModel, type VxlanPort } from '../model/model.js';
import type { Transition } from '../model/transition.js';
import type { Nexthops } from './nexthops.js';
import type { Told } from './told.js';

interface Held {
  to: VxlanPort;
  nhid: number;
}

export class Backups {
  /** Groups that ports hold on their backups. */
  private readonly held = new Map<Port, Held>();

  constructor(
    private readonly model: SwitchModel,
    private readonly nexthops: Nexthops,
    private readonly told: Told,
  ) {}

  /** A new port has no backup. */
  begin(port: Port): void {
    this.told.note(port, backupOperation(port, null, 0));
  }

  /** Takes the groups that are needed now, and releases the others. Before groups are settled. */
  settle(): void {
    const ports = new Set(this.model.ports.values());
    for (const [port, { to, nhid }] of this.held) {
      const wanted = ports.has(port) ? this.groupOf(port) : undefined;
      if (wanted?.to === to && wanted.nhid === nhid) continue;
      this.held.delete(port);
      this.nexthops.release(to, nhid);
    }
    for (const port of ports) {
      const wanted = this.groupOf(port);
      if (wanted === undefined || this.held.has(port)) continue;
      this.held.set(port, wanted);
      this.nexthops.hold(wanted.to, wanted.nhid);
    }
  }

  tell(change: Transition): void {
    for (const port of this.model.ports.values()) {
      const to = this.backupOf(port);
      const nhid = this.held.get(port)?.nhid;
      const use = nhid !== undefined && isTunnel(to) ? to.nexthops.get(nhid) : undefined;
      const remote = use === undefined ? 0 : GROUP_REMOTES + use.index;
      this.told.tell(port, backupOperation(port, to?.index ?? null, remote), change.structure);
    }
  }

  private groupOf(port: Port): Held | undefined {
    const to = this.backupOf(port);
    const nhid = port.config.backup_nhid ?? 0;
    return isTunnel(to) && nhid !== 0 ? { to, nhid } : undefined;
  }

  private backupOf(port: Port): Port | undefined {
    const { backup_port: name } = port.config;
    const to = name === undefined ? undefined : this.model.ports.get(name);
    return to !== undefined && to !== port && to.bridge !== null && to.bridge === port.bridge ? to : undefined;
  }
}

function backupOperation({ index }: Port, backup: number | null, remote: number): Operation {
  return { op: 'backup', port: index, backup, remote };
}
