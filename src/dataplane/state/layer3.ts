/**
 * The layer-3 ports of an engine: ports whose device has IP packets, no frames (a TUN). The engine is the Ethernet half of their
 * host: it has the host's MAC and knows its addresses.
 *
 * Here are also the packets that wait for the MAC of their next hop, and the questions for such MACs. Both are few and of fixed size,
 * so a guest that sends to invented addresses fills its own share and nothing else. `layer3/` works with all of this.
 */
import type { PacketIo } from '../../port/packet-io.js';
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { MAX_PORTS } from './counters.js';

/** Packets that wait, of all layer-3 ports and of one; longer ones than a jumbo frame do not. */
export const HELD_PACKETS = 32;
export const HELD_OF_PORT = 16;
/** Packets that wait for one neighbour (Linux of old: unres_qlen). */
export const HELD_OF_HOP = 3;
export const HELD_BYTES = 9216 + ETHERNET_HEADER;
export const HELD_SLOT = 9344;
/** Frames that the engine says in the name of hosts in one batch: an ARP request, a solicitation, an announcement. */
export const SPOKEN_FRAMES = 64;
export const SPOKEN_SLOT = 128;

/** Bytes of both in the arena. */
export const LAYER3_ROOM = HELD_PACKETS * HELD_SLOT + SPOKEN_FRAMES * SPOKEN_SLOT;

/** Sources of packets: local ports by number, and classes of remotes, since a tunnel has many guests behind it. */
const REMOTE_CLASSES = 256;
export const SOURCES = MAX_PORTS + REMOTE_CLASSES;

/** The source of a frame. @param remote that it came from; 0: none */
export function sourceOf(port: number, remote: number): number {
  return remote === 0 ? port : MAX_PORTS + (remote & (REMOTE_CLASSES - 1));
}

/** No question could be added: the port has too many already. */
export const NO_ASK = -1;

/** Questions at a time, of all layer-3 ports and of one. */
export const ASKS = 256;
export const ASKS_OF_PORT = 64;

// ---- Words of a question
/** -1: none. */
export const ASK_PORT = 0;
export const ASK_VID = 1;
/** The address whose MAC is wanted, and that of the host which asks: four words each. */
export const ASK_HOP = 2;
export const ASK_SENDER = 6;
/** Tick of the last attempt; attempts so far. */
export const ASK_LAST = 10;
export const ASK_TRIES = 11;
/** The MAC that is asked whether it still has the address; zeros: all are asked who has it. */
export const ASK_HIGH = 12;
export const ASK_LOW = 13;
/** Packets that wait for the answer. */
export const ASK_HELD = 14;
/** Whose packet made the question: `sourceOf`. */
export const ASK_FROM = 15;
const ASK_WORDS = 16;

/** A layer-3 port. Plain data, made by the control path. */
export class Layer3Port {
  /** The port was able to send when it was last looked at. */
  wasUp = false;
  /** Announcements of the addresses that are due, the next at this tick. */
  announcements = 0;
  announceAt = 0;
  /** Tick of the last announcement. */
  announcedAt = 0;

  /**
   * @param own addresses, four words each, IPv4 mapped
   * @param prefixes their prefix lengths, of 128 bits
   * @param gateways next hops for other destinations, one of each family at most, as `own`
   */
  constructor(
    readonly macHigh: number,
    readonly macLow: number,
    readonly own: Int32Array,
    readonly prefixes: Int32Array,
    readonly gateways: Int32Array,
  ) {}
}

export class Layer3 {
  /** By port number. */
  readonly of: (Layer3Port | undefined)[] = new Array<Layer3Port | undefined>(MAX_PORTS).fill(undefined);
  /** Numbers of the layer-3 ports. */
  ports = new Int32Array(0);

  readonly asks = new Int32Array(ASKS * ASK_WORDS).fill(-1);
  askCount = 0;
  /** By held packet: its question, -1: the slot is free; its order of arrival; its length and virtio-net words. */
  readonly heldFor = new Int32Array(HELD_PACKETS).fill(-1);
  readonly heldOrder = new Int32Array(HELD_PACKETS);
  readonly heldPort = new Int32Array(HELD_PACKETS);
  /** Whose packet it is: `sourceOf`. */
  readonly heldFrom = new Int32Array(HELD_PACKETS);
  readonly heldLength = new Int32Array(HELD_PACKETS);
  readonly heldVnet = new Int32Array(HELD_PACKETS);
  readonly heldGso = new Int32Array(HELD_PACKETS);
  readonly heldCsum = new Int32Array(HELD_PACKETS);
  order = 0;

  /** There may be something to say, whatever the tick. */
  isDue = false;
  /** The last tick in which the ports were looked at. */
  lookedAt = -1;
  /** First rows of the present batch that the engine says itself, and rows behind them of packets that waited. */
  spoken = 0;
  released = 0;

  private readonly base: number;

  constructor(io: Pick<PacketIo, 'headerBase' | 'headerBytes'>) {
    this.base = io.headerBase + io.headerBytes - LAYER3_ROOM;
  }

  /** Control path. */
  set(port: number, settings: Layer3Port): void {
    this.of[port] = settings;
    this.ports = Int32Array.from(new Set([...this.ports, port]));
    this.isDue = true;
  }

  /** The packets that wait stay until they are looked at, and are dropped then. Control path. */
  remove(port: number): void {
    if (this.of[port] === undefined) return;
    this.of[port] = undefined;
    this.ports = this.ports.filter((other) => other !== port);
    this.isDue = true;
  }

  /** Word of a question in `asks`. */
  askAt(ask: number): number {
    return ask * ASK_WORDS;
  }

  /** Arena offset of a held packet's Ethernet header: at 2 mod 4, as that of every frame. */
  heldAt(slot: number): number {
    return this.base + slot * HELD_SLOT + 2;
  }

  /** Arena offset of a frame that the engine says. */
  spokenAt(row: number): number {
    return this.base + HELD_PACKETS * HELD_SLOT + row * SPOKEN_SLOT + 2;
  }
}
