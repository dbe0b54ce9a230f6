/**
 * Asks name servers, one question at a time for each call: by UDP from a port of its own, and by TCP where the answer does not fit.
 * Servers are asked in turn, twice. Everything is bounded: time, bytes, questions at once.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { getServers } from 'node:dns';
import { connect } from 'node:net';
import {
  type DnsAnswer,
  type DnsQuery,
  decodeAnswer,
  encodeQuery,
  type QueryType,
  RCODE,
} from '../../../../wire/dns/message.js';
import { guarded } from '../../../guard.js';

/** Milliseconds for one server to answer. */
const ANSWER_MS = 2000;
/** Rounds over all servers. */
const ROUNDS = 2;
/** As in resolv.conf(5). */
const MAX_SERVERS = 3;
const MAX_AT_ONCE = 16;
/** Questions that wait: far more than all names of a switch ask at once. */
const MAX_WAITING = 4096;
const DNS_PORT = 53;
/**
 * Answers to one question that are none, and the bytes of them, which are read before the server is given up: late ones of a question before,
 * and guesses of a forger. More would only be work that somebody else gives to this switch.
 */
const MAX_UNSOUND = 16;
const MAX_UNSOUND_BYTES = 65_536;

export interface NameServer {
  address: string;
  port: number;
}

/** A server has not answered, or with an error; the name may exist all the same. */
export class DnsFailure extends Error {}

export class DnsClient {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  /** @param servers as configured; empty: those of the host, at the time of the question */
  constructor(private readonly servers: () => readonly string[]) {}

  /**
   * Asks for one name. @param signal ends it early
   * @returns an answer with NOERROR or NXDOMAIN
   * @throws DnsFailure
   */
  async ask(name: string, type: QueryType, signal: AbortSignal): Promise<DnsAnswer> {
    await this.enter();
    try {
      return await this.askServers(name, type, signal);
    } finally {
      this.running--;
      this.waiting.shift()?.();
    }
  }

  private async enter(): Promise<void> {
    if (this.running >= MAX_AT_ONCE) {
      if (this.waiting.length >= MAX_WAITING) throw new DnsFailure('too many questions wait');
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    this.running++;
  }

  private async askServers(name: string, type: QueryType, signal: AbortSignal): Promise<DnsAnswer> {
    const servers = this.list();
    let failure = 'there is no name server: neither in dns_servers nor in /etc/resolv.conf';
    for (let round = 0; round < ROUNDS; round++) {
      for (const server of servers) {
        if (signal.aborted) throw new DnsFailure('ended');
        try {
          const answer = await askServer(server, name, type, signal);
          if (answer.rcode === RCODE.NOERROR || answer.rcode === RCODE.NXDOMAIN) return answer;
          failure = `${textOf(server)} answers ${rcodeText(answer.rcode)}`;
        } catch (error) {
          failure = `${textOf(server)} ${error instanceof Error ? error.message : String(error)}`;
        }
      }
    }
    throw new DnsFailure(failure);
  }

  private list(): NameServer[] {
    const given = this.servers();
    return (given.length > 0 ? given : getServers()).flatMap((text) => readServer(text) ?? []).slice(0, MAX_SERVERS);
  }
}

/** ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, as of `dns.getServers` and `dns_servers`. */
export function readServer(text: string): NameServer | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::([0-9]{1,5}))?$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? (text.includes('::') || text.split(':').length > 2 ? text : undefined);
  return address === undefined ? undefined : { address, port: Number(port ?? DNS_PORT) };
}

