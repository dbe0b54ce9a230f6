/** After VLANs of a device were mapped to VNIs: what scripts said of these before. */
import { SwitchRefused } from '../client/client.js';
import type { LinkRow } from '../api/api.js';
import { NetlinkFault } from '../netlink/fault.js';
import type { View } from './view.js';
import { vniAddition } from './vnis.js';
import { mappedVnis, ownVni } from './waiting.js';

/** Refusals that one answer tells. */
const MOST_TOLD = 3;

/** @throws NetlinkFault when the switch refuses an entry, which waits no longer then */
export async function settle(view: View, { ifname }: LinkRow): Promise<void> {
  if (view.waiting.isEmpty) return;
  const isMapped = mappedVnis(await view.client.get('/v1/vlans'), ifname);
  const { entries, vnis } = view.waiting.take(ifname, isMapped);
  const refused: string[] = [];
  for (const { dev, vni, address } of vnis) {
    if (address === undefined) continue;
    const add = () => view.client.post('/v1/vlans', vniAddition(dev, { vni }, address));
    await attempt(add, `${address} of VNI ${vni}`, refused);
  }
  for (const entry of entries) {
    const put = () => view.client.post('/v1/fdb', entry);
    await attempt(put, `the entry of ${entry.mac} in VNI ${ownVni(entry)}`, refused);
  }
  if (refused.length > 0) throw new NetlinkFault(refused.join('; '));
}

/** What one is refused does not stop the others. */
async function attempt(change: () => Promise<unknown>, what: string, refused: string[]): Promise<void> {
  try {
    await change();
  } catch (error) {
    if (!(error instanceof SwitchRefused)) throw error;
    if (error.code !== 'exists' && refused.length < MOST_TOLD)
      refused.push(`the VLAN is mapped, but ${what} is not taken: ${error.message}`);
  }
}
