/** States of ports in instances of the spanning tree in the columns of `bridge mst show`. Pure. */
import type { MstRow } from '../../api/api.js';

/** IFNAMSIZ, as iproute2. */
const NAME = 16;
const MSTI = 7;

export function formatInstances(rows: readonly MstRow[]): string {
  let text = `${'port'.padEnd(NAME)}  ${'msti'.padEnd(MSTI)}  state\n`;
  for (const { ifname, mst } of rows)
    mst.forEach(({ msti, state }, at) => {
      text += `${(at === 0 ? ifname : '').padEnd(NAME)}  ${String(msti).padEnd(MSTI)}  ${state}\n`;
    });
  return text;
}
