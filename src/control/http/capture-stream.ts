/**
 * `/v1/capture`: frames as they are forwarded, as a capture file without an end (pcapng). Each client has a bounded buffer; packets
 * beyond it are lost, and the client gets their number with the next packet and with the statistics of each second. A client that
 * reads nothing for a while is disconnected, since there are few places. Nothing here delays a frame: engines record what they do into
 * rings of their own (`control/observe/`).
 */
import type { ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { CaptureQuery } from '../../api/sight.js';
import { Refusal } from '../../values/address.js';
import { readFrameFilter } from '../../values/frame-filter.js';
import { concatBytes } from '../../wire/bytes.js';
import type { Controls, ObservedFrame } from '../controls.js';
import { every, soon } from '../guard.js';
import { CaptureBlocks } from './capture-blocks.js';
import { LOOKED_AT, matcher } from './frame-match.js';
import { HttpRefusal } from './http-refusal.js';
import type { Limits } from './server-limits.js';

export const CAPTURE_TYPE = 'application/x-pcapng';
/** Bytes of a packet when the client names no number. */
const SNAPLEN = 262_144;
/** Bytes of packets that are written without waiting for the end of the pass. */
const GATHER = 256 * 1024;
/** Ports and remotes of one capture. */
const MAX_PLACES = 256;

/** What a capture asks for, checked. */
interface Wanted {
  places: ReadonlySet<string> | null;
  ports: string[] | null;
  snaplen: number;
  fits(frame: ObservedFrame): boolean;
  looksInside: boolean;
}

export class CaptureHub {
  private readonly captures = new Set<Capture>();

  constructor(
    private readonly controls: Pick<Controls, 'observe' | 'observable'>,
    private readonly limits: Limits,
    private readonly application: string,
    /** Called for each client that is disconnected because it reads nothing, with the packets that it has lost. */
    private readonly stalled: (lost: number) => void,
  ) {}

  /**
   * Streams what happens from now on, until the client disconnects.
   * @throws HttpRefusal, ChangeRefused
   */
  open(query: CaptureQuery, outgoing: ServerResponse): void {
    if (this.captures.size >= this.limits.captures) {
      const message = `${this.limits.captures} clients capture already; end one of them first`;
      throw new HttpRefusal(503, 'overloaded', message);
    }
    const wanted = wantedOf(query);
    const ports = this.controls.observable();
    const known = wanted.ports ?? ports.map(({ name }) => name);
    const blocks = new CaptureBlocks(
      wanted.places,
      wanted.snaplen,
      this.application,
      ports.filter(({ name }) => known.includes(name)),
    );
    const capture = new Capture(blocks, wanted, this.limits, this.stalled);
    const snaplen = wanted.looksInside ? Math.max(wanted.snaplen, LOOKED_AT) : wanted.snaplen;
    const unsubscribe = this.controls.observe({ ports: wanted.ports, snaplen }, capture);
    this.captures.add(capture);
    outgoing.once('close', () => {
      unsubscribe();
      capture.close();
      this.captures.delete(capture);
    });
    capture.begin(outgoing);
  }

  /** Ends all captures. */
  close(): void {
    for (const capture of this.captures) capture.end();
  }
}

/** @throws HttpRefusal */
function wantedOf({ interfaces, snaplen = SNAPLEN, filter = '' }: CaptureQuery): Wanted {
  const read = readFrameFilter(filter.split(/\s+/).filter((word) => word !== ''));
  if (read instanceof Refusal) throw new HttpRefusal(400, 'invalid', `filter: ${read.message}`);
  const places = interfaces === undefined ? null : new Set(interfaces.split(',').filter((place) => place !== ''));
  if (places !== null && places.size > MAX_PLACES) {
    throw new HttpRefusal(400, 'invalid', `interfaces: at most ${MAX_PLACES} can be named`);
  }
  // Behind which port a remote is may change, so the engines record all frames then.
  const names = places === null ? [] : [...places];
  const ports = names.length === 0 || names.some((name) => isIP(name) !== 0) ? null : names;
  const looksInside = read.mac !== undefined || read.ip !== undefined;
  return { places, ports, snaplen, fits: matcher(read), looksInside };
}

/** One client. */
class Capture {
  private outgoing: ServerResponse | null = null;
  private gathered: Uint8Array[] = [];
  private bytes = 0;
  private flushing: NodeJS.Immediate | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** Bytes that the client's socket has taken, and since when no more. */
  private taken = 0;
  private takenAt = performance.now();

  constructor(
    private readonly blocks: CaptureBlocks,
    private readonly wanted: Wanted,
    private readonly limits: Limits,
    private readonly stalled: (lost: number) => void,
  ) {}

  begin(outgoing: ServerResponse): void {
    this.outgoing = outgoing;
    outgoing.on('error', () => undefined); // the client has disconnected; `close` follows
    outgoing.writeHead(200, { 'content-type': CAPTURE_TYPE, 'cache-control': 'no-store' });
    this.gather(this.blocks.begin());
    this.timer = every('capture', this.limits.captureTickMs, () => {
      this.lookAfter(outgoing, performance.now());
      this.tellStatistics();
    });
  }

  frame(frame: ObservedFrame): void {
    if (!this.wanted.fits(frame)) return;
    const room = this.room();
    if (room < 0) {
      this.blocks.loseAll(frame);
      return;
    }
    this.gather(this.blocks.of(frame, room));
  }

  lost(port: string, count: number): void {
    this.blocks.lose(port, count);
  }

  close(): void {
    clearInterval(this.timer);
    clearImmediate(this.flushing);
    this.outgoing = null;
    this.gathered = [];
  }

  end(): void {
    this.tellStatistics();
    this.flush();
    this.outgoing?.end();
  }

  /** Disconnects a client that reads nothing: its place may be wanted, and engines record for it. */
  private lookAfter(outgoing: ServerResponse, now: number): void {
    const queued = outgoing.writableLength;
    const taken = (outgoing.socket?.bytesWritten ?? 0) - queued;
    if (queued === 0 || taken > this.taken) {
      this.taken = taken;
      this.takenAt = now;
    } else if (now - this.takenAt > this.limits.eventStallMs && !outgoing.destroyed) {
      this.stalled(this.blocks.lost);
      outgoing.destroy();
    }
  }

  /** Bytes that the buffer has left; negative: it is full. */
  private room(): number {
    return this.limits.captureBufferBytes - (this.outgoing?.writableLength ?? 0) - this.bytes;
  }

  private tellStatistics(): void {
    if (this.room() >= 0) this.gather(this.blocks.statistics(BigInt(Date.now()) * 1_000_000n));
  }

  private gather(blocks: readonly Uint8Array[]): void {
    if (blocks.length === 0) return;
    for (const block of blocks) {
      this.gathered.push(block);
      this.bytes += block.length;
    }
    if (this.bytes >= GATHER) this.flush();
    else this.flushing ??= soon('capture', () => this.flush());
  }

  private flush(): void {
    clearImmediate(this.flushing);
    this.flushing = undefined;
    if (this.gathered.length > 0) this.outgoing?.write(concatBytes(...this.gathered));
    this.gathered = [];
    this.bytes = 0;
  }
}
