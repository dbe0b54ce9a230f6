/**
 * Interface between the control socket and the running switch for changes and events: types and the refusal.
 * `requests/live-control.ts` implements the changes; the server only passes requests on.
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
import { unknownBridge, unknownLink } from '../values/unknown-link.js';

/** A change is refused; nothing has changed. The message gives the reason and the remedy. */
export class ChangeRefused extends Error {
  override readonly name = 'ChangeRefused';

  constructor(
    message: string,
    /** `invalid`: the request is impossible in itself; the others name the obstacle. */
    readonly code: 'invalid' | 'not_found' | 'exists' | 'busy' | 'full' | 'unavailable' = 'invalid',
  ) {
    super(message);
  }
}

/** No port or bridge has this name. */
export function notFound(kind: 'port' | 'bridge', name: string): ChangeRefused {
  return new ChangeRefused(kind === 'bridge' ? unknownBridge(name) : unknownLink(name), 'not_found');
}

/** Changes are serialized in the order of their arrival. Each is carried out completely or refused. */
export interface Controls {
  /** @throws ChangeRefused, like all methods below */
  link(request: LinkRequest): Promise<void>;
  fdb(request: FdbRequest): Promise<FlushAnswer | undefined>;
  vlan(request: VlansRequest): Promise<void>;
  neigh(request: NeighRequest): Promise<void>;
  mdb(request: MdbRequest): Promise<void>;
  apply(request: ApplyRequest): Promise<ApplyAnswer>;
  /** Subscribes to events until the returned function is called. The callback must not block. */
  subscribe(listener: (event: SwitchEvent) => void): () => void;
}
