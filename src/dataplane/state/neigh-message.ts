/**
 * The words that an ARP or neighbour discovery message is read into (`Context.neighbour`), by `neigh/parse.ts`.
 */

// ---- Kinds
export const NEIGHBOUR_NONE = 0;
/** An ARP request or a solicitation. */
export const NEIGHBOUR_REQUEST = 1;
/** An ARP reply or an advertisement. */
export const NEIGHBOUR_REPLY = 2;

// ---- Words of `Context.neighbour`. An address is four of them, IPv4 mapped.
/** What a request asks for. */
export const TARGET = 0;
/** Whose address the message gives: who asks (zeros: one that has none yet), or what a reply is about. */
export const SUBJECT = 4;
/** The MAC that goes with it; of a solicitation without that option the frame's source. */
export const SUBJECT_HIGH = 8;
export const SUBJECT_LOW = 9;
/** 1: the message claims that the subject has this MAC. */
export const CLAIMS = 10;
/** HEARD_* traits of the claim. */
export const TRAITS = 11;
/** 4 for ARP, 6 for neighbour discovery. */
export const FAMILY = 12;
export const NEIGHBOUR_WORDS = 13;