function textOf({ address, port }: NameServer): string {
  return port === DNS_PORT ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function rcodeText(rcode: number): string {
  const name = Object.entries(RCODE).find(([, code]) => code === rcode)?.[0];
  return name ?? (rcode === 5 ? 'REFUSED' : `with code ${rcode}`);
}

async function askServer(server: NameServer, name: string, type: QueryType, signal: AbortSignal): Promise<DnsAnswer> {
  const query: DnsQuery = { id: randomInt(0x10000), name, type, edns: true };
  let answer = await byDatagram(server, query, signal);
  // A server from before RFC 6891.
  if (answer.rcode === RCODE.FORMERR) answer = await byDatagram(server, { ...query, edns: false }, signal);
  return answer.isTruncated ? byStream(server, query, signal) : answer;
}

/** Runs `begin` with a time limit. @param begin gets the promise's ends, and returns what closes the socket */
function limited(
  signal: AbortSignal,
  begin: (done: (answer: DnsAnswer) => void, fail: (error: Error) => void) => () => void,
): Promise<DnsAnswer> {
  return new Promise((resolve, reject) => {
    let close: () => void = () => undefined;
    const finish = (end: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', ended);
      close();
      end();
    };
    const fail = (error: Error): void => finish(() => reject(error));
    const ended = (): void => fail(new Error('was not waited for'));
    const timer = setTimeout(() => fail(new Error(`does not answer within ${ANSWER_MS / 1000} s`)), ANSWER_MS);
    timer.unref();
    signal.addEventListener('abort', ended);
    close = begin((answer) => finish(() => resolve(answer)), fail);
  });
}

/** The kernel takes datagrams of this server only, since the socket is connected; others are not what was asked. */
function byDatagram(server: NameServer, query: DnsQuery, signal: AbortSignal): Promise<DnsAnswer> {
  return limited(signal, (done, fail) => {
    const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4');
    let isOpen = true;
    let unsound = 0;
    let unsoundBytes = 0;
    const failed = guarded('dns', (error: Error) => fail(new Error(`cannot be asked: ${error.message}`)));
    socket.on('error', failed);
    socket.on(
      'message',
      guarded('dns', (bytes: Buffer) => {
        const answer = decodeAnswer(bytes, query);
        if (answer !== undefined) return done(answer);
        unsoundBytes += bytes.length;
        if (++unsound >= MAX_UNSOUND || unsoundBytes >= MAX_UNSOUND_BYTES)
          fail(new Error(`has sent ${unsound} datagrams, none of which is the answer`));
      }),
    );
    socket.on(
      'connect',
      guarded('dns', () => {
        if (isOpen) socket.send(encodeQuery(query), (error) => (error === null ? undefined : failed(error)));
      }),
    );
    socket.connect(server.port, server.address);
    return () => {
      isOpen = false;
      socket.removeAllListeners('message');
      try {
        socket.close();
      } catch {
        // It was not opened.
      }
    };
  });
}

/** RFC 1035 section 4.2.2: each message has its length before it. */
function byStream(server: NameServer, query: DnsQuery, signal: AbortSignal): Promise<DnsAnswer> {
  return limited(signal, (done, fail) => {
    const socket = connect(server.port, server.address);
    const message = new StreamedMessage();
    socket.on(
      'error',
      guarded('dns', (error: Error) => fail(new Error(`cannot be asked by TCP: ${error.message}`))),
    );
    socket.on(
      'close',
      guarded('dns', () => fail(new Error('has closed its connection'))),
    );
    socket.on(
      'connect',
      guarded('dns', () => {
        const bytes = encodeQuery(query);
        socket.write(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]));
      }),
    );
    socket.on(
      'data',
      guarded('dns', (piece: Buffer) => {
        const bytes = message.add(piece);
        if (bytes === null) return;
        const answer = decodeAnswer(bytes, query);
        if (answer === undefined || answer.isTruncated) fail(new Error('has sent an unsound answer'));
        else done(answer);
      }),
    );
    return () => socket.destroy();
  });
}

/** One message with its length before it, whose pieces are copied once: a server may send them byte by byte. */
class StreamedMessage {
  private readonly head = new Uint8Array(2);
  private headBytes = 0;
  private bytes: Uint8Array | null = null;
  private length = 0;

  /** @returns the message when it is whole; null: not yet. What comes after it is left. */
  add(piece: Uint8Array): Uint8Array | null {
    let at = 0;
    while (this.headBytes < 2 && at < piece.length) this.head[this.headBytes++] = piece[at++] as number;
    if (this.headBytes < 2) return null;
    this.bytes ??= new Uint8Array(((this.head[0] as number) << 8) | (this.head[1] as number));
    const part = piece.subarray(at, at + this.bytes.length - this.length);
    this.bytes.set(part, this.length);
    this.length += part.length;
    return this.length === this.bytes.length ? this.bytes : null;
  }
}
