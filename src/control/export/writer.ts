/** A datagram that is being written: big-endian fields one after the other, in a buffer of fixed size. */
export class Writer {
  readonly bytes: Buffer;
  at = 0;

  constructor(size: number) {
    this.bytes = Buffer.alloc(size);
  }

  u8(value: number): this {
    this.at = this.bytes.writeUInt8(value & 0xff, this.at);
    return this;
  }

  u16(value: number): this {
    this.at = this.bytes.writeUInt16BE(value & 0xffff, this.at);
    return this;
  }

  u32(value: number): this {
    this.at = this.bytes.writeUInt32BE(value >>> 0, this.at);
    return this;
  }

  /** A whole number of 64 bits. */
  u64(value: number): this {
    return this.u32(Math.floor(value / 2 ** 32)).u32(value % 2 ** 32);
  }

  put(bytes: Uint8Array): this {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
    return this;
  }

  /** Zeros up to a multiple of four. */
  pad(): this {
    while (this.at % 4 !== 0) this.u8(0);
    return this;
  }

  /** Writes a word at an earlier place. */
  patch32(at: number, value: number): this {
    this.bytes.writeUInt32BE(value >>> 0, at);
    return this;
  }

  patch16(at: number, value: number): this {
    this.bytes.writeUInt16BE(value, at);
    return this;
  }

  /** A copy of what was written; the writer is empty again. */
  take(): Buffer {
    const taken = Buffer.from(this.bytes.subarray(0, this.at));
    this.at = 0;
    return taken;
  }
}
