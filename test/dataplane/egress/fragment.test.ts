/** Which frames are given to the PacketIo as packets to be sent in fragments: `native/fragment.test.ts` has the fragments. */
import { describe, expect, it } from 'vitest';
import { VNET_GSO_TCPV4, VNET_GSO_UDP_L4, VNET_NEEDS_CSUM } from '../../../src/port/packet-io.js';
import { C, packet } from '../support/frames.js';
import { PEER, plain, setMtu, sized } from '../support/narrow-path.js';

const MOST = 1500 - 36;

function to(bytes: Uint8Array, offload = {}, mtu = 1500, spec = {}): unknown {
  const sw = setMtu(plain({ fragment: true, ...spec }), mtu);
  const { out, drops } = sw.send('t1', bytes, offload);
  const copies = out.filter(({ port }) => port === 'vx');
  return drops.length > 0 ? drops : copies.map(({ frame, most }) => [frame.length, most]);
}

describe('a frame that is too long for the path, on a port with fragment', () => {
  it('is sent as fragments where it is IPv4 without DF', () => {
    expect(to(sized(1500, { df: false }))).toEqual([[1514, MOST]]);
    expect(to(sized(1451, { df: false }))).toEqual([[1465, MOST]]);
    expect(to(sized(1450, { df: false }))).toEqual([[1464, 0]]);
    expect(to(sized(9000, { df: false }))).toEqual([[9014, MOST]]);
    // A tag that is payload.
    expect(to(sized(1447, { df: false, tci: 5 }))).toEqual([[1465, MOST]]);
  });

  it('is dropped with DF, as IPv6, and on a port without the option', () => {
    expect(to(sized(1500))).toEqual(['vx mtu_exceeded']);
    expect(to(sized(1500, { version: 6 }))).toEqual(['vx mtu_exceeded']);
    expect(to(sized(1500, { df: false }), {}, 1500, { fragment: false })).toEqual(['vx mtu_exceeded']);
  });

  it('is dropped where the path is so narrow that a fragment would hold next to nothing, and where its lengths are wrong', () => {
    expect(to(sized(1500, { df: false }), {}, 590)).toEqual([[1514, 590 - 36]]);
    expect(to(sized(1500, { df: false }), {}, 588)).toEqual(['vx mtu_exceeded']);
    const cut = sized(1500, { df: false });
    cut[16] = 0xff;
    expect(to(cut)).toEqual(['vx mtu_exceeded']);
    const open = sized(1500, { df: false });
    open.fill(0, 16, 18);
    expect(to(open)).toEqual(['vx mtu_exceeded']);
  });

  it('may be a superframe, whose segments are too long', () => {
    const udp = { vnet: VNET_NEEDS_CSUM | (VNET_GSO_UDP_L4 << 8), gso: 1472, csum: 34 | (6 << 16) };
    expect(to(packet({ protocol: 'udp', data: 8000 }), udp)).toEqual([[8042, MOST]]);
    expect(to(packet({ protocol: 'udp', data: 8000 }), { ...udp, gso: 1400 })).toEqual([[8042, 0]]);
    const tcp = { vnet: VNET_NEEDS_CSUM | (VNET_GSO_TCPV4 << 8), gso: 1460, csum: 34 | (16 << 16) };
    expect(to(packet({ data: 8000 }), tcp)).toEqual([[8054, MOST]]);
    expect(to(packet({ data: 8000, df: true }), tcp)).toEqual(['vx mtu_exceeded']);
  });

  it('is flooded as such', () => {
    expect(to(sized(1500, { df: false, destination: C }))).toEqual(['t2 mtu_exceeded']);
    const sw = setMtu(plain({ fragment: true }), 1500);
    const { out } = sw.send('t1', sized(1500, { df: false, destination: C }));
    expect(out.map(({ to: where, most }) => [where, most])).toEqual([[`vx>${PEER}`, MOST]]);
  });
});
