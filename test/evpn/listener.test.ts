/** A neighbour whose key could not be set is not let in without it. */
import { connect, createServer } from 'node:net';
import { expect, it } from 'vitest';
import type { NeighborConfig } from '../../src/evpn/contract.js';
import { createGuard } from '../../src/evpn/guard.js';
import { Listener } from '../../src/evpn/transport/listener.js';

const NEIGHBOR: NeighborConfig = {
  address: '127.0.0.1',
  port: 179,
  asn: 65000,
  passive: true,
  hold_time: 90,
  connect_retry: 5,
  max_routes: 10,
  graceful_restart: 0,
  long_lived_stale: 0,
};

/** A port that is free now. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Connects, and waits for the end of the connection, or for its acceptance. */
function attempt(port: number, accepted: Promise<'accepted'>): Promise<'accepted' | 'refused'> {
  const refused = new Promise<'refused'>((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.on('close', () => resolve('refused'));
    void accepted.then(() => socket.destroy());
  });
  return Promise.race([accepted, refused]);
}

it('lets a neighbour in only with the key that is configured', async () => {
  const failures: string[] = [];
  let accept: () => void = () => undefined;
  const next = (): Promise<'accepted'> =>
    new Promise((resolve) => {
      accept = () => resolve('accepted');
    });
  const listener = new Listener(
    {
      accepted: (_, socket) => {
        socket.destroy();
        accept();
      },
      failed: (reason) => failures.push(reason),
    },
    createGuard(
      (text) => failures.push(text),
      () => performance.now(),
    ),
    () => performance.now(),
  );
  const port = await freePort();
  try {
    listener.configure(port, [NEIGHBOR]);
    expect(failures).toEqual([]);
    expect(await attempt(port, next())).toBe('accepted');
    // Longer than the kernel takes.
    listener.configure(port, [{ ...NEIGHBOR, password: 'x'.repeat(81) }]);
    expect(failures).toHaveLength(1);
    expect(await attempt(port, next())).toBe('refused');
    listener.configure(port, [NEIGHBOR]);
    expect(await attempt(port, next())).toBe('accepted');
  } finally {
    listener.close();
  }
});
