/** A frame in words, as `parse.ts` reads it: what is not said is absent, and `fill.ts` supplies it. */

/** A VLAN tag; `qinq`: 802.1ad. */
export interface Tag {
  kind: 'vlan' | 'qinq';
  vid: number;
  priority: number;
}

export type Upper =
  | { kind: 'udp'; from?: number; to?: number }
  | { kind: 'tcp'; from?: number; to?: number; flags?: number }
  | { kind: 'icmp'; what: 'echo' | 'echo-reply' }
  /** Another protocol, by number. */
  | { kind: 'proto'; number: number };

export interface IpBody {
  kind: 'ip';
  family: 4 | 6;
  from?: string;
  to?: string;
  ttl?: number;
  tos?: number;
  /** IPv4's "don't fragment". */
  df?: boolean;
  upper: Upper;
}

/** ARP, or for IPv6 addresses neighbour discovery. A reply says that `target` is at `mac`. */
export interface ResolveBody {
  kind: 'resolve';
  family: 4 | 6;
  what: 'request' | 'reply';
  target: string;
  /** Of a request: the sender's address. Of a reply: who gets it. */
  other?: string;
  mac?: string;
}

/** Anything else, by its EtherType: zeros behind the header. */
export interface RawBody {
  kind: 'type';
  etherType: number;
}

export interface FrameSpec {
  src?: string;
  dst?: string;
  tags: Tag[];
  body: IpBody | ResolveBody | RawBody;
  /** Bytes behind the last header that the description names. */
  len?: number;
  /** Segment size of an unsegmented frame, as a guest's kernel hands it over. */
  gso?: number;
}

/** A description that cannot be read. */
export class FrameTextError extends Error {
  override readonly name = 'FrameTextError';

  /** @param position of the word at fault, from 0 */
  constructor(
    message: string,
    readonly position: number,
  ) {
    super(message);
  }
}
