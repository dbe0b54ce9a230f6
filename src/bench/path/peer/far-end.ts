/**
 * The far end of a measurement on two machines: `overtap bench far-end --listen ADDRESS:PORT`. It serves one near end at a time, which
 * knows its token, until Ctrl-C; when a connection ends, what was made for it is removed.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { constants } from 'node:os';
import { z } from 'zod';
import { reasonOf } from '../../../lab/testbed/errors.js';
import { interruptible } from '../../../lab/testbed/wait.js';
import { completePath, requireTools } from '../machine/machine.js';
import { startLatencyServer } from '../measures/latency.js';
import { startTcpServer } from '../measures/tcp.js';
import { removePrograms } from '../programs/compile.js';
import { devicesIn } from '../proof/counters.js';
import { NIC } from '../site/site.js';
import { VARIANTS } from '../switches/variants.js';
import type { Endpoint } from '../types.js';
import { MachineSite, mtuTowards } from './machine-site.js';
import { isToken, linesOf, REQUEST, type Request } from './protocol.js';

/** A near end that says nothing for so long is gone. Until it has shown the token, it has much less time. */
const IDLE_MS = 15 * 60_000;
const STRANGER_MS = 5000;

const say = (line: string): unknown => process.stderr.write(`${line}\n`);

/** Serves until a signal. @returns the exit status */
export async function serveFarEnd({ host, port }: Endpoint): Promise<number> {
  completePath();
  requireTools(['tcp', 'latency']);
  const token = randomBytes(16).toString('hex');
  const server = createServer();
  server.maxConnections = 1;
  return interruptible(async (signal) => {
    server.on('connection', (socket) => void serve(socket, token, signal));
    const at = await listen(server, host, port);
    say(`on the other machine: overtap bench --peer ${at} --token ${token}`);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    server.close();
    removePrograms();
    return 128 + constants.signals[signal.reason as NodeJS.Signals];
  });
}

function listen(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      const actual = typeof address === 'object' && address !== null ? address.port : port;
      resolve(host.includes(':') ? `[${host}]:${actual}` : `${host}:${actual}`);
    });
  });
}

async function serve(socket: Socket, token: string, signal: AbortSignal): Promise<void> {
  const far = new FarEnd(socket, signal);
  socket.setTimeout(STRANGER_MS, () => socket.destroy());
  socket.on('error', () => undefined); // the lines end with it
  signal.addEventListener('abort', () => socket.destroy(), { once: true });
  let isKnown = false;
  try {
    for await (const line of linesOf(socket)) {
      const request = REQUEST.parse(JSON.parse(line));
      if (request.op === 'hello') isKnown = isToken(request.token, token);
      if (!isKnown) throw new Error('the token is wrong');
      socket.setTimeout(IDLE_MS);
      socket.write(`${JSON.stringify({ ok: (await far.do(request)) ?? null })}\n`);
    }
  } catch (error) {
    const reason = error instanceof z.ZodError || error instanceof SyntaxError ? 'no such request' : reasonOf(error);
    say(`${socket.remoteAddress}: ${reason}`);
    if (!socket.destroyed)
      await new Promise<void>((resolve) => socket.end(`${JSON.stringify({ error: reason })}\n`, resolve));
  } finally {
    socket.destroy();
    await far.detach().catch((error: unknown) => say(reasonOf(error)));
  }
}

class FarEnd {
  #site: MachineSite | null = null;

  constructor(
    private readonly socket: Socket,
    private readonly signal: AbortSignal,
  ) {}

  async do(request: Request): Promise<unknown> {
    if (request.op === 'attach') return this.#attach(request.variant);
    if (request.op === 'detach') return this.detach();
    if (request.op === 'counters') return this.#counters();
    return null;
  }

  async #attach(variant: 'floor' | 'overtap'): Promise<void> {
    await this.detach();
    const { localAddress: address = '', remoteAddress: remote = '' } = this.socket;
    const site = new MachineSite(1, { address, remote }, await mtuTowards(remote), this.signal);
    this.#site = site;
    await site.build();
    await VARIANTS[variant].switches[1](site, site.hosts[0]);
    await startTcpServer(site);
    await startLatencyServer(site);
  }

  #counters(): { frames: number; bytes: number } {
    if (this.#site === null) throw new Error('counters are asked for before a switch is attached');
    const { rxPackets, rxBytes } = devicesIn(this.#site.guests[1].netns)[NIC];
    return { frames: rxPackets, bytes: rxBytes };
  }

  /** Removes what was attached. */
  async detach(): Promise<void> {
    const site = this.#site;
    this.#site = null;
    await site?.takeDown();
  }
}
