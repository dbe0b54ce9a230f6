/**
 * The engines' numbers of VNIs: of the VXLAN headers that stand ready in their arenas, and of the accounts.
 */
import { MAX_VNIS } from '../../dataplane/state/counters.js';
import { Numbers } from '../model/numbers.js';

export class VniNumbers {
  private readonly headers = new Numbers('VNIs on its ports', 0, MAX_VNIS);
  private readonly counters = new Map<number, number>();

  /** @throws DeviceError when there is no room for so many more headers */
  need(count: number): void {
    this.headers.need(count);
  }

  /** Numbers for one use of a VNI. @throws DeviceError */
  take(vni: number): { header: number; counter: number } {
    return { header: this.headers.take(), counter: this.counterOf(vni) };
  }

  /** Takes a header back, once no frame is sent with it. */
  give(header: number): void {
    this.headers.give(header);
  }

  /** Accounts are by VNI, whichever port it is on, and last as long as the switch. Beyond the bound the last is shared. */
  private counterOf(vni: number): number {
    const known = this.counters.get(vni);
    if (known !== undefined) return known;
    const counter = Math.min(this.counters.size, MAX_VNIS - 1);
    this.counters.set(vni, counter);
    return counter;
  }
}
