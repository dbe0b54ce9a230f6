/**
 * Words of an ARP or neighbour discovery message (`Batch.messages`): what `neigh/parse.ts` reads from the frame, and behind it what
 * `neigh/suppress.ts` decides about a request. Addresses are four words, IPv4 mapped into ::ffff:0:0/96.
 */

// ---- Kinds of message
export const NEIGHBOUR_NONE = 0;
/** An ARP request or a neighbour solicitation. */
export const NEIGHBOUR_REQUEST = 1;
/** An ARP reply or a neighbour advertisement. */
export const NEIGHBOUR_REPLY = 2;

// ---- The message
/** The address that a request asks for. */
export const TARGET = 0;
/** The sender's own address in a request (zeros: a probe), the advertised address in a reply. */
export const SUBJECT = 4;
/** The subject's MAC: from the message, or without a link-layer option the frame's source. */
export const SUBJECT_HIGH = 8;
export const SUBJECT_LOW = 9;
/** 1: the message claims that the subject has this MAC. */
export const CLAIMS = 10;
/** HEARD_* traits of the claim. */
export const TRAITS = 11;
/** 4 for ARP, 6 for neighbour discovery. */
export const FAMILY = 12;

// ---- The decision about a request
/** Port flags; a port with any of them gets no copy. */
export const WITHHELD = 13;
/**
 * FDB destination. Of a flooded probe: where the address's owner is, which gets one copy though its port gets none; NOT_FOUND: no
 * such copy. Of a request with OUTCOME_ANSWER: where it would have gone.
 */
export const PLACE = 14;
/** VERDICT_* */
export const VERDICT = 15;
/** The target's MAC and BINDING_FLAGS. Valid with VERDICT_ANSWER. */
export const OWNER_HIGH = 16;
export const OWNER_LOW = 17;
export const OWNER_FLAGS = 18;

export const MESSAGE_WORDS = 20;

/** The switch neither answers nor reports. */
export const VERDICT_NONE = 0;
/** The switch answers in the owner's name. */
export const VERDICT_ANSWER = 1;
/** The target has no binding: ports with `proxy` and `l3miss` report a miss. */
export const VERDICT_MISS = 2;
