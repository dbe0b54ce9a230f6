/**
 * Reads the capture stream of a switch back into frames with their copies: packets with one id, told apart by their direction, with
 * the facts of their comments. Pure but for the clock.
 */
import { DIRECTION_MASK, INBOUND } from '../wire/pcapng.js';
import { type PcapngBlock, PcapngReader } from '../wire/pcapng-reader.js';

/** The facts in a comment `overtap key=value ...`. */
export type Facts = Readonly<Record<string, string>>;

/** One frame, and its copies. */
export interface SeenFrame {
  /** The switch, where there are several. */
  switch?: string;
  /** Nanoseconds since 1970. */
  time: bigint;
  length: number;
  bytes: Uint8Array;
  /** Where it came in; absent: the switch has made it, or that port is not captured. */
  ingress?: Facts;
  copies: Facts[];
}

type PacketBlock = Extract<PcapngBlock, { type: 'packet' }>;

/** The facts of a packet's comments; empty without any of a switch. */
export function factsOf({ comments = [] }: Pick<PacketBlock, 'comments'>): Facts {
  const own = comments.find((comment) => comment.startsWith('overtap '));
  const pairs = (own ?? '').split(' ').flatMap((word) => {
    const at = word.indexOf('=');
    return at <= 0 ? [] : [[word.slice(0, at), word.slice(at + 1)] as const];
  });
  return Object.fromEntries(pairs);
}

/** What a stream has told. */
export interface Told {
  frame(frame: SeenFrame): void;
  /** Packets that were lost. */
  lost(count: number): void;
}

/** Puts packets together. The packets of a frame come one after the other; `flush` ends the last one. */
export class FrameGatherer {
  private current: { id: bigint | undefined; frame: SeenFrame } | null = null;

  constructor(private readonly told: Told) {}

  take(packet: PacketBlock): void {
    if (packet.dropCount !== undefined && packet.dropCount > 0) this.told.lost(packet.dropCount);
    if (this.current === null || this.current.id === undefined || this.current.id !== packet.packetId) {
      this.flush();
      const { time = 0n, length, data } = packet;
      this.current = { id: packet.packetId, frame: { time, length, bytes: data, copies: [] } };
    }
    const facts = factsOf(packet);
    if (((packet.flags ?? 0) & DIRECTION_MASK) === INBOUND) this.current.frame.ingress = facts;
    else this.current.frame.copies.push(facts);
  }

  flush(): void {
    const { current } = this;
    this.current = null;
    if (current !== null) this.told.frame(current.frame);
  }
}

/** Reads a whole stream. A frame is told at the end of the piece that it came in, since a switch sends whole frames. */
export async function readFrames(pieces: AsyncIterable<Uint8Array>, told: Told): Promise<void> {
  const reader = new PcapngReader();
  const gatherer = new FrameGatherer(told);
  for await (const piece of pieces) {
    reader.push(piece);
    for (let block = reader.next(); block !== undefined; block = reader.next()) {
      if (block.type === 'packet') gatherer.take(block);
    }
    if (reader.isEmpty) gatherer.flush();
  }
  gatherer.flush();
}
