/**
 * Bytes that come in pieces, copied into one buffer. To keep the pieces themselves is no bound: a sender chooses how small they are, and each is an
 * object of some hundred bytes that also holds on to what it was cut from.
 */

const FIRST = 1024;

export class Gathered {
  private bytes: Buffer = Buffer.alloc(0);
  length = 0;

  add(piece: Uint8Array): void {
    const length = this.length + piece.length;
    if (length > this.bytes.length) this.grow(length);
    this.bytes.set(piece, this.length);
    this.length = length;
  }

  /** All that was added, and forgets it. */
  take(): Buffer {
    const all = this.bytes.subarray(0, this.length);
    this.bytes = Buffer.alloc(0);
    this.length = 0;
    return all;
  }

  private grow(least: number): void {
    const larger = Buffer.allocUnsafe(Math.max(least, this.bytes.length * 2, FIRST));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}
