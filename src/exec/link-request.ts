/** Requests of `ip link`, read. */
import { AttributeMap } from '../netlink/attributes.js';
import type { Message } from '../netlink/message.js';
import { IFINFO_BYTES, IFLA, type Ifinfo, INFO, readIfinfo } from '../netlink/rtnetlink.js';

/** A request about a link, read. */
export interface LinkRequestParts {
  readonly request: Message;
  readonly head: Ifinfo;
  readonly given: AttributeMap;
  readonly info: AttributeMap | undefined;
  readonly kind: string | undefined;
}

export function partsOf(request: Message): LinkRequestParts {
  const head = readIfinfo(request.payload);
  const given = new AttributeMap(request.payload.subarray(IFINFO_BYTES));
  const info = given.nested(IFLA.LINKINFO);
  return { request, head, given, info, kind: info?.text(INFO.KIND) };
}

/** The name that it gives the link, or means it by. */
export const nameOf = ({ given }: LinkRequestParts): string | undefined =>
  given.text(IFLA.IFNAME) ?? given.text(IFLA.ALT_IFNAME);
