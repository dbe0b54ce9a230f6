/**
 * What the control socket asks of a running switch: changes, one at a time, and its events. Types and the refusal; the
 * switch (`switch.ts`) does the work, the server only carries requests to it.
 */
import type {
  ApplyAnswer,
  ApplyRequest,
  FdbRequest,
  FlushAnswer,
  LinkRequest,
  MdbRequest,
  NeighRequest,
  SwitchEvent,
  VlansRequest,
} from '../api/api.js';

/** A change is refused, and nothing was changed. The message says why and what to do. */
export class ChangeRefused extends Error {
  override readonly name = 'ChangeRefused';

  constructor(
    message: string,
    /** `invalid`: the request asks for something that cannot be; the others say what is in the way. */
    readonly code: 'invalid' | 'not_found' | 'exists' | 'busy' | 'full' | 'unavailable' = 'invalid',
  ) {
    super(message);
  }
}

/** No port, or bridge, has that name. */
export function unknownLink(kind: 'port' | 'bridge', name: string): ChangeRefused {
  return new ChangeRefused(`there is no ${kind} "${name}"; "link show" lists those that there are`, 'not_found');
}

/** Changes are carried out in the order in which they come. Each is wholly done or refused. */
export interface Controls {
  /** @throws ChangeRefused, as all of these */
  link(request: LinkRequest): Promise<void>;
  fdb(request: FdbRequest): Promise<FlushAnswer | undefined>;
  vlan(request: VlansRequest): Promise<void>;
  neigh(request: NeighRequest): Promise<void>;
  mdb(request: MdbRequest): Promise<void>;
  apply(request: ApplyRequest): Promise<ApplyAnswer>;
  /** Calls back for each event from now on, until the function that it returns is called. Must not block. */
  subscribe(listener: (event: SwitchEvent) => void): () => void;
}
