/** A name server whose answers a test says. */
import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server, type Socket as Stream } from 'node:net';

export type Zone = Record<string, DnsRecords | number | undefined>;

/** Records of one question, as `TYPE NAME`; a number is a response code. */
export interface DnsRecords {
  ttl: number;
  /** Of A and AAAA: bytes. */
  addresses?: number[][];
  services?: { port: number; target: string }[];
  cname?: string;
  truncated?: boolean;
}

const TYPES: Record<number, string> = { 1: 'A', 28: 'AAAA', 33: 'SRV' };

export class DnsServer {
  /** Not to answer at all. */
  silent = false;
  /** Datagrams that are no answer, sent before each answer by UDP. */
  unsound: readonly Uint8Array[] = [];
  /** Whether answers by TCP come in pieces of this many bytes; 0: whole. */
  pieces = 0;
  asked: string[] = [];
  zone: Zone = {};
  /** Called before each answer. */
  ask: () => void = () => undefined;

  private readonly udp: Socket;
  private readonly tcp: Server;
  readonly port: number;

  private constructor(udp: Socket, tcp: Server, port: number) {
    this.udp = udp;
    this.tcp = tcp;
    this.port = port;
    udp.on('message', (bytes, from) => {
      this.ask();
      if (this.silent) return;
      for (const other of this.unsound) udp.send(other, from.port, from.address);
      udp.send(this.answer(bytes, false), from.port, from.address);
    });
    tcp.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        const answer = this.answer(bytes.subarray(2), true);
        const message = Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 255]), answer]);
        void this.write(socket, message);
      });
    });
  }

  static async start(address = '127.0.0.1', port = 0): Promise<DnsServer> {
    const tcp = createServer();
    await new Promise<void>((resolve) => tcp.listen(port, address, resolve));
    const bound = (tcp.address() as { port: number }).port;
    const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve) => udp.bind(bound, address, resolve));
    return new DnsServer(udp, tcp, bound);
  }

  private async write(socket: Stream, message: Buffer): Promise<void> {
    if (this.pieces === 0) socket.write(message);
    else
      for (let at = 0; at < message.length; at += this.pieces)
        await new Promise((resolve) => socket.write(message.subarray(at, at + this.pieces), resolve));
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  close(): void {
    this.udp.close();
    this.tcp.close();
  }

  private answer(query: Buffer, isStream: boolean): Buffer {
    let at = 12;
    const labels: string[] = [];
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const question = `${TYPES[query.readUInt16BE(at + 1)]} ${labels.join('.')}`;
    this.asked.push(question);
    const found = this.zone[question] ?? 3;
    const records = typeof found === 'number' ? { ttl: 0 } : found;
    const isCut = records.truncated === true && !isStream;
    const answers = isCut ? [] : recordsOf(records, question);
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | (isCut ? 0x0200 : 0) | (typeof found === 'number' ? found : 0), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(answers.length, 6);
    return Buffer.concat([head, query.subarray(12, at + 5), ...answers]);
  }
}

function nameBytes(name: string): Buffer {
  return Buffer.concat([
    ...(name === '' ? [] : name.split('.')).map((label) =>
      Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]),
    ),
    Buffer.from([0]),
  ]);
}

function record(name: Buffer, type: number, ttl: number, data: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt32BE(ttl, 4);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([name, head, data]);
}

function recordsOf({ ttl, addresses = [], services = [], cname }: DnsRecords, question: string): Buffer[] {
  const pointer = Buffer.from([0xc0, 12]);
  const alias = cname === undefined ? [] : [record(pointer, 5, ttl, nameBytes(cname))];
  const owner = cname === undefined ? pointer : nameBytes(cname);
  const type = question.startsWith('AAAA') ? 28 : 1;
  return [
    ...alias,
    ...addresses.map((bytes) => record(owner, type, ttl, Buffer.from(bytes))),
    ...services.map(({ port, target }) =>
      record(owner, 33, ttl, Buffer.concat([Buffer.from([0, 1, 0, 1, port >> 8, port & 255]), nameBytes(target)])),
    ),
  ];
}
