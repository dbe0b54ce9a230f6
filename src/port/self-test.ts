/**
 * Probes the kernel's offloads at start, before devices are opened. Owns
 * nothing; the caller disables what is missing (`udpSegment` of the PacketIo, `gro` of the receiver, `offload`
 * and `vnetHeader` of the TAP).
 */

import type { SelfTest, Trial } from '../native/binding.js';
import * as native from '../native/binding.js';

export type { SelfTest, Trial };

/** Takes at most 0.2 s. The socket probes need no capabilities; the others need those for a TAP. */
export function selfTest(): SelfTest {
  return native.selfTest();
}
