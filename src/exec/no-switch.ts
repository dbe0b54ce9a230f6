/** Namespaces without a switch: all is the kernel's, except the links that a script means a switch to have. */
import { AttributeMap } from '../netlink/attributes.js';
import { unsupported } from '../netlink/fault.js';
import { type Message, NLM_F } from '../netlink/message.js';
import { IFINFO_BYTES, IFLA, INFO, RTM } from '../netlink/rtnetlink.js';

/** @returns null @throws NetlinkFault for a new bridge or vxlan device, which would silently become the kernel's */
export function newWithoutSwitch({ type, flags, payload }: Message): null {
  if (type !== RTM.NEWLINK || (flags & NLM_F.CREATE) === 0 || payload.length < IFINFO_BYTES) return null;
  const kind = new AttributeMap(payload.subarray(IFINFO_BYTES)).nested(IFLA.LINKINFO)?.text(INFO.KIND);
  if (kind !== 'bridge' && kind !== 'vxlan') return null;
  throw unsupported(
    `no switch runs in this network namespace, so there is nothing that a ${kind} could be added to; start one there: overtap run -c FILE`,
  );
}
