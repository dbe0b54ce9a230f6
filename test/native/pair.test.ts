import { afterEach, describe, expect, test } from 'vitest';
import { closeFd, openPair } from '../../src/native/binding.js';
import * as L from '../../src/port/packet-io.js';
import { cleanUp, command, frame, later, makePacketIo } from './native-testbed.js';

afterEach(cleanUp);

const QUEUE = 1 << 20;
const EAGAIN = 11;
const TO_FAR = { TX_KIND: L.KIND_FRAME, TX_INDEX: 0, TX_OFFSET: 70_000 };

/** A PacketIo with port 0 and port 1 joined. */
function joined() {
  const io = makePacketIo();
  const fds = openPair(QUEUE);
  for (const [index, fd] of fds.entries()) {
    io.attachTap(index, fd);
    later(() => closeFd(fd));
  }
  return { io, fds };
}

function words(io: { rx: Int32Array }, at: number, count = 7): number[] {
  return [...io.rx.subarray(at * L.RX_STRIDE, at * L.RX_STRIDE + count)];
}

describe('a pair of joined sockets', () => {
  test('carries frames with their offload words, and tags as the command leaves them', () => {
    const { io } = joined();
    const bytes = frame(1486);
    new Uint8Array(io.arena).set(bytes, 70_000);
    const gso = {
      TX_VNET: L.VNET_NEEDS_CSUM | (L.VNET_GSO_TCPV4 << 8),
      TX_GSO: 1400 | (54 << 16),
      TX_CSUM: 34 | (16 << 16),
    };
    command(io, 0, { ...TO_FAR, TX_LENGTH: 1500, ...gso });
    command(io, 1, { ...TO_FAR, TX_LENGTH: 1500, TX_TAG: L.TAG_PUSH | 7 });
    expect(io.transmit(2)).toBe(0);
    expect(io.receive(1000)).toBe(2);
    const first = words(io, 0);
    expect(first.slice(0, 2)).toEqual([L.KIND_FRAME, 1]);
    expect(first.slice(3)).toEqual([1500, gso.TX_VNET, gso.TX_GSO, gso.TX_CSUM]);
    const second = words(io, 1);
    expect(second.slice(3, 5)).toEqual([1504, 0]);
    const tagged = new Uint8Array(io.arena, second[2], 1504);
    expect([...tagged.subarray(12, 16)]).toEqual([0x81, 0, 0, 7]);
    expect(Buffer.compare(tagged.subarray(16), bytes.subarray(12))).toBe(0);
  });

  test('carries the largest superframe, and says when its queue is full', () => {
    const { io } = joined();
    command(io, 0, { ...TO_FAR, TX_LENGTH: 65_550 });
    expect(io.transmit(1)).toBe(0);
    expect(io.receive(1000)).toBe(1);
    expect(words(io, 0)[3]).toBe(65_550);
    let sent = 0;
    for (; sent < 100; sent++) {
      command(io, 0, { ...TO_FAR, TX_LENGTH: 65_550 });
      if (io.transmit(1) > 0) break;
    }
    expect(sent).toBeGreaterThan(8);
    expect(io.tx[L.TX_STATUS]).toBe(EAGAIN);
  });

  test('is lost when the other end is closed', () => {
    const io = makePacketIo();
    const [near, far] = openPair(QUEUE);
    later(() => closeFd(near));
    io.attachTap(5, near);
    closeFd(far);
    expect(io.receive(1000)).toBe(0);
    expect(io.status[L.STATUS_LOST_INDEX]).toBe(5);
    expect(io.status[L.STATUS_LOST_KIND]).toBe(L.KIND_FRAME);
  });
});
