/** The prefixes of VRFs that have a door to a VNI of layer 3, as the speaker tells them (RFC 9136): the difference to what was told before. */
import type { LocalPrefix } from '../../evpn/contract.js';
import type { LocalVrf } from '../peers/route-contract.js';

export class OwnPrefixes {
  private told = new Map<string, LocalPrefix>();

  forget(): void {
    this.told.clear();
  }

  differenceTo(vrfs: readonly LocalVrf[]): { announce: LocalPrefix[]; withdraw: LocalPrefix[] } {
    const wanted = new Map<string, LocalPrefix>();
    for (const { door, prefixes } of vrfs) {
      if (door === null) continue;
      for (const { prefix } of prefixes) wanted.set(`${door.l3vni} ${prefix}`, { vni: door.l3vni, prefix });
    }
    const announce = [...wanted].flatMap(([key, prefix]) => (this.told.has(key) ? [] : [prefix]));
    const withdraw = [...this.told].flatMap(([key, prefix]) => (wanted.has(key) ? [] : [prefix]));
    this.told = wanted;
    return { announce, withdraw };
  }
}
