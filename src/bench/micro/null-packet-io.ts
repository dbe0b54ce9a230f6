/**
 * A PacketIo without cost: every batch has the same frames, copied into the arena once, and every command succeeds. So the
 * time of a turn is that of the switch's TypeScript.
 */
import {
  HEADROOM,
  type PacketIo,
  RX_ADDRESS,
  RX_INDEX,
  RX_KIND,
  RX_LENGTH,
  RX_OFFSET,
  RX_STRIDE,
  RX_TRAIN,
  STATUS_NOW,
  STATUS_WORDS,
  TX_STRIDE,
} from '../../port/packet-io.js';

export class NullPacketIo implements PacketIo {
  arena = new ArrayBuffer(3 << 19);
  headerBase = 0;
  headerBytes = 634_880;
  rx = new Int32Array(256 * RX_STRIDE);
  tx = new Int32Array(4096 * TX_STRIDE);
  status = new Int32Array(STATUS_WORDS);
  count = 0;
  cursor = 65_536;
  sent = 0;

  /** Adds a frame to the batch of every `receive`. @param train its position in a train of datagrams */
  add(kind: number, index: number, bytes: Uint8Array, address: readonly number[] = [0, 0, 0, 0], train = 0): void {
    const offset = ((this.cursor + HEADROOM + 3) & ~3) + 2;
    new Uint8Array(this.arena).set(bytes, offset);
    const at = this.count++ * RX_STRIDE;
    this.rx[at + RX_KIND] = kind;
    this.rx[at + RX_INDEX] = index;
    this.rx[at + RX_OFFSET] = offset;
    this.rx[at + RX_LENGTH] = bytes.length;
    for (let word = 0; word < 4; word++) this.rx[at + RX_ADDRESS + word] = address[word];
    this.rx[at + RX_TRAIN] = train;
    this.cursor = offset + bytes.length;
  }

  receive(): number {
    this.status[STATUS_NOW] += 1;
    return this.count;
  }

  transmit(count: number): number {
    this.sent += count;
    return 0;
  }

  attachTap(): void {}
  attachStream(): void {}
  attachDatagrams(): void {}
  attachSocket(): void {}
  attachSender(): void {}
  detachTap(): void {}
  detachSocket(): void {}
  detachSender(): void {}
  setRemote(): void {}
}
