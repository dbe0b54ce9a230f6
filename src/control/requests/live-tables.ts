/**
 * The bindings and multicast groups that were put in by hand, beside the live document, which does not hold them: what they are,
 * and what makes them those of a file.
 */

import type { MdbRequest } from '../../api/api.js';
import type { SwitchConfig, TableConfig } from '../../config/types.js';
import { Transition } from '../model/transition.js';
import { stayingTables, tableChanges, tableCommands } from '../plan/table-changes.js';
import type { Reconciler } from '../reconcile/reconcile.js';
import type { MulticastControl } from '../tables/multicast-control.js';
import type { NeighTable } from '../tables/neigh-table.js';

/** Nothing; the configuration in force says no more either: the tables do. */
export const NO_TABLES: TableConfig = { neigh: [], mdb: [] };

export interface LiveTablesParts {
  reconciler: Pick<Reconciler, 'finishEntries'>;
  neigh: Pick<NeighTable, 'change' | 'manual'>;
  multicast: Pick<MulticastControl, 'change' | 'permanent'>;
  /** Whether an entry would lead back to this host. */
  isOwn(request: MdbRequest): boolean;
}

export class LiveTables {
  constructor(private readonly parts: LiveTablesParts) {}

  /** What was put in, and is there. */
  get held(): TableConfig {
    return { neigh: this.parts.neigh.manual(), mdb: this.parts.multicast.permanent() };
  }

  /** Commands that lead to what a file gives, once the links are as it says. */
  commandsTo(wanted: TableConfig, links: SwitchConfig): string[] {
    return tableCommands(tableChanges(stayingTables(this.held, links), wanted));
  }

  /**
   * Makes them these. One file for all hosts may name this one among the others: such a group is left out, as in lists of
   * remotes. @throws ChangeRefused for one that has no room or no place @returns what is to be carried out
   */
  become(wanted: TableConfig): Transition {
    const { reconciler, neigh, multicast, isOwn } = this.parts;
    const changes = tableChanges(this.held, wanted);
    const change = new Transition();
    for (const request of changes.neigh) change.entries.push(...neigh.change(request));
    const groups = changes.mdb
      .filter((request) => !isOwn(request))
      .flatMap((request) => multicast.change(request, true));
    // The groups come once the VTEPs that they name are there.
    reconciler.finishEntries(change);
    change.entries.push(...groups);
    return change;
  }

  /** Those that a change of the links has left a place, though it may have taken them along. */
  staying(before: TableConfig, links: SwitchConfig): TableConfig {
    return stayingTables(before, links);
  }
}
