/**
 * Raw ICMP sockets from the package raw-socket if it is installed, else from the addon. Without CAP_NET_RAW the rest of an
 * examination continues. It owns the socket and its options, not the packets.
 *
 * Packets are sent with their IP header, which sets the source address and the DF bit, also over IPv6 (Linux 4.5).
 */
import type { RawSocket } from 'raw-socket';

/** Numbers of linux/in.h, linux/in6.h, linux/icmp.h, linux/icmpv6.h and asm-generic/socket.h. */
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IP = 0;
const IP_HDRINCL = 3;
const IP_MTU_DISCOVER = 10;
const IPPROTO_IPV6 = 41;
const IPV6_MTU_DISCOVER = 23;
const IPV6_HDRINCL = 36;
/** IP_PMTUDISC_PROBE and its IPv6 equivalent: DF is set, and the kernel's cached path MTU is ignored. */
const PMTUDISC_PROBE = 3;
const SOL_RAW = 255;
const ICMP_FILTER = 1;
const SOL_ICMPV6 = 58;
const ICMPV6_FILTER = 1;

const LARGEST_PACKET = 65_535;
/** Bytes: room for simultaneous replies of a thousand remotes. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;

/** Accepted ICMP types: echo replies and errors. */
const TYPES = { 4: [0, 3], 6: [1, 2, 129] } as const;

export interface IcmpSocket {
  /** `refused` is called with strerror's text if the kernel refuses the packet. */
  send(packet: Uint8Array, address: string, refused: (words: string) => void): void;
  close(): void;
}

export type IcmpListener = (packet: Uint8Array, source: string) => void;
export type OpenIcmp = (place: { family: 4 | 6; dev?: string }, listener: IcmpListener) => Promise<IcmpSocket>;

/** ICMP is unavailable; the message is the reason. */
export class IcmpUnavailable extends Error {
  override readonly name = 'IcmpUnavailable';

  constructor(
    readonly lack: 'addon' | 'rights' | 'other',
    message: string,
  ) {
    super(message);
  }
}

/** @throws IcmpUnavailable */
export const openIcmpSocket: OpenIcmp = async (place, listener) => {
  const raw = await rawSocket();
  return raw === null ? await openOwn(place, listener) : openRaw(raw, place, listener);
};

type RawSockets = typeof import('raw-socket')['default'];

/** The package; null where it is not installed, or not built for this version of Node. */
async function rawSocket(): Promise<RawSockets | null> {
  try {
    return (await import('raw-socket')).default;
  } catch {
    return null;
  }
}

export const openOwn: OpenIcmp = async ({ family, dev }, listener) => {
  let port: typeof import('../port/icmp.js');
  try {
    port = await import('../port/icmp.js');
  } catch (error) {
    throw new IcmpUnavailable('addon', wordsOf(error));
  }
  try {
    const socket = port.openIcmp({ family, filter: filterOf(family), ...(dev === undefined ? {} : { dev }) }, listener);
    return {
      send(packet, address, refused) {
        try {
          socket.send(packet, address);
        } catch (error) {
          // Without the step and the errno: as raw-socket has it.
          refused(/^sending to \S+: (.*) \(\w+\)$/.exec(wordsOf(error))?.[1] ?? wordsOf(error));
        }
      },
      close: () => socket.close(),
    };
  } catch (error) {
    throw unavailable(error);
  }
};

function openRaw(
  raw: RawSockets,
  { family, dev }: { family: 4 | 6; dev?: string },
  listener: IcmpListener,
): IcmpSocket {
  const socket = createRaw(raw, family);
  let dead = false;
  socket.on('error', () => {
    dead = true; // raw-socket closes it; pending requests get no reply
  });
  try {
    prepare(socket, family, dev);
  } catch (error) {
    socket.close();
    throw unavailable(error);
  }
  socket.on('message', (packet, source) => listener(packet, source));
  return {
    send(packet, address, refused) {
      if (dead) return;
      const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
      socket.send(bytes, 0, bytes.length, address, (error) => {
        if (error !== null) refused(error.message);
      });
    },
    close() {
      if (!dead) socket.close();
      dead = true;
    },
  };
}

function createRaw(raw: RawSockets, family: 4 | 6): RawSocket {
  try {
    const protocol = family === 4 ? raw.Protocol.ICMP : raw.Protocol.ICMPv6;
    const addressFamily = family === 4 ? raw.AddressFamily.IPv4 : raw.AddressFamily.IPv6;
    return raw.createSocket({ protocol, addressFamily, bufferSize: LARGEST_PACKET });
  } catch (error) {
    throw unavailable(error);
  }
}

const wordsOf = (error: unknown): string =>
  error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);

function unavailable(error: unknown): IcmpUnavailable {
  const words = wordsOf(error);
  return new IcmpUnavailable(/not permitted|denied/i.test(words) ? 'rights' : 'other', words);
}

function prepare(socket: RawSocket, family: 4 | 6, dev: string | undefined): void {
  if (dev !== undefined) {
    const name = Buffer.from(`${dev}\0`);
    socket.setOption(SOL_SOCKET, SO_BINDTODEVICE, name, name.length);
  }
  const filter = filterOf(family);
  if (family === 4) {
    socket.setOption(IPPROTO_IP, IP_HDRINCL, 1);
    socket.setOption(IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE);
    socket.setOption(SOL_RAW, ICMP_FILTER, filter, filter.length);
  } else {
    socket.setOption(IPPROTO_IPV6, IPV6_HDRINCL, 1);
    socket.setOption(IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE);
    socket.setOption(SOL_ICMPV6, ICMPV6_FILTER, filter, filter.length);
  }
  try {
    socket.setOption(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
  } catch {
    // Without CAP_NET_ADMIN the system default is used, which suffices for most switches.
  }
}

/** ICMP_FILTER: a set bit blocks a type. Little-endian, assumed to be the byte order of the machine. */
export function filterOf(family: 4 | 6): Buffer {
  const filter = Buffer.alloc(family === 4 ? 4 : 32, 0xff);
  for (const type of TYPES[family]) filter[type >> 3] = (filter[type >> 3] ?? 0) & ~(1 << (type & 7));
  return filter;
}
