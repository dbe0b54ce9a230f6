/**
 * Says that the route to a remote leads into one of the switch's own bridges: once for each remote and port, and again only
 * when it has not been so for a while. It never asks for routes: the engines meet the datagrams that come back (own_tunnel).
 */
import type { Port } from '../model/model.js';

/** Without such a datagram for so long, the cause is taken for gone. */
const CALM_MS = 60_000;
/** Causes that are kept in mind at most. */
const MOST = 1000;

export interface OwnTunnelNotice {
  /** The port that the datagrams come in by, and its bridge. */
  port: string;
  bridge: string | undefined;
  remote: string;
}

export class OwnTunnelNotices {
  /** When each was last met, by `port remote`; the one that was met least recently first. */
  private readonly met = new Map<string, number>();

  /** @param now a clock in milliseconds that never goes back */
  constructor(
    private readonly say: (notice: OwnTunnelNotice) => void,
    private readonly now: () => number,
  ) {}

  /** A datagram of the switch's own to `remote` came in by `port`. */
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
