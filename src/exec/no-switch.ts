/** Namespaces without a switch: all is the kernel's, except the links that a script means a switch to have. */
import { AttributeMap } from '../netlink/attributes.js';
import { type NetlinkFault, unsupported } from '../netlink/fault.js';
import { type Message, NLM_F } from '../netlink/message.js';
import { IFINFO_BYTES, IFLA, INFO, RTM } from '../netlink/rtnetlink.js';

/** The kind of link that a message adds, where a script means a switch to have it. */
function kindOf({ type, flags, payload }: Message): 'bridge' | 'vxlan' | undefined {
  if (type !== RTM.NEWLINK || (flags & NLM_F.CREATE) === 0 || payload.length < IFINFO_BYTES) return undefined;
  const kind = new AttributeMap(payload.subarray(IFINFO_BYTES)).nested(IFLA.LINKINFO)?.text(INFO.KIND);
  return kind === 'bridge' || kind === 'vxlan' ? kind : undefined;
}

/** It is refused without a switch, so that one which has just started is worth another look. */
export const needsSwitch = (request: Message): boolean => kindOf(request) !== undefined;

/** @returns null @throws NetlinkFault for a new bridge or vxlan device, which would silently become the kernel's */
export function newWithoutSwitch(request: Message): null {
  const kind = kindOf(request);
  if (kind === undefined) return null;
  throw refusalOf(kind);
}

/** Of `brctl addbr`. */
export const bridgeWithoutSwitch = (): NetlinkFault => refusalOf('bridge');

function refusalOf(kind: string): NetlinkFault {
  return unsupported(
    `no switch runs in this network namespace, so there is nothing that a ${kind} could be added to; start one there: overtap run -c FILE`,
  );
}
