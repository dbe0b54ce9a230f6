/**
 * Configured bindings and multicast groups beside the live document, which does not contain them: reading them, and replacing
 * them by those of a file.
 */

import type { SwitchConfig, TableConfig } from '../../config/types.js';
import { Transition } from '../model/transition.js';
import { stayingTables, tableChanges, tableCommands } from '../plan/table-changes.js';
import type { Reconciler } from '../reconcile/reconcile.js';
import type { MulticastControl } from '../tables/multicast-control.js';
import type { NeighTable } from '../tables/neigh-table.js';

/** Always empty, as in the configuration in force: the tables hold these entries. */
export const NO_TABLES: TableConfig = { neigh: [], mdb: [] };

export interface LiveTablesParts {
  reconciler: Pick<Reconciler, 'finishEntries'>;
  neigh: Pick<NeighTable, 'change' | 'manual'>;
  multicast: Pick<MulticastControl, 'change' | 'permanent'>;
  /** Whether an entry would lead back to this host. */
  isOwn(port: string, dst: string | undefined): boolean;
}

export class LiveTables {
  constructor(private readonly parts: LiveTablesParts) {}

  /** The configured entries that exist. */
  get held(): TableConfig {
    return { neigh: this.parts.neigh.manual(), mdb: this.parts.multicast.permanent() };
  }

  /** Commands that lead to the tables of a file, after its links were applied. */
  commandsTo(wanted: TableConfig, links: SwitchConfig): string[] {
    return tableCommands(tableChanges(stayingTables(this.held, links), wanted));
  }

  /**
   * Replaces both. The same file may be used on all hosts and name this one: such a group is left out, as in lists of remotes.
   * @throws ChangeRefused when a table is full or a VLAN does not exist
   * @returns the operations
   */
  become(wanted: TableConfig): Transition {
    const { reconciler, neigh, multicast, isOwn } = this.parts;
    const changes = tableChanges(this.held, wanted);
    const change = new Transition();
    for (const request of changes.neigh) change.entries.push(...neigh.change(request));
    const groups = changes.mdb
      .filter((request) => request.op === 'flush' || !isOwn(request.port, request.dst))
      .flatMap((request) => multicast.change(request, true));
    // Groups are added after the VTEPs they name.
    reconciler.finishEntries(change);
    change.entries.push(...groups);
    return change;
  }

  /** Entries whose port and VLAN still exist, though the change of links may have removed them. */
  staying(before: TableConfig, links: SwitchConfig): TableConfig {
    return stayingTables(before, links);
  }
}
