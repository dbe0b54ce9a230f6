/** A refusal as the kernel would word it: an errno, and the text of the extended acknowledgement. */

/** Numbers of Linux (asm-generic/errno.h) that answers use. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ENOSPC: 28,
  ERANGE: 34,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  ENETDOWN: 100,
} as const;

export class NetlinkFault extends Error {
  override readonly name = 'NetlinkFault';

  /** @param message empty: the words of the errno say it all */
  constructor(
    message: string,
    /** Positive. */
    readonly errno: number = ERRNO.EINVAL,
  ) {
    super(message);
  }
}

/** What is not understood: nothing has been changed. */
export const unsupported = (text: string): NetlinkFault => new NetlinkFault(text, ERRNO.EOPNOTSUPP);
