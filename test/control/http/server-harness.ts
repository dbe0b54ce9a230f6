/**
 * Shared by tests of the control socket: a switch that only records requests, a server on a socket of its own, and clients that
 * speak byte by byte. Asserts nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  ApplyAnswer,
  DroppedFrame,
  FdbFilter,
  FdbRow,
  FlushAnswer,
  StatsAnswer,
  SwitchEvent,
} from '../../../src/api/api.js';
import {
  ChangeRefused,
  type Controls,
  notFound,
  type ObservedListener,
  type ObservedPort,
  type ObserveRequest,
} from '../../../src/control/controls.js';
import { type ControlServer, type ServeOptions, serve } from '../../../src/control/http/server.js';
import { type EvpnViews, fitsFilter, type Views } from '../../../src/control/listings.js';

/** Notes requests as `[what, request]`, answers as told and passes events on. */
export class FakeControls implements Controls {
  readonly asked: [string, unknown][] = [];
  /** What the next requests fail with. */
  failure: Error | null = null;
  /** What `fdb` answers. */
  flushed: FlushAnswer | undefined;
  /** Requests wait for this. */
  before: Promise<void> = Promise.resolve();
  readonly listeners = new Set<(event: SwitchEvent) => void>();

  link = (body: unknown): Promise<void> => this.note('link', body, undefined);
  fdb = (body: unknown): Promise<FlushAnswer | undefined> => this.note('fdb', body, this.flushed);
  vlan = (body: unknown): Promise<void> => this.note('vlan', body, undefined);
  neigh = (body: unknown): Promise<void> => this.note('neigh', body, undefined);
  mdb = (body: unknown): Promise<void> => this.note('mdb', body, undefined);
  nexthop = (body: unknown): Promise<void> => this.note('nexthop', body, undefined);
  apply = (body: unknown): Promise<ApplyAnswer> => this.note('apply', body, { commands: ['link del tap1'] });

