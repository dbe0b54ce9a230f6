/**
 * Reports that the route to a remote leads into a bridge of the switch itself: once for each remote and port, and again after a
 * pause without such datagrams. Detection is by the engines (`own_tunnel`); no route is queried.
 */
import type { Port } from '../model/model.js';

/** After this time without such a datagram the cause counts as resolved. */
const CALM_MS = 60_000;
/** Most causes remembered. */
const MOST = 1000;

export interface OwnTunnelNotice {
  /** The ingress port of the datagrams, and its bridge. */
  port: string;
  bridge: string | undefined;
  remote: string;
}

export class OwnTunnelNotices {
  /** Time of the latest datagram by `port remote`, least recent first. */
  private readonly met = new Map<string, number>();

  /** @param now a monotonic clock in milliseconds */
  constructor(
    private readonly say: (notice: OwnTunnelNotice) => void,
    private readonly now: () => number,
  ) {}

  /** A datagram of the switch's own tunnel to `remote` was received on `port`. */
  meet(port: Port, remote: string): void {
    const key = `${port.name} ${remote}`;
    const last = this.met.get(key);
    const now = this.now();
    this.met.delete(key);
    this.met.set(key, now);
    if (this.met.size > MOST) this.met.delete(this.met.keys().next().value as string);
    if (last === undefined || now - last >= CALM_MS) this.say({ port: port.name, bridge: port.bridge?.name, remote });
  }
}
