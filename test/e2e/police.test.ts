/** Policing with a real kernel as guest, and several engines on one bucket: of frames far above the limit, the limit arrives. */
import { afterEach, expect, test } from 'vitest';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { atRest, expectReach, give, startWith } from './live-support.js';
import { sniff } from './sniffer.js';
import { settledStats } from './switch.js';
import { plainBridge, tapPort } from './topologies.js';
import { tool } from './traffic.js';
import { makeGuest } from './two-hosts.js';

const FRAMES = 20_000;
const A_SECOND = 10_000;
const RATE = 500;
const BURST = 50;

let world: World;

afterEach(() => world.cleanUp());

test.each(
  cases(
    [
      { workers: 2, option: 'police_in', port: 'noisy' },
      { workers: 1, option: 'police_out', port: 'other' },
    ],
    1,
  ),
)('$option, workers: $workers', async ({ workers, option, port }) => {
  world = new World();
  const host = await world.netns('host');
  const [noisy, other] = [await makeGuest(world, 1), await makeGuest(world, 2)];
  const ports = plainBridge(tapPort('noisy', noisy), tapPort('other', other));
  const sw = await startWith(world, host, 'host1', `workers: ${workers}\nbridges:\n${ports}`);
  await expectReach(world, noisy, other);
  await give(sw, `link set ${port} type bridge_slave ${option} pkts_rate ${RATE} pkts_burst ${BURST}`);
  const sniffer = await sniff(world, other, 'ether proto 0x88b5');
  const ended = await world.exec(noisy.netns, tool('frames', noisy.ifname, other.mac, noisy.mac, FRAMES, A_SECOND));
  expect(ended.status, ended.stderr).toBe(0);
  const { ms } = JSON.parse(ended.stdout) as { ms: number };
  const { drops, links } = await settledStats(sw);
  const passed = await atRest('the sniffer', () => sniffer.packets.length);
  console.log(`${option}: ${FRAMES} in ${ms} ms, ${passed} passed, ${drops.policed} policed`);
  // Frames may wait in the guest's queue for as long as the sender took, and no longer.
  expect(passed).toBeLessThanOrEqual(BURST + (RATE * (2 * ms + 1000)) / 1000);
  expect(passed).toBeGreaterThanOrEqual(BURST);
  expect(links[port]?.drops.policed).toBe(drops.policed);
  expect(passed + (drops.policed ?? 0)).toBeLessThanOrEqual(FRAMES);
  expect(drops.policed).toBeGreaterThan(FRAMES / 4);

  await give(sw, `link set ${port} type bridge_slave ${option} off`);
  await expectReach(world, noisy, other);
});
