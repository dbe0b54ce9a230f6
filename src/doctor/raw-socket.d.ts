/**
 * Types of the npm package raw-socket, as far as it is used here: raw IP sockets on libuv, with callbacks. Options are set
 * by their numbers in the kernel's headers. Nothing is owned here but the words.
 */
declare module 'raw-socket' {
  import type { EventEmitter } from 'node:events';

  interface RawSocket extends EventEmitter {
    /** Goes out when the socket is writable; `done` hears of a refusal, with strerror's words and no code. */
    send(
      packet: Buffer,
      offset: number,
      length: number,
      address: string,
      done: (error: Error | null, bytes: number) => void,
    ): this;
    setOption(level: number, option: number, value: number): void;
    setOption(level: number, option: number, value: Buffer, length: number): void;
    close(): this;
    /** The buffer is used again for the next packet: what is needed of it has to be read at once. */
    on(event: 'message', listener: (packet: Buffer, source: string) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    on(event: 'close', listener: () => void): this;
  }

  interface RawSocketModule {
    /** @throws with strerror's words: "Operation not permitted" without CAP_NET_RAW */
    createSocket(options: { protocol: number; addressFamily: number; bufferSize?: number }): RawSocket;
    readonly AddressFamily: { readonly IPv4: number; readonly IPv6: number };
    readonly Protocol: { readonly ICMP: number; readonly ICMPv6: number };
  }

  const raw: RawSocketModule;
  export default raw;
  export type { RawSocket };
}
