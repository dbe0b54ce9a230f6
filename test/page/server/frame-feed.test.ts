/** Frames of a switch whose capture stream the test stands in for. */
import { afterEach, describe, expect, it } from 'vitest';
import type { SwitchClient } from '../../../src/client/client.js';
import { FrameFeed, MOST_FRAMES, observedOf } from '../../../src/page/server/frame-feed.js';

const BYTES = Uint8Array.of(1, 2, 3);
const seen = { time: 1_795_986_081_635_123_456n, length: 98, bytes: BYTES };

describe('a frame of the capture stream', () => {
  it('has its way in, the copies that were sent, and its verdict', () => {
    const ingress = { verdict: 'flooded', port: 'vxlan0', remote: '192.0.2.2', vni: '7', vlan: '10' };
    const copies = [
      { port: 'tap1' },
      { port: 'tap2', reason: 'isolated_port' },
      { port: 'vx1', remote: 'fd00::1', vni: '8' },
    ];
    expect(observedOf({ ...seen, ingress, copies })).toEqual({
      at: 1_795_986_081_635.123,
      from: { port: 'vxlan0', remote: '192.0.2.2', vni: 7 },
      to: [{ port: 'tap1' }, { port: 'vx1', remote: 'fd00::1', vni: 8 }],
      verdict: 'flooded',
      vlan: 10,
      bytes: BYTES,
      length: 98,
    });
  });

  it('that was dropped has its reason; one that the switch has made comes from nowhere', () => {
    const ingress = { verdict: 'dropped', reason: 'no_pvid', port: 'tap1' };
    expect(observedOf({ ...seen, ingress, copies: [] })).toMatchObject({
      to: [],
      verdict: 'dropped',
      reason: 'no_pvid',
    });
    const answer = observedOf({ ...seen, copies: [{ port: 'tap1', verdict: 'originated' }] });
    expect(answer).toMatchObject({ from: { port: '' }, to: [{ port: 'tap1' }], verdict: 'originated' });
  });

  it('has numbers only where numbers are', () => {
    const ingress = { port: 'tap1', vlan: 'x', vni: '1e999' };
    expect(observedOf({ ...seen, ingress, copies: [] })).toMatchObject({ from: { port: 'tap1' }, verdict: 'seen' });
    expect(observedOf({ ...seen, ingress, copies: [] })).not.toHaveProperty('vlan');
  });
});

describe('the stream', () => {
  const feeds: FrameFeed[] = [];
  afterEach(() => {
    for (const feed of feeds.splice(0)) feed.stop();
  });

  function feed() {
    const told: boolean[] = [];
    const open: AbortSignal[] = [];
    const client = {
      async *capture(signal: AbortSignal) {
        open.push(signal);
        yield new Uint8Array(0);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    } as unknown as SwitchClient;
    const made = new FrameFeed({ client, passed: () => undefined, follows: (is) => told.push(is) });
    feeds.push(made);
    return { made, told, isOpen: () => open.filter((signal) => !signal.aborted).length };
  }
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('is left when there are too many frames, and taken up when there are fewer', async () => {
    const { made, told, isOpen } = feed();
    made.start();
    await turn();
    expect([told, isOpen()]).toEqual([[true], 1]);
    made.setRate(MOST_FRAMES + 1);
    await turn();
    expect([told, isOpen()]).toEqual([[true, false], 0]);
    made.setRate(MOST_FRAMES - 1); // not yet: it would come and go
    await turn();
    expect(isOpen()).toBe(0);
    made.setRate(1);
    await turn();
    expect([told, isOpen()]).toEqual([[true, false, true], 1]);
  });

  it('is closed while nobody watches, whatever the rate', async () => {
    const { made, isOpen } = feed();
    made.setRate(0);
    await turn();
    expect(isOpen()).toBe(0);
    made.start();
    await turn();
    made.stop();
    made.setRate(0);
    await turn();
    expect(isOpen()).toBe(0);
  });
});
