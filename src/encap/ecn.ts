/**
 * ECN and the outer TOS byte: the outer TOS of a sent frame, and the inner ECN of a received one (RFC 6040, as in Linux
 * `INET_ECN_encapsulate` and `__INET_ECN_decapsulate`).
 */

export const ECN_NOT_ECT = 0;
export const ECN_ECT1 = 1;
export const ECN_ECT0 = 2;
export const ECN_CE = 3;

/** Outer CE on a frame whose transport does not support ECN: the frame is dropped. */
export const ECN_INVALID = -1;

/**
 * Outer TOS of a frame. DSCP as configured, or the inner one (`tos inherit`, `configured` < 0);
 * ECN 0, 1, 2 copied, CE becomes ECT(0) (RFC 6040 section 4.1, compatibility with Linux).
 */
export function outerTos(configured: number, innerTos: number): number {
  const dscp = (configured < 0 ? innerTos : configured) & 0xfc;
  const ecn = innerTos & 3;
  return dscp | (ecn === ECN_CE ? ECN_ECT0 : ecn);
}

/** The inner ECN after decapsulation (RFC 6040 section 4.2), or ECN_INVALID. */
export function decapsulatedEcn(outerEcn: number, innerEcn: number): number {
  if (outerEcn === ECN_CE) return innerEcn === ECN_NOT_ECT ? ECN_INVALID : ECN_CE;
  if (outerEcn === ECN_ECT1 && innerEcn === ECN_ECT0) return ECN_ECT1;
  return innerEcn;
}