  subscribe(listener: (event: SwitchEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  readonly watchers = new Map<ObservedListener, ObserveRequest>();
  ports: ObservedPort[] = [];

  observe(request: ObserveRequest, listener: ObservedListener): () => void {
    for (const name of request.ports ?? [])
      if (!this.ports.some((port) => port.name === name)) throw notFound('port', name);
    this.watchers.set(listener, request);
    return () => this.watchers.delete(listener);
  }

  observable = (): ObservedPort[] => this.ports;

  emit(event: SwitchEvent): void {
    for (const listener of this.listeners) listener(event);
  }

  private async note<T>(what: string, body: unknown, answer: T): Promise<T> {
    await this.before;
    if (this.failure !== null) throw this.failure;
    this.asked.push([what, body]);
    return answer;
  }
}

export const STATS: StatsAnswer = {
  links: {
    tap1: {
      rx_packets: 1,
      rx_bytes: 60,
      tx_packets: 2,
      tx_bytes: 120,
      rx_dropped: 3,
      tx_dropped: 0,
      drops: { no_pvid: 3 },
    },
  },
  drops: { no_pvid: 3 },
  remotes: { '192.0.2.2': { rx_packets: 4, rx_bytes: 240, tx_packets: 5, tx_bytes: 300 } },
  vnis: { 42: { rx_packets: 6, rx_bytes: 360, tx_packets: 7, tx_bytes: 420 } },
  replicated: 8,
  retired: { rx_packets: 9, rx_bytes: 540, tx_packets: 10, tx_bytes: 600, drops: { port_down: 11 } },
  fdb: { entries: 12, learned: 13, moved: 14, aged: 15, refused: 16 },
};

export const DROPS: DroppedFrame[] = ['no_pvid', 'link_local'].map((reason, number) => ({
  time: '2026-01-02T03:04:05.678Z',
  port: 'tap1',
  direction: 'rx',
  reason,
  length: 60,
  frame: '020000000002020000000001',
  engine: 0,
  number,
}));

/** Learned entries of a bridge `br0`, as many as asked for, made when they are asked for. */
export class FakeViews implements Views {
  readonly info = { name: 'host1', version: '1.2.3', pid: process.pid };
  fdbRows = 3;
  /** Rows handed out so far. */
  made = 0;
  /** Listings that were not read to the end or have been. */
  open = 0;

  links = () => [
    { ifname: 'br0', type: 'bridge', operstate: 'UP', mtu: 1450 } as const,
    { ifname: 'tap1', type: 'tap', master: 'br0', operstate: 'DOWN', mtu: 1450 } as const,
  ];
  vlans = () => ({ vlans: [{ ifname: 'tap1', vlans: [{ vlan: 2, flags: [] }] }], tunnels: [] });
  neigh = () => [{ dst: '198.18.0.2', lladdr: '02:00:00:00:00:02', ifname: 'vxlan0', state: 'permanent' } as const];
  mdb = () => ({ mdb: [], router: [] });
  routes = () => [];
  nexthops = () => [{ id: 1, gateway: '192.0.2.2', scope: 'link' as const, flags: [], fdb: null }];
  /** The speaker that is asked. */
  speaker: EvpnViews | null = null;
  evpn = () => this.speaker;
  stats = () => STATS;
  drops = (reason?: string) =>
    reason === 'nothing' ? null : DROPS.filter((row) => (reason ?? row.reason) === row.reason);
  config = () => ({ name: 'host1' });
  trace = () => Promise.reject(new ChangeRefused('there is nothing to trace', 'unavailable'));

  *fdb(filter: FdbFilter): Generator<FdbRow | undefined> {
    this.open++;
    try {
      for (let i = 0; i < this.fdbRows; i++) {
        const row = fdbRow(i);
        this.made++;
        yield fitsFilter(row, filter) ? row : undefined;
      }
    } finally {
      this.open--;
    }
  }
}

export function fdbRow(i: number): FdbRow {
  const hex = i.toString(16).padStart(8, '0');
  return {
    mac: `02:00:${hex.replace(/(..)(?=.)/g, '$1:')}`,
    ifname: `tap${i % 2}`,
    master: 'br0',
    vlan: 10 + (i % 2),
    state: i % 3 === 0 ? 'static' : 'dynamic',
    flags: [],
    updated: 7,
    moves: 0,
  };
}

export interface Harness {
  path: string;
  controls: FakeControls;
  views: FakeViews;
  server: ControlServer;
  faults: unknown[];
  close(): Promise<void>;
}

/** A server in a folder of its own. */
export async function harness(limits: ServeOptions['limits'] = {}, more: ServeOptions = {}): Promise<Harness> {
  const folder = mkdtempSync(join(tmpdir(), 'overtap-control-'));
  const path = join(folder, 'control.sock');
  const controls = new FakeControls();
  const views = new FakeViews();
  const faults: unknown[] = [];
  const server = await serve(path, views, controls, { limits, report: (error) => faults.push(error), ...more });
  return {
    path,
    controls,
    views,
    server,
    faults,
    async close() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface Answer {
  status: number;
  type: string | undefined;
  text: string;
  /** Milliseconds from the request to the end of the answer. */
  ms: number;
}

/** One request on a connection of its own. */
export function ask(
  path: string,
  method: string,
  url: string,
  body?: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const outgoing = request({ socketPath: path, method, path: url, agent: false, headers: { ...json, ...headers } });
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        resolve({
          status: incoming.statusCode ?? 0,
          type: incoming.headers['content-type'],
          text: Buffer.concat(chunks).toString(),
          ms: performance.now() - began,
        });
      });
    });
    outgoing.end(body);
  });
}

/** What `ask` answers, with its body as a value. */
export async function askJson(
  path: string,
  method: string,
  url: string,
  body?: unknown,
): Promise<{ status: number; value: unknown }> {
  const { status, text } = await ask(path, method, url, body === undefined ? undefined : JSON.stringify(body));
  return { status, value: text === '' ? undefined : (JSON.parse(text) as unknown) };
}

/** A connection on which a test writes what it likes. */
export class RawClient {
  text = '';
  closed = false;
  private constructor(readonly socket: Socket) {
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => undefined); // being cut off is what many tests ask for
  }

  static connect(path: string, reading = true): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ path });
      const client = new RawClient(socket);
      if (reading) client.read();
      socket.once('connect', () => resolve(client));
      socket.once('error', reject);
    });
  }

  /** Reads on, and keeps so many characters of it. */
  read(most = Number.POSITIVE_INFINITY): void {
    this.socket.on('data', (chunk: Buffer) => {
      if (this.text.length < most) this.text += chunk.toString('latin1');
    });
  }

  write(text: string | Buffer): void {
    this.socket.write(text);
  }

  end(): void {
    this.socket.destroy();
  }
}

/** Waits until it holds. @throws after `ms`, with what it was waiting for */
export async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms for: ${what}`);
    await pause(5);
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
