/**
 * Messages for a name that no link has: iproute2's own, with the command that lists the names.
 */
import { quote } from './show.js';

/** No port or bridge has this name. */
export function unknownLink(name: string): string {
  return `Cannot find device ${quote(name)}; "link show" lists all links`;
}

/** No bridge has this name. */
export function unknownBridge(name: string): string {
  return `Cannot find bridge device ${quote(name)}; "link show type bridge" lists all bridges`;
}
