/** The follow-up of operations that remove learned VTEPs from a port, as done by the control thread. */
import { partings } from '../../../src/control/model/transition.js';
import type { Operation } from '../../../src/dataplane/operations/operations.js';
import { ANY_VTEP } from '../../../src/dataplane/state/forwarding.js';
import type { RemoteTable } from '../../../src/encap/remotes.js';

/** Ends the VTEPs that ports had met which take none any more. @param slots rows of the FDB */
export function departuresOf(operations: readonly Operation[], remotes: RemoteTable, slots: number): Operation[] {
  const strict = operations.flatMap((o) => (o.op === 'port' && (o.flags & ANY_VTEP) === 0 ? [o.port] : []));
  const gone = strict.flatMap((port) => [...remotes.learned(port)].map((remote) => ({ port, remote })));
  return gone.length === 0 ? [] : partings(gone, [], slots).flat();
}
