/** A thread that fails: here at once, since a worker cannot load TypeScript. */
import { expect, it } from 'vitest';
import { EngineThread } from '../../../src/control/engines/engine-thread.js';

it('rejects what it is asked for, whether it dies before or after, and tells of its death once', async () => {
  const deaths: Error[] = [];
  const memory = new SharedArrayBuffer(4);
  const ignore = (): void => undefined;
  const thread = new EngineThread(
    {
      engine: 0,
      fdb: memory,
      remotes: memory,
      counters: memory,
      punts: memory,
      drops: memory,
      budget: memory,
      storm: memory,
      states: memory,
      police: memory,
      neigh: memory,
      liveness: memory,
      livenessFd: -1,
      offloads: {
        vnet_header: true,
        tso: true,
        udp_segment: true,
        tunnel_gso: false,
        udp_gro: true,
        packet_ring: true,
        io_uring: 'auto',
        flow: 'off',
      },
      busyPoll: 0,
      held: false,
    },
    {
      portLost: ignore,
      offloadLost: ignore,
      punted: ignore,
      tooBig: ignore,
      failed: (error) => deaths.push(error),
    },
  );
  await expect(thread.apply([])).rejects.toThrow('engine-worker');
  await expect(thread.apply([])).rejects.toThrow('engine-worker');
  await thread.stop();
  expect(deaths).toHaveLength(1);
});
