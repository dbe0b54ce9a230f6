/** What a connection knows of a neighbour that does not read. */
import { connect, createServer, type Socket } from 'node:net';
import { expect, it, vi } from 'vitest';
import { createGuard } from '../../src/evpn/guard.js';
import { Connection } from '../../src/evpn/transport/connection.js';

it('tells how far a neighbour has read that does not read, and that all is taken when it reads again', async () => {
  const faults: string[] = [];
  const guard = createGuard(
    (text) => faults.push(text),
    () => 0,
  );
  let far: Socket | undefined;
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    far = socket;
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  const socket = connect(port, '127.0.0.1');
  const nothing = (): void => undefined;
  const connection = new Connection(
    socket,
    { connected: nothing, data: nothing, drained: nothing, ended: (reason) => faults.push(reason) },
    guard,
  );
  try {
    await vi.waitFor(() => expect(far).toBeDefined());
    expect(connection.stalledAt).toBeNull();
    const piece = new Uint8Array(1024 * 1024);
    for (let i = 0; i < 64; i++) connection.send(piece);
    // The kernel's buffers are full when it takes no more for a while.
    let at = -1;
    await vi.waitFor(
      () => {
        const before = at;
        at = connection.stalledAt ?? -1;
        expect(at).toBeGreaterThanOrEqual(0);
        expect(at).toBe(before);
      },
      { interval: 100, timeout: 5000 },
    );
    expect(at).toBeLessThan(64 * piece.length);
    connection.send(piece);
    expect(connection.stalledAt).toBe(at);
    far?.resume();
    await vi.waitFor(() => expect(connection.stalledAt).toBeNull(), { timeout: 5000 });
    expect(faults).toEqual([]);
  } finally {
    far?.destroy();
    socket.destroy();
    server.close();
  }
});
