/** Datagrams of the management VNI (RFC 8971): what is for the liveness thread, and that nothing else becomes of them. */
import { describe, expect, it } from 'vitest';
import { DatagramRing } from '../../../src/shared-memory/datagram-ring.js';
import { BFD_PACKET, emptyPacket, encodeBfd } from '../../../src/wire/bfd.js';
import { encodeEnvelope, sealEnvelope } from '../../../src/wire/bfd-vxlan.js';
import { TestSwitch } from '../support/harness.js';

const PEER = '192.0.2.2';
const STRANGER = '192.0.2.9';

function make(): { sw: TestSwitch; ring: DatagramRing; woken: () => number } {
  const sw = new TestSwitch({
    br0: { ports: { tap1: { type: 'tap' }, vx: { type: 'vxlan', vni: 42, remotes: [PEER] } } },
  });
  const ring = new DatagramRing();
  let wakes = 0;
  sw.context.liveness = ring;
  sw.context.wakeLiveness = () => wakes++;
  for (const [socket, vni] of sw.context.forwarding.managementVni.entries())
    if (vni === -1) sw.apply([{ op: 'management', socket, vni: 1, path: 7 }]);
  return { sw, ring, woken: () => wakes };
}

function datagram(vni = 1, change: (bytes: Uint8Array) => void = () => undefined): Uint8Array {
  const envelope = encodeEnvelope({ vni, source: PEER, sourceMac: '02:00:00:00:00:01', sourcePort: 49_152 });
  encodeBfd(envelope.view, envelope.at, { ...emptyPacket(), my: 0x01020304 });
  sealEnvelope(envelope);
  change(envelope.bytes);
  return envelope.bytes;
}

function taken(ring: DatagramRing): unknown[] {
  const found: unknown[] = [];
  ring.drain(1000, (path, words, address, offset, length) => {
    found.push({ path, from: words[address + 3], my: ring.view.getUint32(offset + 4), length });
  });
  return found;
}

describe('the management VNI', () => {
  it.each([PEER, STRANGER])(
    'has BFD packets for the liveness thread, also from %s, whom the sessions judge',
    (from) => {
      const { sw, ring, woken } = make();
      expect(sw.receive('vx', from, datagram())).toMatchObject({ to: [], drops: ['vx management_vni'] });
      const last = Number(from.split('.')[3]);
      expect(taken(ring)).toEqual([{ path: 7, from: (0xc0000200 + last) | 0, my: 0x01020304, length: BFD_PACKET }]);
      expect(woken()).toBe(1);
    },
  );

  it.each([
    ['a TTL below 255', (bytes: Uint8Array) => bytes.fill(254, 30, 31)],
    ['another MAC', (bytes: Uint8Array) => bytes.fill(9, 13, 14)],
  ])('has nothing else: a packet with %s ends there', (_, change) => {
    const { sw, ring, woken } = make();
    expect(sw.receive('vx', PEER, datagram(1, change))).toMatchObject({ to: [], drops: ['vx management_vni'] });
    expect(taken(ring)).toEqual([]);
    expect(woken()).toBe(0);
  });

  it('is only that one: the same packet in the VNI of guests is a frame like any other', () => {
    const { sw, ring } = make();
    expect(sw.receive('vx', PEER, datagram(42)).to).toEqual(['tap1']);
    expect(sw.receive('vx', PEER, datagram(43))).toMatchObject({ drops: ['vx vni_unknown'] });
    expect(taken(ring)).toEqual([]);
  });

  it('of a flood wakes the thread once, and is cut to what the ring holds', () => {
    const { sw, ring, woken } = make();
    for (let i = 0; i < 400; i++) sw.injectDatagram('vx', PEER, datagram());
    sw.turn();
    expect(woken()).toBe(1);
    expect(taken(ring)).toHaveLength(256);
    expect(ring.lost).toBe(400 - 256);
  });

  it('is gone with the sessions, and a guest that sends such frames reaches no session', () => {
    const { sw, ring } = make();
    expect(sw.send('tap1', datagram().subarray(8)).to).toEqual([`vx>${PEER}`]);
    for (const socket of sw.context.forwarding.managementVni.keys())
      sw.apply([{ op: 'management', socket, vni: -1, path: 0 }]);
    expect(sw.receive('vx', PEER, datagram())).toMatchObject({ drops: ['vx vni_unknown'] });
    expect(taken(ring)).toEqual([]);
  });
});
