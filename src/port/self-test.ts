/**
 * What the kernel can do for the fast path, found out by trying: read at start, before devices are opened. Owns
 * nothing; what does not work is for the caller to switch off (`udpSegment` of the PacketIo, `gro` of the receiver, `offload`
 * and `vnetHeader` of the TAP).
 */

import type { SelfTest } from '../native/binding.js';
import * as native from '../native/binding.js';

export type { SelfTest };

/** Takes a fifth of a second at most. Needs no rights for the sockets, and those for a TAP for the rest. */
export function selfTest(): SelfTest {
  return native.selfTest();
}
