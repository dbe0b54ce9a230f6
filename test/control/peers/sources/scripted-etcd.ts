/** An etcd in a test: keys, leases that end when the test says so, watches, compaction, and answers that no etcd gives. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

interface Stored {
  value: string;
  lease: string;
}

interface EtcdEvent {
  revision: number;
  event: object;
}

type Body = Record<string, unknown>;

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const plain = (text: unknown): string => Buffer.from(String(text), 'base64').toString();

export class ScriptedEtcd {
  readonly store = new Map<string, Stored>();
  readonly leases = new Set<string>();
  readonly calls: string[] = [];
  revision = 1;
  compacted = 0;
  /** Watches that were refused because of it. */
  refusedWatches = 0;
  private meanwhile: (() => void) | null = null;
  password: string | null = null;
  /** Sent in place of the answer to this path. */
  instead = new Map<string, string>();
  private readonly events: EtcdEvent[] = [];
  private readonly watches = new Map<ServerResponse, string>();
  private readonly sockets = new Set<Socket>();
  private leaseCount = 100;

  private constructor(
    private server: Server,
    readonly port: number,
  ) {
    this.serve(server);
  }

  static async start(): Promise<ScriptedEtcd> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new ScriptedEtcd(server, (server.address() as AddressInfo).port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
    this.watches.clear();
  }

  async again(): Promise<void> {
    this.server = createServer();
    this.serve(this.server);
    await new Promise<void>((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
  }

  put(key: string, value: string, lease = '0'): void {
    this.store.set(key, { value, lease });
    this.tell('PUT', key, { key: base64(key), value: base64(value), lease });
  }

  delete(key: string): void {
    this.store.delete(key);
    this.tell('DELETE', key, { key: base64(key) });
  }

  endLease(lease: string): void {
    this.leases.delete(lease);
    for (const [key, stored] of [...this.store]) if (stored.lease === lease) this.delete(key);
  }

  /** Cuts off watches. What happens until the next one begins is forgotten when it does. */
  compact(meanwhile: () => void): void {
    this.meanwhile = meanwhile;
    for (const answer of this.watches.keys()) answer.destroy();
  }

  private serve(server: Server): void {
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    server.on('request', (request, answer) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => this.answer(request, JSON.parse(Buffer.concat(pieces).toString()) as Body, answer));
    });
  }

  private tell(type: string, key: string, kv: object): void {
    this.revision++;
    const event = { ...(type === 'PUT' ? {} : { type }), kv: { ...kv, mod_revision: String(this.revision) } };
    this.events.push({ revision: this.revision, event });
    for (const [answer, prefix] of this.watches) if (key.startsWith(prefix)) this.send(answer, { events: [event] });
  }

  private send(answer: ServerResponse, result: object): void {
    answer.write(`${JSON.stringify({ result: { header: { revision: String(this.revision) }, ...result } })}\n`);
  }

  private answer(request: IncomingMessage, body: Body, answer: ServerResponse): void {
    const path = String(request.url);
    this.calls.push(path);
    const instead = this.instead.get(path);
    if (instead !== undefined) return void answer.end(instead);
    const isAllowed =
      this.password === null || path === '/v3/auth/authenticate' || request.headers.authorization === 'token';
    if (!isAllowed) return void answer.writeHead(401).end(JSON.stringify({ error: 'etcdserver: invalid auth token' }));
    if (path === '/v3/watch') {
      this.watch(body.create_request as Body, answer);
      return;
    }
    const [status, said] = this.reply(path, body);
    answer.writeHead(status).end(JSON.stringify(said));
  }

  private reply(path: string, body: Body): [number, object] {
    const header = { revision: String(this.revision) };
    switch (path) {
      case '/v3/auth/authenticate':
        return body.password === this.password ? [200, { token: 'token' }] : [400, { error: 'authentication failed' }];
      case '/v3/lease/grant': {
        const ID = String(this.leaseCount++);
        this.leases.add(ID);
        return [200, { header, ID, TTL: body.TTL }];
      }
      case '/v3/lease/keepalive':
        return [200, { result: { ID: body.ID, ...(this.leases.has(String(body.ID)) ? { TTL: '2' } : {}) } }];
      case '/v3/lease/revoke':
        this.endLease(String(body.ID));
        return [200, { header }];
      case '/v3/kv/put':
        this.put(plain(body.key), plain(body.value), String(body.lease));
        return [200, { header }];
      default: {
        const kvs = [...this.store]
          .filter(([key]) => key.startsWith(plain(body.key)))
          .map(([key, { value, lease }]) => ({ key: base64(key), value: base64(value), lease }));
        return [200, { header, ...(kvs.length === 0 ? {} : { kvs, count: String(kvs.length) }) }];
      }
    }
  }

  private watch({ key, start_revision: from }: Body, answer: ServerResponse): void {
    answer.writeHead(200);
    this.send(answer, { created: true });
    if (this.meanwhile !== null) {
      this.meanwhile();
      this.meanwhile = null;
      this.compacted = this.revision;
    }
    if (Number(from) <= this.compacted) {
      this.refusedWatches++;
      this.send(answer, { canceled: true, compact_revision: String(this.compacted + 1) });
      return;
    }
    const missed = this.events.filter(({ revision }) => revision >= Number(from));
    if (missed.length > 0) this.send(answer, { events: missed.map(({ event }) => event) });
    this.watches.set(answer, plain(key));
    answer.on('close', () => this.watches.delete(answer));
  }
}
