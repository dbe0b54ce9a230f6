/**
 * Peers of `qemu` ports without a QEMU: what its `-netdev stream` does on a unix socket, with Node alone.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { until } from '../../src/lab/testbed/wait.js';
import { EXPERIMENTAL } from './traffic.js';

const LENGTH = 4;

/** One connection, whoever has made it. */
export class FramePeer {
  /** Frames that have come, whole ones. */
  readonly frames: Buffer[] = [];
  isOpen = true;
  private rest: Buffer = Buffer.alloc(0);

  constructor(readonly socket: Socket) {
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('close', () => {
      this.isOpen = false;
    });
    socket.on('error', () => undefined); // `close` follows
  }

  private take(bytes: Buffer): void {
    let at = 0;
    const all = Buffer.concat([this.rest, bytes]);
    while (all.length - at >= LENGTH && all.length - at - LENGTH >= all.readUInt32BE(at)) {
      const end = at + LENGTH + all.readUInt32BE(at);
      this.frames.push(all.subarray(at + LENGTH, end));
      at = end;
    }
    this.rest = all.subarray(at);
  }

  /** Bytes of a frame that has not come whole. */
  get pending(): number {
    return this.rest.length;
  }

  send(...frames: (Uint8Array | string)[]): void {
    this.write(Buffer.concat(frames.map(framed)));
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The texts of the frames of the experimental EtherType, untagged or tagged. */
  get texts(): string[] {
    return this.frames.flatMap((frame) => {
      const at = frame.readUInt16BE(12) === 0x8100 ? 16 : 12;
      return frame.readUInt16BE(at) === EXPERIMENTAL
        ? [
            frame
              .subarray(at + 2)
              .toString()
              .split(';')[0],
          ]
        : [];
    });
  }

  async closed(): Promise<void> {
    await until('the connection is closed', () => !this.isOpen);
  }

  close(): void {
    this.socket.destroy();
  }
}

/** A frame behind its length; text is hex. */
export function framed(frame: Uint8Array | string): Buffer {
  const bytes = typeof frame === 'string' ? Buffer.from(frame, 'hex') : frame;
  const length = Buffer.alloc(LENGTH);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Connects, as QEMU with `server=off`. */
export async function dial(path: string): Promise<FramePeer> {
  const socket = createConnection({ path });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return new FramePeer(socket);
}

/** Listens, as QEMU with `server=on`. */
export class FrameServer {
  readonly peers: FramePeer[] = [];

  private constructor(private readonly server: Server) {
    server.on('connection', (socket) => this.peers.push(new FramePeer(socket)));
  }

  static async listen(path: string): Promise<FrameServer> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
    return new FrameServer(server);
  }

  /** The connection of that number. */
  peer(number = 1): Promise<FramePeer> {
    return until(`connection ${number} is there`, () => this.peers[number - 1]);
  }

  close(): void {
    for (const peer of this.peers) peer.close();
    this.server.close();
  }
}
