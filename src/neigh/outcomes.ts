/**
 * What becomes of a MAC that claims an address: the outcomes of `Neighbours.hear`.
 */

/** The binding was so already, and is young again. */
export const HEARD_SAME = 0;
/** A new binding. */
export const HEARD_NEW = 1;
/** The binding has another MAC, port or role now. */
export const HEARD_CHANGED = 2;
/** Nothing changed: put in by hand, disputed, or the message is a weak one. */
export const HEARD_KEPT = 3;
/** Nothing changed: several MACs claim the address, as this claim has shown. Given once until they have calmed down. */
export const HEARD_DISPUTE = 4;
/** No room. */
export const HEARD_FULL = 5;
