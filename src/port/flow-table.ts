/**
 * The contract of a table of known flows, which are carried outside of the engine: rows, their stamps and counts.
 *
 * A row has a key, by which a frame is found, and what becomes of its frames. It is in force while the stamps that it was
 * written with are those of the table: the one of all rows, and those of the two FDB entries that it follows from. Stamps
 * are shared by all threads of a switch, and changing one costs no system call: `src/native/flows/flows.h` has the whole.
 */

// ---- Words of a row
/** Number of the device where frames come in. */
export const FLOW_DEVICE = 0;
/** FLOW_TAGGED and the VID; 0: no tag. */
export const FLOW_TAG = 1;
/** Twelve bytes in the order of the frame: the MACs. */
export const FLOW_MACS = 2;
export const FLOW_STAMP = 6;
/** Places of the stamps of the FDB entries of source and destination, and these stamps. */
export const FLOW_PLACE = 7;
export const FLOW_ENTRY = 9;
export const FLOW_SLOT = 11;
/** Bytes of the longest frame, its outermost tag not counted; superframes may be longer. */
export const FLOW_LONGEST = 12;
/** FLOW_KEEP, FLOW_POP or FLOW_PUSH, with the TCI behind it. */
export const FLOW_OPERATION = 13;
export const FLOW_TCI = 14;
/** Index of the interface where frames leave. */
export const FLOW_OUT = 15;
/** UDP destination port, as it lies in a frame, of the switch's own datagrams. */
export const FLOW_OWN = 16;
export const FLOW_WORDS = 18;
/** Where a row begins behind its key. */
export const FLOW_ROW = FLOW_STAMP;

// ---- Words of a flow out of a tunnel: its key, and a row behind it
export const FAR_VNI = 0;
/** UDP destination port as it lies in a datagram, then the family in two bytes. */
export const FAR_PORT = 1;
export const FAR_MACS = 2;
/** Sixteen bytes each; an IPv4 address in the first four. */
export const FAR_SOURCE = 5;
export const FAR_DESTINATION = 9;
export const FAR_ROW = 13;
export const FAR_WORDS = FAR_ROW + FLOW_WORDS - FLOW_ROW;

// ---- Words of `outer`
/** Of the remote: four words, IPv4 mapped. */
export const OUTER_ADDRESS = 0;
export const OUTER_PORT = 4;
export const OUTER_VNI = 5;
/** Configured DSCP, or OUTER_TOS_INHERIT. */
export const OUTER_TOS = 6;
export const OUTER_SOURCES = 7;
/** Source ports, of which the flow chooses. */
export const OUTER_SOURCE_PORTS = 16;
export const OUTER_WORDS = OUTER_SOURCES + OUTER_SOURCE_PORTS;
export const OUTER_TOS_INHERIT = 0x100;

export const FLOW_TAGGED = 0x10000;
export const FLOW_KEEP = 0;
export const FLOW_POP = 1;
export const FLOW_PUSH = 2;
/** Beside it: the frame enters a tunnel over IPv4, or IPv6. */
export const FLOW_ENCAPSULATE_IPV4 = 4;
export const FLOW_ENCAPSULATE_IPV6 = 8;

/** Rows of one engine. */
export const FLOW_SLOTS = 1024;
/** Stamps of FDB entries: a power of two. */
export const FLOW_STAMPS = 4096;
/** The place of the stamp of all rows. */
export const ALL_FLOWS = -1;

// ---- Words of the counts of a slot. They only increase, and wrap at 32 bits.
/** Frames that were taken from the engine. */
export const COUNT_NOTED = 0;
/** Frames that were carried, and their bytes, without an outermost tag. */
export const COUNT_FRAMES = 1;
export const COUNT_BYTES = 2;
/** Superframes and trains out of a tunnel that were left to the engine. */
export const COUNT_LARGE = 3;
export const COUNT_WORDS = 4;

export interface FlowTable {
  /** Adds a row, or replaces the one of that key. @returns an errno; 0: done */
  set(words: Int32Array): number;
  /** Removes the row of the key of `words`. */
  remove(words: Int32Array): void;
  /** The same for flows out of a tunnel: FAR_WORDS. */
  setFar(words: Int32Array): number;
  removeFar(words: Int32Array): void;
  /**
   * Writes the outer headers of a slot, as a sending socket has them. @param slot -1: only asks @param words OUTER_WORDS
   * @returns the index of the device that the route leads to; 0: it cannot be done here
   */
  outer(slot: number, sender: number, words: Int32Array): number;
  /** Takes flows out of tunnels at a device from now on. @returns false where that cannot be done */
  under(device: number): boolean;
  /** TCP out of tunnels is carried with its superframes. */
  readonly takesSuperframes: boolean;
  /** Superframes and other TCP that are on the way through the kernel's devices, as far as it is known. */
  holds(): number;
  /** Whether a firewall or IPsec look at what comes in and goes out, which would not see carried datagrams. */
  isWatched(): boolean;
  /** @param place below FLOW_STAMPS, or ALL_FLOWS */
  stamp(place: number): number;
  /** Changes a stamp: rows that were written with it are out of force for the next frame. */
  touch(place: number): void;
  /** Reads the counts of this engine's slots. @param words COUNT_WORDS for each slot */
  read(words: Int32Array): void;
  /** Gives a packet socket the program that looks frames up. @returns an errno; 0: done */
  listen(fd: number, filter: number): number;
}
