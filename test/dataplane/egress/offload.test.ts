/** Offloads: partial checksums from guests and kernel peers, unsegmented frames, and the MTU of a TAP. */
import { describe, expect, it } from 'vitest';
import {
  VNET_GSO_ECN,
  VNET_GSO_TCPV4,
  VNET_GSO_TCPV6,
  VNET_GSO_UDP_L4,
  VNET_NEEDS_CSUM,
} from '../../../src/port/packet-io.js';
import { viewOf } from '../../../src/wire/bytes.js';
import { encodeVxlan, VXLAN_HEADER } from '../../../src/wire/vxlan.js';
import {
  A,
  B,
  BROADCAST,
  finished,
  frame,
  type PacketFields,
  packet,
  pseudoSum,
  transportChecksum,
  transportOffset,
} from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';

const PEER = '192.0.2.2';
const KINDS = ([4, 6] as const).flatMap((version) =>
  (['tcp', 'udp'] as const).map((protocol): PacketFields & { version: 4 | 6; protocol: 'tcp' | 'udp' } => ({
    version,
    protocol,
  })),
);

function sw(mtu = 1450): TestSwitch {
  return new TestSwitch({
    br0: {
      ports: {
        tap1: { type: 'tap', mtu },
        tap2: { type: 'tap', mtu },
        vx: { type: 'vxlan', vni: 42, remotes: [PEER, '192.0.2.3'] },
      },
    },
  });
}

function filtering(): TestSwitch {
  return new TestSwitch({
    br0: {
      filtering: true,
      ports: {
        access: { type: 'tap', vlans: ['2 pvid untagged'] },
        trunk: { type: 'tap', vlans: ['2'] },
        vx: { type: 'vxlan', vlans: ['2'], tunnel: { 2: 200 }, remotes: [PEER] },
      },
    },
  });
}

/** What a TAP says of a frame whose checksum it left open. */
function needsChecksum(fields: PacketFields): { vnet: number; csum: number } {
  const field = fields.protocol === 'udp' ? 6 : 16;
  return { vnet: VNET_NEEDS_CSUM, csum: transportOffset(fields) | (field << 16) };
}

