/**
 * A capture of one switch or of several: the streams of the switches are put together by time, each interface under its switch's
 * name, and written as one capture file with statistics at its end.
 */
import { concatBytes } from '../wire/bytes.js';
import {
  type Interface,
  interfaceBlock,
  type Packet,
  packetBlock,
  sectionBlock,
  statisticsBlock,
} from '../wire/pcapng.js';
import { type PcapngBlock, PcapngReader } from '../wire/pcapng-reader.js';
import { CaptureFault, type CaptureSink } from './capture-file.js';

/** A switch that is captured. */
export interface CaptureSource {
  /** In front of the names of its interfaces; empty: the only one. */
  name: string;
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** What was captured. */
export interface CaptureResult {
  packets: number;
  lost: number;
}

/** Milliseconds that packets of several switches wait for earlier ones of others. */
const PATIENCE_MS = 300;
const FLUSH_MS = 100;
/** Milliseconds that the reader of a pipe has for the rest of a capture that ends: a signal ends a switch within a second. */
const END_MS = 500;
/** Packets that wait at most. */
const MAX_WAITING = 65_536;
/** Place of a switch's number in a packet id. */
const SOURCE_BITS = 56n;
const NANOSECONDS = 1_000_000n;

interface KnownInterface {
  block: Uint8Array;
  packets: number;
  lost: number;
  /** Of `lost`, what packets have told of. */
  told: number;
}

/** Writes packets, and what every file begins and ends with. */
class CaptureWriter {
  private readonly interfaces: KnownInterface[] = [];
  packets = 0;

  constructor(
    private readonly sink: CaptureSink,
    private readonly head: Uint8Array,
    private readonly most: number,
  ) {
    sink.write(head);
  }

  get isDone(): boolean {
    return this.packets >= this.most;
  }

  /** @returns the index of the interface */
  addInterface(facts: Interface): number {
    const block = interfaceBlock(facts);
    this.interfaces.push({ block, packets: 0, lost: 0, told: 0 });
    this.sink.write(block);
    return this.interfaces.length - 1;
  }

  /** Losses by the switch's statistics, which come once a second. */
  setLost(index: number, lost: number): void {
    this.interfaces[index].lost = Math.max(this.interfaces[index].told, lost);
  }

  /** Losses that a packet tells of. */
  addLost(index: number, count: number): void {
    const at = this.interfaces[index];
    at.told += count;
    at.lost = Math.max(at.lost, at.told);
  }

  write(packet: Packet): void {
    if (this.isDone) return;
    if (this.sink.isFull) this.nextFile();
    this.sink.write(packetBlock(packet));
    this.interfaces[packet.interface].packets++;
    this.packets++;
  }

  /** Packets lost on all interfaces. */
  get lost(): number {
    return this.interfaces.reduce((sum, { lost }) => sum + lost, 0);
  }

  /** @throws CaptureFault, ReaderGone, also when the reader does not take the rest in time */
  async end(): Promise<void> {
    try {
      this.writeStatistics();
      if ((await this.sink.drained?.(AbortSignal.timeout(END_MS))) === false)
        throw new CaptureFault('the capture is incomplete: nobody reads the rest of it');
    } finally {
      this.sink.close();
    }
  }

  private nextFile(): void {
    this.writeStatistics();
    this.sink.next();
    this.sink.write(concatBytes(this.head, ...this.interfaces.map(({ block }) => block)));
  }

  private writeStatistics(): void {
    const time = BigInt(Date.now()) * NANOSECONDS;
    const blocks = this.interfaces.map(({ packets, lost }, index) =>
      statisticsBlock({ interface: index, time, end: time, received: packets + lost, dropped: lost }),
    );
    this.sink.write(concatBytes(...blocks));
  }
}

/** Puts the packets of several switches in order. */
class Merger {
  private waiting: Packet[] = [];

  constructor(
    private readonly writer: CaptureWriter,
    private readonly patience: number,
  ) {}

  add(packet: Packet): void {
    if (this.patience === 0) this.writer.write(packet);
    else {
      this.waiting.push(packet);
      if (this.waiting.length >= MAX_WAITING) this.flush(null);
    }
  }

