/**
 * The gateways of an engine, ports without a device: what is sent to one is routed (`routing/`), and comes back as a frame of the gateway
 * in the VLAN of its next hop. Their MACs and addresses are in `layer3.ts`, as those of every layer-3 port.
 *
 * Here are also the packets that wait for it until the batch is through. All of it is of fixed size.
 */
import type { PacketIo } from '../../port/packet-io.js';
import { ControlLimiter } from './control-limiter.js';
import { MAX_PORTS } from './counters.js';
import { LAYER3_ROOM, SOURCES } from './layer3.js';
import { Routes } from './routes.js';

/** Errors that the gateways of an engine say in one turn, and most bytes of one, with its Ethernet header (RFC 4443 section 2.4). */
export const ERROR_FRAMES = 16;
export const ERROR_SLOT = 1536;
/** Bytes of them in the arena, before those of `layer3.ts`. */
export const GATEWAY_ROOM = ERROR_FRAMES * ERROR_SLOT;

/** Routers of this switch that one packet may pass in a turn: VRFs of one switch that are routers of each other may be a loop. */
export const ROUNDS = 8;

export class Gateways {
  /** By port, the number of its VRF. */
  readonly vrf = new Int32Array(MAX_PORTS);
  readonly routes = new Routes(Math.trunc(Math.random() * 0x7fffffff));
  /** Errors and answers to a source in a tick. */
  readonly limiter = new ControlLimiter(SOURCES);

  // Packets of this batch. Offsets are those of the IP header.
  count = 0;
  readonly port: Int32Array;
  readonly l3: Int32Array;
  /** Whose it is: `sourceOf`. */
  readonly from: Int32Array;
  readonly end: Int32Array;
  readonly vnet: Int32Array;
  readonly gso: Int32Array;
  readonly csum: Int32Array;
  /** As `Batch.gsoHeader`, and the MTU of the tunnel that it comes from. */
  readonly gsoHeader: Int32Array;
  readonly wayMtu: Int32Array;
  /** 1: the gateway says it itself. */
  readonly own: Uint8Array;
  /** Slots of errors in use since the beginning of the turn. */
  errors = 0;

  private readonly base: number;

  /** @param size rows of a batch */
  constructor(size: number, io: Pick<PacketIo, 'headerBase' | 'headerBytes'>) {
    const room = size + ERROR_FRAMES;
    const column = (): Int32Array => new Int32Array(room);
    this.port = column();
    this.l3 = column();
    this.from = column();
    this.end = column();
    this.vnet = column();
    this.gso = column();
    this.csum = column();
    this.gsoHeader = column();
    this.wayMtu = column();
    this.own = new Uint8Array(room);
    this.base = io.headerBase + io.headerBytes - LAYER3_ROOM - GATEWAY_ROOM;
  }

  /** Adds a packet; its other facts are 0. @returns its index, or -1: there is no room */
  add(port: number, l3: number, end: number): number {
    if (this.count === this.port.length) return -1;
    const index = this.count++;
    this.port[index] = port;
    this.l3[index] = l3;
    this.end[index] = end;
    this.vnet[index] = 0;
    this.gso[index] = 0;
    this.csum[index] = 0;
    this.gsoHeader[index] = 0;
    this.wayMtu[index] = 0;
    this.own[index] = 0;
    this.from[index] = port;
    return index;
  }

  /** Arena offset of the IP header of an error, behind room for its Ethernet header; -1: the turn has said enough. */
  takeError(): number {
    if (this.errors === ERROR_FRAMES) return -1;
    return this.base + this.errors++ * ERROR_SLOT + 16;
  }
}