describe('checksums that a guest left open', () => {
  it.each(KINDS)('$protocol over IPv$version: finished into the tunnel, handed on as they are to a TAP', (kind) => {
    const open = packet({ ...kind, checksum: 'partial', data: 33 });
    const { out } = sw().send('tap1', open, needsChecksum(kind));
    expect(out).toHaveLength(3);
    for (const copy of out) {
      if (copy.port === 'vx') expect(copy.frame).toEqual(finished({ ...kind, data: 33 }));
      else expect(copy).toMatchObject({ to: 'tap2', frame: open, ...needsChecksum(kind) });
    }
  });

  it.each(KINDS)('$protocol over IPv$version: finished behind a tag that is popped, moved along with one', (kind) => {
    const tagged = { ...kind, tci: 0x6002, destination: BROADCAST };
    const fromTrunk = filtering().send('trunk', packet({ ...tagged, checksum: 'partial' }), needsChecksum(tagged)).out;
    const untagged = { ...kind, destination: BROADCAST };
    expect(fromTrunk.find(({ port }) => port === 'vx')?.frame).toEqual(finished(untagged));
    expect(fromTrunk.find(({ port }) => port === 'access')).toMatchObject(needsChecksum(untagged));

    const open = packet({ ...untagged, checksum: 'partial' });
    const fromAccess = filtering().send('access', open, needsChecksum(untagged)).out;
    expect(fromAccess.find(({ port }) => port === 'trunk')).toMatchObject(needsChecksum(tagged));
  });

  it('a UDP checksum that comes out as 0 is sent as 0xffff', () => {
    const kind: PacketFields = { protocol: 'udp', data: 2 };
    const open = packet({ ...kind, checksum: 'partial' });
    const view = viewOf(open);
    // The last two data bytes make up what is missing to a sum of 0xffff, which complements to 0.
    view.setUint16(open.length - 2, 0);
    let sum = 0; // of the pseudo-header too: it stands in the field
    for (let at = 34; at < open.length; at += 2) sum += view.getUint16(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    view.setUint16(open.length - 2, 0xffff - sum);
    const { out } = sw().send('tap1', open, needsChecksum(kind));
    expect(transportChecksum(out.find(({ port }) => port === 'vx')?.frame as Uint8Array, kind)).toBe(0xffff);
  });

  it('a finished frame is not touched', () => {
    for (const copy of sw().send('tap1', finished({})).out)
      expect(copy).toMatchObject({ frame: finished({}), vnet: 0 });
  });
});

describe('a virtio-net header that cannot be: offload_invalid', () => {
  const csum = (start: number, offset: number) => start | (offset << 16);
  const bytes = packet({ checksum: 'partial', data: 0 });
  const tso = (VNET_GSO_TCPV4 << 8) | VNET_NEEDS_CSUM;

  it.each<[string, number, number, number]>([
    ['the checksum begins in the Ethernet header', VNET_NEEDS_CSUM, 0, csum(13, 16)],
    ['the checksum field ends behind the frame', VNET_NEEDS_CSUM, 0, csum(34, bytes.length - 34 - 1)],
    ['the checksum begins behind the frame', VNET_NEEDS_CSUM, 0, csum(2000, 16)],
    ['start and offset are at their largest', VNET_NEEDS_CSUM, 0, csum(0xffff, 0xffff)],
    ['segmentation without a checksum', VNET_GSO_TCPV4 << 8, 1000, csum(34, 16)],
    ['segmentation without a size', tso, 0, csum(34, 16)],
    ['an unknown kind of segmentation', (2 << 8) | VNET_NEEDS_CSUM, 1000, csum(34, 16)],
    ['UFO, which was not offered', (3 << 8) | VNET_NEEDS_CSUM, 1000, csum(34, 16)],
    ['ECN without segmentation', (VNET_GSO_ECN << 8) | VNET_NEEDS_CSUM, 1000, csum(34, 16)],
  ])('%s', (_name, vnet, gso, csumWord) => {
    expect(sw().send('tap1', bytes, { vnet, gso, csum: csumWord })).toMatchObject({
      to: [],
      drops: ['tap1 offload_invalid'],
    });
  });

  it('the last place for a checksum field is good', () => {
    const turn = sw().send('tap1', bytes, { vnet: VNET_NEEDS_CSUM, csum: csum(34, bytes.length - 34 - 2) });
    expect(turn.drops).toEqual([]);
  });

  it('a checksum that begins in the tag would write the VID: no hop into another VLAN', () => {
    const tagged = packet({ tci: 2, destination: BROADCAST });
    for (const start of [14, 15, 16, 17]) {
      const turn = filtering().send('trunk', tagged, { vnet: VNET_NEEDS_CSUM, csum: csum(start, 0) });
      expect(turn).toMatchObject({ to: [], drops: ['trunk offload_invalid'] });
    }
    expect(filtering().send('trunk', tagged, { vnet: VNET_NEEDS_CSUM, csum: csum(18, 20) }).drops).toEqual([]);
  });

  it.each([VNET_GSO_TCPV4, VNET_GSO_TCPV6, VNET_GSO_UDP_L4, VNET_GSO_TCPV4 | VNET_GSO_ECN])(
    'segmentation of kind %i goes from TAP to TAP whole, beyond the MTU, header untouched',
    (kind) => {
      const big = packet({ version: 4, data: 20_000, checksum: 'partial', destination: B });
      const offload = { vnet: VNET_NEEDS_CSUM | (kind << 8), gso: 1400 | (54 << 16), csum: csum(34, 16) };
      const two = new TestSwitch({ br0: { ports: { tap1: { type: 'tap' }, tap2: { type: 'tap' } } } });
      expect(two.send('tap1', big, offload).out).toMatchObject([{ to: 'tap2', frame: big, ...offload }]);
    },
  );
});

describe('checksums that a kernel peer left open', () => {
  it.each(KINDS)('$protocol over IPv$version: the sum of the pseudo-header is recognised', (kind) => {
    for (const data of [0, 1, 32, 1001]) {
      const open = packet({ ...kind, data, checksum: 'partial' });
      expect(transportChecksum(open, kind)).toBe(pseudoSum({ ...kind, data }));
      const { out } = sw().tunnel('vx', PEER, 42, open);
      expect(out.map(({ to }) => to).sort()).toEqual(['tap1', 'tap2']);
      for (const copy of out) expect(copy).toMatchObject({ frame: open, gso: 0, ...needsChecksum(kind) });
    }
  });

  it.each(KINDS)('$protocol over IPv$version: complete ones are handed on untouched', (kind) => {
    for (let data = 0; data < 64; data++) {
      const complete = finished({ ...kind, data });
      const [copy] = sw().tunnel('vx', PEER, 42, complete).out;
      expect(copy).toMatchObject({ frame: complete, vnet: 0, gso: 0, csum: 0 });
    }
  });

  it('a wrong checksum is handed on as wrong: the guest is to see it', () => {
    const wrong = finished({});
    viewOf(wrong).setUint16(34 + 16, transportChecksum(wrong, {}) ^ 0x0100);
    expect(sw().tunnel('vx', PEER, 42, wrong).out[0]).toMatchObject({ frame: wrong, vnet: 0 });
  });

  it('UDP without a checksum stays without one', () => {
    const none = packet({ protocol: 'udp', checksum: 'zero' });
    expect(sw().tunnel('vx', PEER, 42, none).out[0]).toMatchObject({ frame: none, vnet: 0 });
  });

  it('behind a tag, and with another one pushed', () => {
    const kind: PacketFields = { protocol: 'tcp', tci: 7, destination: BROADCAST };
    const open = packet({ ...kind, checksum: 'partial' });
    expect(sw().tunnel('vx', PEER, 42, open).out[0]).toMatchObject({ frame: open, ...needsChecksum(kind) });
    const untagged = { ...kind };
    delete untagged.tci;
    const { out } = filtering().tunnel('vx', PEER, 200, packet({ ...untagged, checksum: 'partial' }));
    expect(out.find(({ to }) => to === 'trunk')).toMatchObject(needsChecksum(kind));
    expect(out.find(({ to }) => to === 'access')).toMatchObject(needsChecksum(untagged));
  });

  it('not in fragments, nor in headers that are cut off', () => {
    const fragment = packet({ checksum: 'partial' });
    viewOf(fragment).setUint16(20, 0x2000); // more fragments
    expect(sw().tunnel('vx', PEER, 42, fragment).out[0]).toMatchObject({ vnet: 0 });
    const cut = packet({ checksum: 'partial' });
    viewOf(cut).setUint16(16, 1000); // a length beyond the frame
    expect(sw().tunnel('vx', PEER, 42, cut).out[0]).toMatchObject({ vnet: 0 });
  });
});

describe('unsegmented frames of a kernel peer', () => {
  it.each([
    [4, VNET_GSO_TCPV4],
    [6, VNET_GSO_TCPV6],
  ] as const)('IPv%i: handed on as GSO with segments that fit the MTU', (version, kind) => {
    for (const mtu of [1280, 1450, 9000]) {
      const fields: PacketFields = { version, data: 40_000 };
      const big = packet({ ...fields, checksum: 'partial' });
      const header = transportOffset(fields) + 20;
      const { out, drops } = sw(mtu).tunnel('vx', PEER, 42, big);
      expect(drops).toEqual([]);
      for (const copy of out) {
        expect(copy).toMatchObject({
          frame: big,
          vnet: VNET_NEEDS_CSUM | (kind << 8),
          csum: needsChecksum(fields).csum,
        });
        expect({ size: copy.gso & 0xffff, header: copy.gso >>> 16 }).toEqual({ size: mtu + 14 - header, header });
      }
    }
  });

  it('each TAP by its own MTU: whole where it fits', () => {
    const two = new TestSwitch({
      br0: {
        ports: {
          small: { type: 'tap', mtu: 1450 },
          jumbo: { type: 'tap', mtu: 9000 },
          vx: { type: 'vxlan', vni: 42, remotes: [PEER] },
        },
      },
    });
    const { out } = two.tunnel('vx', PEER, 42, packet({ data: 5000, checksum: 'partial' }));
    expect(out.find(({ to }) => to === 'small')?.vnet).toBe(VNET_NEEDS_CSUM | (VNET_GSO_TCPV4 << 8));
    expect(out.find(({ to }) => to === 'jumbo')).toMatchObject({ vnet: VNET_NEEDS_CSUM, gso: 0 });
  });

  it('with segments that the tunnel carries too: behind the port there may be no larger MTU', () => {
    const tap = { type: 'tap', mtu: 9000 } as const;
    const vx = { type: 'vxlan' as const, vni: 42, remotes: [PEER], mtu: 1450 };
    const wide = new TestSwitch({ br0: { ports: { tap1: tap, tap2: tap, vx } } });
    const fields: PacketFields = { data: 5000 };
    const header = transportOffset(fields) + 20;
    const { out } = wide.tunnel('vx', PEER, 42, packet({ ...fields, checksum: 'partial' }));
    expect(out.map(({ gso }) => gso & 0xffff)).toEqual([1464 - header, 1464 - header]);
    // What has its checksum is no superframe: the sender has seen to its length.
    expect(wide.tunnel('vx', PEER, 42, packet(fields)).out.map(({ gso }) => gso)).toEqual([0, 0]);
  });

  it('64 KiB, the largest that an outer datagram can hold', () => {
    const fields: PacketFields = { data: 65_507 - VXLAN_HEADER - 54 };
    const payload = encodeVxlan(42, packet({ ...fields, checksum: 'partial' }));
    expect(payload).toHaveLength(65_507);
    expect(sw().receive('vx', PEER, payload).to).toEqual(['tap1', 'tap2']);
  });

  it('a TCP header whose length cannot be is no superframe: mtu_exceeded', () => {
    for (const words of [0, 4]) {
      const big = packet({ data: 5000, checksum: 'partial' });
      viewOf(big).setUint8(34 + 12, words << 4);
      expect(sw().tunnel('vx', PEER, 42, big)).toMatchObject({
        to: [],
        drops: ['tap1 mtu_exceeded', 'tap2 mtu_exceeded'],
      });
    }
  });
});

describe('a row of the batch', () => {
  const superframe = packet({ data: 20_000, checksum: 'partial' });
  const plain = packet({ data: 5000 });

  it('keeps nothing of a superframe for the next frame in it, from a TAP or from the tunnel', () => {
    const one = sw();
    one.tunnel('vx', PEER, 42, superframe);
    expect(one.send('tap1', packet({ data: 5000, destination: BROADCAST })).drops).toEqual(['tap2 mtu_exceeded']);
    one.tunnel('vx', PEER, 42, superframe);
    expect(one.tunnel('vx', PEER, 42, plain).drops).toContain('tap2 mtu_exceeded');
  });

  it('keeps no open checksum for the next frame in it', () => {
    const one = sw();
    const fields: PacketFields = { destination: BROADCAST };
    const open = packet({ ...fields, checksum: 'partial' });
    one.send('tap1', open, needsChecksum(fields));
    expect(one.tunnel('vx', PEER, 42, finished(fields)).out[0]).toMatchObject({ vnet: 0, gso: 0, csum: 0 });
    one.tunnel('vx', PEER, 42, open);
    expect(one.send('tap1', finished(fields)).out[0]).toMatchObject({ vnet: 0, gso: 0, csum: 0 });
    one.tunnel('vx', PEER, 42, open);
    expect(one.tunnel('vx', PEER, 42, finished(fields)).out[0]).toMatchObject({ vnet: 0, csum: 0 });
  });
});

describe('the MTU of a TAP', () => {
  const sized = (length: number, tci?: number) =>
    frame({ destination: A, source: B, payload: new Uint8Array(length), ...(tci === undefined ? {} : { tci }) });

  it('a frame that fills it passes, with room for one tag; a longer one is mtu_exceeded', () => {
    expect(sw(1450).tunnel('vx', PEER, 42, sized(1450)).to).toEqual(['tap1', 'tap2']);
    expect(sw(1450).tunnel('vx', PEER, 42, sized(1450, 7)).to).toEqual(['tap1', 'tap2']);
    const turn = sw(1450).tunnel('vx', PEER, 42, sized(1455));
    expect(turn).toMatchObject({ to: [], drops: ['tap1 mtu_exceeded', 'tap2 mtu_exceeded'] });
  });

  it('is the account of the port that the frame would have left by', () => {
    const two = sw(1450);
    two.tunnel('vx', PEER, 42, sized(1455));
    expect([two.dropsOf('tap1', 'mtu_exceeded'), two.dropsOf('vx', 'mtu_exceeded')]).toEqual([
      [0, 1],
      [0, 0],
    ]);
  });

  it('counts the tag that is pushed on the way out', () => {
    const both = filtering(); // MTU 1450
    expect(both.tunnel('vx', PEER, 200, sized(1450)).to).toEqual(['access', 'trunk']);
    expect(both.tunnel('vx', PEER, 200, sized(1454))).toMatchObject({ to: ['access'], drops: ['trunk mtu_exceeded'] });
  });

  it.each(KINDS.filter(({ protocol }) => protocol === 'udp'))(
    'a large UDP frame over IPv$version is mtu_exceeded',
    (kind) => {
      const turn = sw().tunnel('vx', PEER, 42, packet({ ...kind, data: 5000, checksum: 'partial' }));
      expect(turn.drops).toEqual(['tap1 mtu_exceeded', 'tap2 mtu_exceeded']);
    },
  );

  it('a large TCP frame whose checksum is complete is no superframe', () => {
    expect(sw().tunnel('vx', PEER, 42, packet({ data: 5000 })).drops).toEqual([
      'tap1 mtu_exceeded',
      'tap2 mtu_exceeded',
    ]);
  });
});
