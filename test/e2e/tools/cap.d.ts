/** Types of the npm package cap (libpcap), as far as the tools use it. */
declare module 'cap' {
  class Cap {
    /** @returns the link type, such as `ETHERNET` */
    open(device: string, filter: string, bufferSize: number, buffer: Buffer): string;
    on(event: 'packet', listener: (length: number, isTruncated: boolean) => void): this;
    send(frame: Buffer, length: number): void;
    close(): void;
  }

  interface Decoded<T> {
    readonly info: T;
    /** Where the payload begins. */
    readonly offset: number;
  }

  const decoders: {
    readonly PROTOCOL: { readonly ETHERNET: { readonly IPV4: number }; readonly IP: { readonly UDP: number } };
    Ethernet(buffer: Buffer): Decoded<{ type: number }>;
    IPV4(
      buffer: Buffer,
      offset: number,
    ): Decoded<{
      srcaddr: string;
      dstaddr: string;
      ttl: number;
      totallen: number;
      protocol: number;
      flags: number;
      dscp: number;
      ecn: number;
    }>;
    UDP(
      buffer: Buffer,
      offset: number,
    ): Decoded<{ srcport: number; dstport: number; length: number; checksum: number }>;
  };

  const cap: { readonly Cap: typeof Cap; readonly decoders: typeof decoders };
  export default cap;
}
