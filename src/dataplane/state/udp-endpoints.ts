/**
 * UDP ports of the switch's tunnels, a filter before `egress/own-tunnel.ts`: one byte excludes nearly every datagram of a
 * guest.
 */

const UDP_PORTS = 65_536;

export class UdpEndpoints {
  /**
   * 1: a vxlan port or remote has, or has had, this UDP port. Never cleared: a stale bit costs a look at the tunnels, and
   * affects no decision.
   */
  readonly destinations = new Uint8Array(UDP_PORTS);
  /** Number of sending sockets with this source port; there may be two, at different local addresses. */
  readonly sources = new Uint16Array(UDP_PORTS);
  /** Source ports by index of the sending socket. */
  private readonly senders = new Map<number, number>();

  /** Control path. @param udpPort undefined: unknown */
  addSender(sender: number, udpPort: number | undefined): void {
    this.removeSender(sender);
    if (udpPort === undefined) return;
    this.senders.set(sender, udpPort);
    this.sources[udpPort]++;
  }

  /** Control path. A missing one is no error. */
  removeSender(sender: number): void {
    const udpPort = this.senders.get(sender);
    if (udpPort === undefined) return;
    this.senders.delete(sender);
    this.sources[udpPort]--;
  }
}
