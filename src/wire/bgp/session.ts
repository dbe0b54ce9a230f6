/** What both ends of a session have agreed on, as far as it changes how messages are read and written. */

/** Families of routes (RFC 4760): L2VPN, EVPN. */
export const AFI_L2VPN = 25;
export const SAFI_EVPN = 70;

/** Largest message without and with extended messages (RFC 4271 section 4.1, RFC 8654). */
export const MESSAGE_LIMIT = 4096;
export const EXTENDED_LIMIT = 65535;

export interface SessionFormat {
  /** AS numbers of 4 bytes in AS_PATH: both ends have the capability (RFC 6793). */
  fourOctetAs: boolean;
  /** The neighbour is in our own AS (iBGP): LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST count. */
  isInternal: boolean;
  /** Most bytes of a message that we send: MESSAGE_LIMIT or EXTENDED_LIMIT. */
  maxLength: number;
}
