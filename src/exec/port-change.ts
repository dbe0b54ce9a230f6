/** A change of a link's bridge and options. */
import type { LinkOptions, LinkRow } from '../api/api.js';
import { putTable, tableOf } from './own-bridge.js';
import { hiddenBridgeOf, type View } from './view.js';

/** @param master null: a port leaves its bridge; undefined: stays */
export async function changePort(
  view: View,
  row: LinkRow,
  master: string | null | undefined,
  options: LinkOptions,
): Promise<void> {
  const name = row.ifname;
  if (master === null && row.type === 'netdev') {
    // The kernel gives the device back to the host; a port without a bridge would keep it.
    await view.post({ op: 'del', name });
    return;
  }
  const isMoved = master !== undefined && master !== (row.master ?? null);
  if (!isMoved && Object.keys(options).length === 0) return;
  const some = Object.keys(options).length === 0 ? {} : { options };
  const hidden = isMoved ? hiddenBridgeOf(row) : undefined;
  const table = hidden === undefined ? [] : await tableOf(view, hidden);
  const waits = row.type === 'vxlan' ? { waits: true } : {};
  await view.post({ op: 'set', name, ...(isMoved ? { master } : {}), ...some, ...waits });
  if (hidden === undefined) return;
  await view.post({ op: 'del', name: hidden });
  if (master !== null) await putTable(view, name, table);
}
