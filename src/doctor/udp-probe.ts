/**
 * Probes whether a UDP port of a remote is open. A VXLAN datagram is never answered, but a closed port answers with ICMP "port
 * unreachable", which a connected socket reports. It does not interpret the result.
 *
 * The datagram has the I flag clear: RFC 7348 section 5 has every VTEP drop it, and nothing is learned from it.
 */
import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';
import { VXLAN_HEADER } from '../wire/vxlan.js';
import { limited } from './limited.js';
import { zoned } from './pinger.js';

/** Maximum number of open sockets. */
const AT_ONCE = 256;
/** Times of the datagrams in milliseconds, and the timeout after the last one. */
const SENDS_AT = [0, 200];
const PATIENCE_MS = 300;

export interface UdpTarget {
  readonly family: 4 | 6;
  readonly remote: string;
  readonly port: number;
  readonly local?: string;
  readonly dev?: string;
}

/** `quiet`: no answer, so the port is open or a filter drops the probe. */
export type UdpFact = { state: 'refused' } | { state: 'quiet' } | { state: 'failed'; code: string };

/** @param untilMs deadline in performance.now(); targets not started by then are undefined */
export function probeUdpPorts(targets: readonly UdpTarget[], untilMs: number): Promise<(UdpFact | undefined)[]> {
  return limited(targets, AT_ONCE, async (target) =>
    performance.now() < untilMs ? await probeUdpPort(target) : undefined,
  );
}

export async function probeUdpPort(target: UdpTarget): Promise<UdpFact> {
  const socket = createSocket({ type: target.family === 4 ? 'udp4' : 'udp6' });
  const failed = failure(socket);
  const probe = async (): Promise<UdpFact> => {
    await connect(socket, target);
    for (const [index, at] of SENDS_AT.entries()) {
      await delay(at - (SENDS_AT[index - 1] ?? 0));
      socket.send(new Uint8Array(VXLAN_HEADER));
    }
    await delay(PATIENCE_MS);
    return { state: 'quiet' };
  };
  const probing = probe();
  // After the socket has failed, the rest of the probe may fail too; its result is not used.
  probing.catch(() => undefined);
  try {
    return await Promise.race([failed, probing]);
  } catch (error) {
    return factOf(error);
  } finally {
    socket.close();
  }
}

/** The source address that the kernel would choose; undefined without a route. */
export async function sourceTowards(target: Omit<UdpTarget, 'port' | 'local'>): Promise<string | undefined> {
  const socket = createSocket({ type: target.family === 4 ? 'udp4' : 'udp6' });
  try {
    const failed = await Promise.race([failure(socket), connect(socket, { ...target, port: 4789 })]);
    if (failed !== undefined) return undefined;
    return socket.address().address.replace(/%.*$/, '');
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

function failure(socket: Socket): Promise<UdpFact> {
  return new Promise((resolve) => {
    socket.on('error', (error) => resolve(factOf(error)));
  });
}

function factOf(error: unknown): UdpFact {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return code === 'ECONNREFUSED' ? { state: 'refused' } : { state: 'failed', code };
}

async function connect(socket: Socket, target: UdpTarget): Promise<void> {
  const { local } = target;
  if (local !== undefined) {
    const address = zoned({ ...target, remote: local });
    await new Promise<void>((done) => socket.bind({ address, port: 0, exclusive: true }, done));
  }
  await new Promise<void>((resolve, reject) => {
    // Node passes the error as the only argument, which its types omit.
    socket.connect(target.port, zoned(target), ((error?: Error) =>
      error === undefined || error === null ? resolve() : reject(error)) as () => void);
  });
}
