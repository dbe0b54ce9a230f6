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
  NexthopRequest,
  SwitchEvent,
  VlansRequest,
} from '../api/api.js';
import type { Verdict } from '../values/frame-filter.js';
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

/** A copy of an observed frame, on its way out. */
export interface ObservedCopy {
  port: string;
  remote?: string;
  vni?: number;
  /** TX_TAG (`port/packet-io.ts`): what happened to its tag. */
  tag: number;
  /** Why it was not sent; absent: it was. */
  reason?: string;
}

/** A frame, what the switch decided, and what became of it. */
export interface ObservedFrame {
  /** The same for all copies, and for no other frame of this observation. */
  id: bigint;
  /** Nanoseconds since 1970. */
  time: bigint;
  /** That it came in by; of an originated frame, that it leaves by. */
  port: string;
  remote?: string;
  vlan?: number;
  vni?: number;
  /** Of the whole frame, in bytes. */
  length: number;
  /** What was kept of it, before the tag operations of its copies. */
  bytes: Uint8Array;
  verdict: Verdict;
  reason?: string;
  copies: ObservedCopy[];
}

/** What an observer wants to see. */
export interface ObserveRequest {
  /** Frames that come in or leave by these ports, and all floods; null: all frames. */
  ports: readonly string[] | null;
  /** Most bytes of a frame. */
  snaplen: number;
}

/** Gets what is observed. The methods must not block. */
export interface ObservedListener {
  frame(frame: ObservedFrame): void;
  /** Records of a port that were lost because frames came too fast. */
  lost(port: string, count: number): void;
}

/** A port, for the list of interfaces of a capture. */
export interface ObservedPort {
  name: string;
  /** Its kind, and its bridge. */
  description: string;
  isTunnel: boolean;
}

/** Changes are serialized in the order of their arrival. Each is carried out completely or refused. */
export interface Controls {
  /** @throws ChangeRefused, like all methods below */
  link(request: LinkRequest): Promise<void>;
  fdb(request: FdbRequest): Promise<FlushAnswer | undefined>;
  vlan(request: VlansRequest): Promise<void>;
  neigh(request: NeighRequest): Promise<void>;
  mdb(request: MdbRequest): Promise<void>;
  nexthop(request: NexthopRequest): Promise<void>;
  apply(request: ApplyRequest): Promise<ApplyAnswer>;
  /** Subscribes to events until the returned function is called. The callback must not block. */
  subscribe(listener: (event: SwitchEvent) => void): () => void;
  /** Shows the listener what becomes of frames, until the returned function is called. @throws ChangeRefused for an unknown port */
  observe(request: ObserveRequest, listener: ObservedListener): () => void;
  /** The ports that there are. */
  observable(): ObservedPort[];
}
