/**
 * The agent: a small program that stands for a guest. It runs in one network namespace, carries out requests from its
 * standard input (agent-protocol.ts) and uses sockets of that namespace, so a lab needs no ping, iperf3 or tcpdump. It
 * ends when its standard input closes, so it never outlives its check.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Socket as TcpSocket, connect as tcpConnect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type AgentReply,
  type AgentRequest,
  type AgentVerb,
  type Answer,
  type Ask,
  ECHO_PORT,
  shoutText,
} from './agent-protocol.js';

// Without a listener, Node opens its debugger on a TCP port at SIGUSR1.
process.on('SIGUSR1', () => undefined);

const PROBE = 'overtap-probe ';
const ECHO = 'overtap-echo ';
const SHOUT = /^overtap-shout (\S+) (\d+) /;
/** Shouts with a higher number are ignored: a stray datagram must not make the agent use much memory. */
const MAX_SHOUTS = 10_000;
const TCP_CHUNK = 64 * 1024;

/** Opens a UDP socket bound to an address; port 0 chooses a free port. */
async function bindUdp(address: string, port: number): Promise<UdpSocket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket;
}

function send(socket: UdpSocket, text: string, port: number, to: string): Promise<Error | null> {
  return new Promise((resolve) => socket.send(text, port, to, (error) => resolve(error)));
}

// ---- Probes ------------------------------------------------------------------------------------

const echoedBySource: Record<string, number> = {};

async function answerProbes(): Promise<void> {
  const socket = await bindUdp('0.0.0.0', ECHO_PORT);
  socket.on('error', () => {});
  socket.on('message', (message: Buffer, from: RemoteInfo) => {
    const text = message.toString('latin1');
    if (!text.startsWith(PROBE)) return;
    echoedBySource[from.address] = (echoedBySource[from.address] ?? 0) + 1;
    socket.send(ECHO + text.slice(PROBE.length), from.port, from.address, () => {});
  });
}

/** Waits for the echo of one probe. @returns the time of its arrival, or null if none came in time */
function echoOf(socket: UdpSocket, expected: string, timeoutMs: number): Promise<number | null> {
  return new Promise((resolve) => {
    const finish = (at: number | null): void => {
      clearTimeout(timer);
      socket.off('message', onMessage);
      resolve(at);
    };
    const onMessage = (message: Buffer): void => {
      if (message.toString('latin1') === expected) finish(performance.now());
    };
    const timer = setTimeout(() => finish(null), timeoutMs);
    socket.on('message', onMessage);
  });
}

async function ping({ from, to, count, timeoutMs, untilLost }: Ask<'ping'>): Promise<Answer<'ping'>> {
  const socket = await bindUdp(from, 0);
  const nonce = randomBytes(8).toString('hex');
  const times: number[] = [];
  let lastError: string | null = null;
  socket.on('error', (error) => {
    lastError = error.message;
  });
  let sent = 0;
  while (sent < count && !(untilLost && times.length < sent)) {
    const body = `${nonce} ${sent}`.padEnd(56);
    const echo = echoOf(socket, ECHO + body, timeoutMs);
    const start = performance.now();
    sent++;
    const failure = await send(socket, PROBE + body, ECHO_PORT, to);
    if (failure) lastError = failure.message;
    const end = await echo;
    if (end !== null) times.push(end - start);
  }
  socket.close();
  times.sort((a, b) => a - b);
  const medianMs = times[times.length >> 1] ?? Number.NaN;
  return { sent, received: times.length, medianMs, error: lastError };
}

// ---- TCP ---------------------------------------------------------------------------------------

const receptions = new Map<number, Promise<Answer<'receivedTcp'>>>();

