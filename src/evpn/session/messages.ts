/**
 * BGP messages as the state machine sees them, between the codec (`wire/bgp`) and the sessions.
 */
import type { Notification } from '../../wire/bgp/notification.js';
import type { OpenMessage } from '../../wire/bgp/open.js';

export type { Notification, OpenMessage };

/** 0: asks for all routes; 1 and 2: begin and end of an answer (RFC 7313). */
export type RefreshKind = 0 | 1 | 2;

/** What the state machine sends; routes go beside it. */
export type Sent =
  | { type: 'open'; open: OpenMessage }
  | { type: 'keepalive' }
  | { type: 'notification'; notification: Notification }
  | { type: 'refresh'; kind: RefreshKind };

/** What the state machine receives. `U`: an UPDATE, which it passes on unread. */
export type Received<U> =
  | { type: 'open'; open: OpenMessage }
  | { type: 'keepalive' }
  | { type: 'notification'; notification: Notification }
  | { type: 'refresh'; kind: RefreshKind }
  | { type: 'update'; update: U; isEndOfRib: boolean }
  /** Of no meaning here, such as a refresh of another family: a sign of life. */
  | { type: 'ignored' }
  /** What cannot be read ends the session. */
  | { type: 'fault'; notification: Notification };
