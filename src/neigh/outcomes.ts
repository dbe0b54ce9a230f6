/**
 * Outcomes of `Neighbours.hear`, when a MAC claims an address.
 */

/** The binding is unchanged; its age is 0 again. */
export const HEARD_SAME = 0;
/** A new binding. */
export const HEARD_NEW = 1;
/** The binding has another MAC, port or router flag now. */
export const HEARD_CHANGED = 2;
/** Unchanged: the binding is manual or disputed, or the message has HEARD_WEAK. */
export const HEARD_KEPT = 3;
/** Unchanged: this claim begins a dispute. Returned once per dispute. */
export const HEARD_DISPUTE = 4;
/** Not learned: the table is full. */
export const HEARD_FULL = 5;
