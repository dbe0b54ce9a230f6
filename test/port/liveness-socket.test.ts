/**
 * Sockets of BFD sessions on the loopback: what has passed a router is dropped before the queue, over IPv4 and IPv6, so a flood of it
 * leaves room for the packets of neighbours. Without the filter it does not: that is shown too.
 */
import { afterEach, describe, expect, it } from 'vitest';
import {
  DatagramReader,
  droppedAt,
  openLivenessReceiver,
  openLivenessSender,
  sendTo,
} from '../../src/port/liveness-socket.js';
import { openSenders } from '../../src/port/underlay.js';
import { parseAddress } from '../../src/wire/ip-address.js';

/** More than the queue has room for: 4 MiB, doubled by the kernel, and at least 512 bytes of it for each. */
const FLOOD = 30_000;
const FROM_AFAR = Uint8Array.of(...Array.from({ length: 24 }, () => 0x64));
const FROM_NEAR = Uint8Array.of(...Array.from({ length: 24 }, () => 0x11));

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Outcome {
  /** TTLs of what was read. */
  ttls: Set<number>;
  count: number;
  /** Whether the neighbour's packet is among it. */
  isHeard: boolean;
  dropped: number;
}

function flood(local: string, isOneHop: boolean): Outcome {
  const port = 20_000 + (process.pid % 20_000);
  const receiver = openLivenessReceiver({ local, port, isOneHop });
  closing.push(() => receiver.close());
  const near = openLivenessSender({ local }, process.pid);
  closing.push(() => near.close());
  const [far] = openSenders({ local, range: [49_152, 65_535], count: 1, seed: process.pid + 1, ttl: 64 });
  closing.push(() => far?.close());
  const words = parseAddress(local)?.words ?? [];
  for (let i = 0; i < FLOOD; i++) sendTo(far?.fd ?? -1, FROM_AFAR, words, port);
  sendTo(near.fd, FROM_NEAR, words, port);
  const dropped = droppedAt(receiver);
  const reader = new DatagramReader();
  const outcome: Outcome = { ttls: new Set(), count: 0, isHeard: false, dropped };
  for (let before = -1; before !== outcome.count; ) {
    before = outcome.count;
    reader.read(receiver.fd, (_address, ttl, offset, length) => {
      outcome.count++;
      outcome.ttls.add(ttl);
      outcome.isHeard ||= length === 24 && reader.view.getUint8(offset) === 0x11;
    });
  }
  return outcome;
}

describe.each(['127.0.0.1', '::1'])('at %s', (local) => {
  it('a flood from afar leaves a neighbour its room, and is counted', () => {
    expect(flood(local, true)).toEqual({ ttls: new Set([255]), count: 1, isHeard: true, dropped: FLOOD });
  });

  it('without the filter the flood fills the queue, and the neighbour is not heard', () => {
    const { ttls, isHeard, count, dropped } = flood(local, false);
    expect({ ttls, isHeard }).toEqual({ ttls: new Set([64]), isHeard: false });
    expect(dropped).toBe(FLOOD + 1 - count);
  });
});
