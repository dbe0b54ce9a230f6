/**
 * Engine indexes of VNIs: of the prepared VXLAN headers in the arenas, and of the counters.
 */
import { MAX_VNIS } from '../../dataplane/state/counters.js';
import { Numbers } from '../model/numbers.js';

export class VniNumbers {
  private readonly headers = new Numbers('VNIs on its ports', 0, MAX_VNIS);
  private readonly counters = new Map<number, number>();

  /** @throws DeviceError when the header table is too full */
  need(count: number): void {
    this.headers.need(count);
  }

  /** Allocates the indexes for one use of a VNI. @throws DeviceError */
  take(vni: number): { header: number; counter: number } {
    return { header: this.headers.take(), counter: this.counterOf(vni) };
  }

  /** Releases a header that is no longer used for sending. */
  give(header: number): void {
    this.headers.give(header);
  }

  /** Counters are per VNI, across ports, and last as long as the switch. Beyond the limit the last index is shared. */
  private counterOf(vni: number): number {
    const known = this.counters.get(vni);
    if (known !== undefined) return known;
    const counter = Math.min(this.counters.size, MAX_VNIS - 1);
    this.counters.set(vni, counter);
    return counter;
  }
}