async function hashAll(socket: TcpSocket): Promise<Answer<'receivedTcp'>> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of socket) {
    const part = chunk as Buffer;
    hash.update(part);
    bytes += part.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

async function receiveTcp({ port, timeoutMs }: Ask<'receiveTcp'>): Promise<Answer<'receiveTcp'>> {
  const server = createServer({ allowHalfOpen: false });
  const reception = new Promise<Answer<'receivedTcp'>>((resolve, reject) => {
    const timer = setTimeout(() => {
      server.close();
      reject(new Error(`the transfer to TCP port ${port} did not end within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    server.once('connection', (socket) => {
      server.close();
      hashAll(socket)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  });
  // A failure before `receivedTcp` must not end the agent; `receivedTcp` still reports it.
  reception.catch(() => {});
  receptions.set(port, reception);
  server.listen(port, '0.0.0.0');
  await once(server, 'listening');
  return { listening: true };
}

function receivedTcp({ port }: Ask<'receivedTcp'>): Promise<Answer<'receivedTcp'>> {
  const reception = receptions.get(port);
  if (!reception) throw new Error(`no receiveTcp request for TCP port ${port}`);
  receptions.delete(port);
  return reception;
}

async function pour(socket: TcpSocket, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  for (let left = bytes; left > 0; left -= TCP_CHUNK) {
    const chunk = randomBytes(Math.min(left, TCP_CHUNK));
    hash.update(chunk);
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  socket.end();
  return hash.digest('hex');
}

async function sendTcp({ to, port, bytes, timeoutMs }: Ask<'sendTcp'>): Promise<Answer<'sendTcp'>> {
  const start = performance.now();
  const socket = tcpConnect({ host: to, port });
  const timer = setTimeout(() => {
    socket.destroy(new Error(`${socket.bytesWritten} of ${bytes} bytes sent after ${timeoutMs / 1000} s`));
  }, timeoutMs);
  try {
    await once(socket, 'connect');
    // The socket closes when the receiver has read everything and has closed too.
    const closed = once(socket, 'close');
    // Not an unhandled rejection: `pour` or the await below reports the failure.
    closed.catch(() => {});
    socket.resume();
    const sha256 = await pour(socket, bytes);
    await closed;
    return { bytes, sha256, ms: performance.now() - start };
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

// ---- Shouts ------------------------------------------------------------------------------------

/** How often each number was received, by port and tag. */
const tallies = new Map<number, Map<string, number[]>>();

function tallyOf(port: number, tag: string): number[] {
  const tags = tallies.get(port);
  if (!tags) throw new Error(`not listening on UDP port ${port}`);
  const known = tags.get(tag);
  if (known) return known;
  const fresh: number[] = [];
  tags.set(tag, fresh);
  return fresh;
}

async function listen({ port, group, at }: Ask<'listen'>): Promise<Answer<'listen'>> {
  tallies.set(port, new Map());
  const socket = await bindUdp('0.0.0.0', port);
  if (group !== null) socket.addMembership(group, at);
  socket.on('error', () => {});
  socket.on('message', (message) => {
    const match = SHOUT.exec(message.toString('latin1'));
    const number = Number(match?.[2]);
    if (!match || number >= MAX_SHOUTS) return;
    const times = tallyOf(port, match[1] as string);
    while (times.length <= number) times.push(0);
    times[number] = (times[number] as number) + 1;
  });
  return { listening: true };
}

async function shout({ from, to, port, tag, count, intervalMs }: Ask<'shout'>): Promise<Answer<'shout'>> {
  const socket = await bindUdp(from, 0);
  socket.setBroadcast(true);
  socket.setMulticastInterface(from);
  socket.setMulticastLoopback(false);
  let sent = 0;
  for (let number = 0; number < count; number++) {
    const failure = await send(socket, shoutText(tag, number), port, to);
    if (failure) throw failure;
    sent++;
    if (number + 1 < count) await delay(intervalMs);
  }
  socket.close();
  return { sent };
}

// ---- Requests ----------------------------------------------------------------------------------

function nic({ ifname }: Ask<'nic'>): Answer<'nic'> {
  const read = (what: string): string => readFileSync(`/sys/class/net/${ifname}/${what}`, 'utf8').trim();
  return { mtu: Number(read('mtu')), mac: read('address') };
}

const verbs: { [V in AgentVerb]: (ask: Ask<V>) => Answer<V> | Promise<Answer<V>> } = {
  nic,
  ping,
  echoed: () => ({ bySource: echoedBySource }),
  receiveTcp,
  receivedTcp,
  sendTcp,
  listen,
  heard: ({ port, tag }) => ({ times: tallyOf(port, tag) }),
  shout,
};

function reply(line: AgentReply): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function carryOut(line: string): Promise<void> {
  const request = JSON.parse(line) as AgentRequest;
  try {
    // The union pairs each verb with its own request; the compiler cannot follow that through the table.
    const verb = verbs[request.verb] as (ask: AgentRequest['ask']) => unknown;
    reply({ id: request.id, answer: await verb(request.ask) });
  } catch (error) {
    reply({ id: request.id, error: error instanceof Error ? error.message : String(error) });
  }
}

process.stdout.on('error', () => process.exit(0));
await answerProbes();
createInterface({ input: process.stdin })
  .on('line', (line) => void carryOut(line))
  .on('close', () => process.exit(0));
reply({ id: 0, answer: 'ready' });
