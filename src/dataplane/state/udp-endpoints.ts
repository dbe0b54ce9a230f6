/**
 * UDP ports of the switch's tunnels, as a filter in front of `egress/own-tunnel.ts`: one byte tells of nearly every datagram of a
 * guest that it is not one of the switch's own.
 */

const UDP_PORTS = 65_536;

export class UdpEndpoints {
  /**
   * 1: some vxlan port or remote of the switch has, or has had, this UDP port. It is never cleared: a port that is no more costs
   * a look at the tunnels, and no frame its way.
   */
  readonly destinations = new Uint8Array(UDP_PORTS);
  /** How many sending sockets have this source port; two may, at different local addresses. */
  readonly sources = new Uint16Array(UDP_PORTS);
  /** Source ports by the number of the sending socket. */
  private readonly senders = new Map<number, number>();

  /** Control path. @param udpPort undefined: not known */
  addSender(sender: number, udpPort: number | undefined): void {
    this.removeSender(sender);
    if (udpPort === undefined) return;
    this.senders.set(sender, udpPort);
    this.sources[udpPort]++;
  }

  /** Control path. One that is not there is none the less removed. */
  removeSender(sender: number): void {
    const udpPort = this.senders.get(sender);
    if (udpPort === undefined) return;
    this.senders.delete(sender);
    this.sources[udpPort]--;
  }
}
