/** Hard resets (RFC 8538 section 3): ends of a session that take its routes along, though both sides keep them otherwise. */
import { CEASE, CEASE_HARD_RESET, type Notification, notification } from '../../wire/bgp/notification.js';

export function isHard({ code, subcode }: Notification): boolean {
  return code === CEASE && subcode === CEASE_HARD_RESET;
}

/** A hard reset, which carries the NOTIFICATION that is meant. */
export function hard({ code, subcode, data }: Notification): Notification {
  const inner = new Uint8Array(2 + data.length);
  inner.set([code, subcode]);
  inner.set(data, 2);
  return notification(CEASE, CEASE_HARD_RESET, inner);
}