  /** Writes the packets until `before`, in the order of their times; null: all. */
  flush(before: bigint | null): void {
    const timeOf = ({ time = 0n }: Packet): bigint => time;
    this.waiting.sort((one, other) => Number(timeOf(one) - timeOf(other)));
    const index = before === null ? -1 : this.waiting.findIndex((packet) => timeOf(packet) > before);
    const end = index < 0 ? this.waiting.length : index;
    for (const packet of this.waiting.splice(0, end)) this.writer.write(packet);
  }
}

/** Takes over the blocks of one switch. */
class SourceReader {
  private readonly reader = new PcapngReader();
  /** The capture's index of each interface of the stream. */
  private indexes: number[] = [];

  constructor(
    private readonly source: CaptureSource,
    private readonly number: number,
    private readonly writer: CaptureWriter,
    private readonly merger: Merger,
  ) {}

  take(piece: Uint8Array): void {
    this.reader.push(piece);
    for (let block = this.reader.next(); block !== undefined; block = this.reader.next()) this.takeBlock(block);
  }

  private takeBlock(block: PcapngBlock): void {
    if (block.type === 'interface') {
      const { type: _, index: __, ...facts } = block;
      const name = this.source.name === '' ? facts.name : `${this.source.name}/${facts.name}`;
      this.indexes.push(this.writer.addInterface(name === undefined ? facts : { ...facts, name }));
    } else if (block.type === 'statistics') {
      this.writer.setLost(this.indexes[block.interface], block.dropped ?? 0);
    } else if (block.type === 'packet') {
      const { type: _, ...packet } = block;
      const id =
        packet.packetId === undefined ? {} : { packetId: packet.packetId | (BigInt(this.number) << SOURCE_BITS) };
      this.writer.addLost(this.indexes[packet.interface], packet.dropCount ?? 0);
      this.merger.add({ ...packet, ...id, interface: this.indexes[packet.interface] });
    }
  }
}

export interface CaptureOptions {
  /** Packets after which it ends. */
  count?: number;
  application: string;
}

/**
 * Captures until the signal aborts, so many packets are there, or a stream fails.
 * @throws what the streams throw, CaptureFault, ReaderGone; the capture is ended then, too
 */
export async function capture(
  sources: readonly CaptureSource[],
  sink: CaptureSink,
  signal: AbortSignal,
  { count = Number.POSITIVE_INFINITY, application }: CaptureOptions,
): Promise<CaptureResult> {
  const writer = new CaptureWriter(sink, sectionBlock({ os: 'Linux', application }), count);
  const merger = new Merger(writer, sources.length > 1 ? PATIENCE_MS : 0);
  const end = new AbortController();
  const either = AbortSignal.any([signal, end.signal]);
  const follow = async (source: CaptureSource, number: number): Promise<void> => {
    const reader = new SourceReader(source, number, writer, merger);
    for await (const piece of source.open(either)) {
      reader.take(piece);
      if (writer.isDone) end.abort();
      // Meanwhile the switch keeps packets, up to its bound, and counts what it loses.
      await sink.drained?.(either);
    }
  };
  let fault: unknown;
  const timer = setInterval(() => {
    try {
      merger.flush(BigInt(Date.now() - PATIENCE_MS) * NANOSECONDS);
    } catch (error) {
      fault = error;
      end.abort();
    }
    if (writer.isDone) end.abort();
  }, FLUSH_MS);
  try {
    await Promise.all(
      sources.map((source, number) =>
        follow(source, number).catch((error: unknown) => {
          fault ??= error;
          end.abort();
        }),
      ),
    );
    if (fault !== undefined) throw fault;
    merger.flush(null);
  } finally {
    clearInterval(timer);
    await endQuietly(writer, fault);
  }
  return { packets: writer.packets, lost: writer.lost };
}

/** After a fault, the end of the capture may be at fault as well; the first one is told. */
async function endQuietly(writer: CaptureWriter, fault: unknown): Promise<void> {
  try {
    await writer.end();
  } catch (error) {
    if (fault === undefined) throw error;
  }
}
